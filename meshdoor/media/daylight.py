"""Whether a camera sees enough: so that a person knows that a light would help, and a light can be told."""

from __future__ import annotations

import av

# Ours: mean luma, which is 16 in the dark and 235 in the glare.
DARK, BRIGHT = 36, 52
INTERVAL = 1.0  # s between looks
LOOKS = 3  # that agree, before it is said: a lamp that flickers is no dawn
STEP = 1009  # every so many bytes of a picture are looked at; a prime, so that no column of it is preferred


def luma(frame: av.VideoFrame) -> float:
    """The mean of a picture in I420."""
    seen = bytes(memoryview(frame.planes[0]).cast("B")[::STEP])
    return sum(seen) / len(seen)


class Daylight:
    """`dark` is None before the first word."""

    def __init__(self) -> None:
        self.dark: bool | None = None
        self._due = float("-inf")
        self._looks = 0

    def due(self, now: float) -> bool:
        """Whether it is time for a look."""
        if now < self._due:
            return False
        self._due = now + INTERVAL
        return True

    def seen(self, mean: float) -> bool:
        """A look. Whether that changes what is to be said."""
        now = mean < (BRIGHT if self.dark else DARK)
        if now is self.dark:
            self._looks = 0
            return False
        self._looks += 1
        if self._looks < LOOKS:
            return False
        self.dark, self._looks = now, 0
        return True
