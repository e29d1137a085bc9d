"""Where pictures come from, and the simplest source: the test card. Others: `streams`, `pipe`; `opening` opens them.

A source is read by one thread. What it gives are pictures, which are encoded for all who watch, or access units of
H.264, which are sent as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from meshdoor.errors import CameraChanged
from meshdoor.media.card import Card, frame_number
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.plans import VideoFormat

LOOK_AGAIN = 2.0  # s between looks whether there is a camera now; ours

Pause = Callable[[float], None]


class Source(Protocol):
    """Open once it is made. `stand_in` says what it stands in for and why; "" for one that was wished for."""

    stand_in: str

    def read(self) -> Picture | Coded:
        """The next one, when it is due. Raises EngineError when there will be no more, CameraChanged when another
        source is to be opened in its place."""
        ...

    def stop(self) -> None:
        """From another thread: a `read` that waits for a camera raises EngineError soon, if that can be."""
        ...

    def close(self) -> None:
        """In the thread that reads, or when none does."""
        ...


class CardSource:
    """The test card, at the times that its numbers stand for."""

    stand_in = ""

    def __init__(self, video: VideoFormat, pause: Pause, clock: Callable[[], float] = time.monotonic) -> None:
        self._card = Card(video.width, video.height)
        self._fps = video.fps
        self._pause = pause
        self._clock = clock
        self._due = 0.0

    def read(self) -> Picture:
        now = self._clock()
        if now < self._due:
            self._pause(self._due - now)
            now = max(self._clock(), self._due)
        number = int(now * self._fps)
        self._due = (number + 1) / self._fps
        frame = self._card.draw(frame_number(now, self._fps), clock_text(time.time()))
        return Picture(frame, number / self._fps)

    def stop(self) -> None:
        """Its pauses are the camera's."""

    def close(self) -> None:
        """There is nothing to give back."""


class StandIn(CardSource):
    """The test card where a camera should be, until `changed` says that there may be one."""

    def __init__(self, video: VideoFormat, pause: Pause, why: str, changed: Callable[[], bool]) -> None:
        super().__init__(video, pause)
        self.stand_in = f"{why}: a test card stands in"
        self._changed = changed
        self._look = 0.0

    def read(self) -> Picture:
        picture = super().read()
        if picture.captured >= self._look:
            self._look = picture.captured + LOOK_AGAIN
            if self._changed():
                raise CameraChanged("a camera was plugged in")
        return picture


def clock_text(now: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"


class LateSource:
    """Opens another source when it is read."""

    stand_in = ""

    def __init__(self, open_: Callable[[], Source]) -> None:
        self._open = open_
        self._source: Source | None = None
        self._stopped = False

    def read(self) -> Picture | Coded:
        if self._source is None:
            self._source = self._open()
            if self._stopped:
                self._source.stop()
        return self._source.read()

    def stop(self) -> None:
        self._stopped = True
        if self._source is not None:
            self._source.stop()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
