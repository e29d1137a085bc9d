"""When what the timestamps of a peer stand for was, on our clock."""

from __future__ import annotations

MAX_DRIFT = 0.5  # s between what the timestamps say and when it came: then they are of another time; ours


class Timeline:
    """Of one medium, whose clock runs at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: tuple[int, float] | None = None

    def at(self, timestamp: int, now: float) -> float | None:
        """The time of what came `now`: as long after the one before as they say. None for what was overtaken."""
        if self._last is None:
            return self._take(timestamp, now)
        before, at = self._last
        step = ((timestamp - before + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        at += step / self._rate
        if abs(at - now) > MAX_DRIFT:
            return self._take(timestamp, now)
        return self._take(timestamp, at) if step > 0 else None

    def _take(self, timestamp: int, at: float) -> float:
        self._last = timestamp, at
        return at
