"""Which picture a peer's link can carry: the house's, or a smaller one. Judged by what its RTCP says (sans-IO).

Level 0 is the house's picture, which nobody's bad link ever makes worse. All whose links carry less share one second,
smaller encode; it is as small as the worst of them needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshdoor.media.plans import VideoFormat

# All ours.
LOSS, HEAVY_LOSS = 0.10, 0.30  # fractions of the packets: a link that loses so much is full, or close to it
QUEUE = 0.4  # s that the round trip may grow by: more is a queue that fills
SETTLE = 2.0  # s after a change in which nothing is judged
PATIENCE, MAX_PATIENCE = 15.0, 240.0  # s of calm before a larger picture is tried again; doubled when that fails
TRIAL = 10.0  # s in which a larger picture must not fail


@dataclass(frozen=True, slots=True)
class Step:
    """Parts of the house's height, rate of pictures and bit rate."""

    height: float
    fps: float
    bitrate: float


STEPS: Final = (Step(1, 1, 1), Step(1 / 2, 1 / 2, 1 / 5), Step(3 / 8, 1 / 3, 1 / 10), Step(1 / 4, 1 / 4, 1 / 25))
LOWEST: Final = len(STEPS) - 1
MIN_BITRATE, MIN_FPS = 60_000, 5


def smaller(video: VideoFormat, level: int) -> VideoFormat:
    """What is sent at a level."""
    step = STEPS[level]
    return replace(
        video,
        width=max(2, round(video.width * step.height / 2) * 2),
        height=max(2, round(video.height * step.height / 2) * 2),
        fps=max(min(MIN_FPS, video.fps), round(video.fps * step.fps)),
        bitrate=max(min(MIN_BITRATE, video.bitrate), round(video.bitrate * step.bitrate)),
    )


class LinkClass:
    """One peer's. `level` goes up by one with each proof that its link is full, and down after a time of calm."""

    def __init__(self) -> None:
        self.level = 0
        self._bad = 0
        self._patience = PATIENCE
        self._changed: float | None = None
        self._calm_since: float | None = None
        self._rose = False  # the last change was to a larger picture
        self._best: float | None = None  # the shortest round trip

    def measured(self, lost: float, round_trip: float | None, now: float) -> bool:
        """A report of the peer: the fraction that it lost of what was sent since its last, or of what could not even be
        sent. Whether the level changed."""
        if round_trip is not None:
            self._best = round_trip if self._best is None else min(self._best, round_trip)
        if self._changed is not None and now - self._changed < SETTLE:
            return False
        weight = self._weight(lost, round_trip)
        if weight:
            return self._trouble(weight, now)
        self._bad = 0
        return self._calm(lost, now)

    def _weight(self, lost: float, round_trip: float | None) -> int:
        if lost >= HEAVY_LOSS:
            return 2
        waits = round_trip is not None and self._best is not None and round_trip - self._best > QUEUE
        return int(lost >= LOSS or waits)

    def _trouble(self, weight: int, now: float) -> bool:
        """One bad report may be a door that slams; two are a link."""
        self._calm_since = None
        self._bad += weight
        if self._bad < 2 or self.level == LOWEST:
            return False
        if self._rose and self._changed is not None and now - self._changed < TRIAL:
            self._patience = min(2 * self._patience, MAX_PATIENCE)
        self._change(self.level + 1, now)
        return True

    def _calm(self, lost: float, now: float) -> bool:
        if lost > LOSS / 5:
            self._calm_since = None
            return False
        if self._calm_since is None:
            self._calm_since = now
        if not self.level or now - self._calm_since < self._patience:
            return False
        self._change(self.level - 1, now)
        return True

    def _change(self, level: int, now: float) -> None:
        self._rose = level < self.level
        self.level, self._changed = level, now
        self._bad, self._calm_since = 0, None
