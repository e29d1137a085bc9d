"""Rates that nobody may exceed: token buckets, one or one per key, and a limiter for log lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


class RateLimit:
    """A token bucket: `burst` at once, then `rate` a second. A clock that goes back gives nothing."""

    __slots__ = ("_burst", "_filled", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled = 0.0

    def allow(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens if there are as many; otherwise take none."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True


class KeyedRateLimit:
    """A token bucket per key, for at most `keys` of them.

    The key that was silent for longest makes room: forgetting its bucket, which has refilled, gives away
    the least.
    """

    def __init__(self, rate: float, burst: float, keys: int = 1024) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._buckets: OrderedDict[Hashable, RateLimit] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def allow(self, key: Hashable, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens from the bucket of `key` if there are as many."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._keys:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = RateLimit(self._rate, self._burst)
        self._buckets.move_to_end(key)
        return bucket.allow(now, cost)


@dataclass(slots=True)
class _Line:
    logged: float
    suppressed: int = 0


class LogLimiter:
    """One line per key in each `interval` seconds, and no more than `rate` a second over all keys."""

    def __init__(
        self, interval: float = 60.0, keys: int = 256, rate: float = 1.0, burst: float = 20.0
    ) -> None:
        self._interval = interval
        self._keys = keys
        self._all = RateLimit(rate, burst)
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()
        self._forgotten = 0

    def admit(self, key: Hashable, now: float) -> int | None:
        """None: say nothing. Otherwise log the line, and add how many before it were suppressed."""
        line = self._lines.get(key)
        if line is not None and now - line.logged < self._interval:
            line.suppressed += 1
            return None
        if not self._all.allow(now):
            self._forgotten += 1
            return None
        suppressed = self._forgotten + (line.suppressed if line else 0)
        self._forgotten = 0
        self._remember(key, now)
        return suppressed

    def _remember(self, key: Hashable, now: float) -> None:
        self._lines[key] = _Line(now)
        self._lines.move_to_end(key)
        if len(self._lines) > self._keys:
            _, oldest = self._lines.popitem(last=False)
            self._forgotten += oldest.suppressed
