"""Which packets are missing, and when to ask for them (RFC 4585 §6.2.1)."""

from __future__ import annotations

from collections.abc import Iterable

# Ours.
FIRST_WAIT = 0.01  # s: time for a packet that was only overtaken
MIN_RETRY = 0.02  # s
MAX_TRIES = 5
MAX_MISSING = 256  # beyond this a key frame is cheaper


class NackList:
    """Missing packets by extended sequence number, each with the time of its next request."""

    def __init__(self) -> None:
        self.retry = MIN_RETRY
        self._missing: dict[int, tuple[float, int]] = {}

    def measured(self, round_trip: float) -> None:
        self.retry = max(MIN_RETRY, 1.25 * round_trip)

    def lost(self, numbers: Iterable[int], now: float) -> None:
        for number in numbers:
            if len(self._missing) >= MAX_MISSING:
                return
            self._missing[number] = (now + FIRST_WAIT, 0)

    def arrived(self, number: int) -> None:
        self._missing.pop(number, None)

    def forget_before(self, number: int) -> None:
        for old in [missing for missing in self._missing if missing < number]:
            del self._missing[old]

    def clear(self) -> None:
        self._missing.clear()

    def due(self, now: float) -> tuple[int, ...]:
        """Sequence numbers (16 bits, ascending) to ask for now."""
        due = sorted(number for number, (when, _) in self._missing.items() if when <= now)
        for number in due:
            tries = self._missing[number][1] + 1
            if tries == MAX_TRIES:
                del self._missing[number]
            else:
                self._missing[number] = (now + self.retry, tries)
        return tuple(number & 0xFFFF for number in due)

    def next_deadline(self) -> float | None:
        return min((when for when, _ in self._missing.values()), default=None)
