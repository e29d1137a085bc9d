"""When to dial one member: jittered back-off, and who of the two goes first (sans-IO)."""

from __future__ import annotations

from collections.abc import Callable

FIRST_INTERVAL = 0.2  # seconds before the first repetition
LONGEST_INTERVAL = 30.0  # seconds
SECOND_GOES = 0.3  # seconds that the side with the higher key leaves to the other
PATIENCE = 20.0  # seconds after which a dial that nobody reported on counts as failed
FRESH = 1.0  # seconds between two dials, however many records come in


class Dialing:
    """IDLE → (`wake`) → WAITING → (`start`) → DIALING → (`failed`) → WAITING …; from all (`rest`) to IDLE.

    `due` is when to dial next, or when a dial in progress is given up; None while idle.
    `random` gives numbers in [0, 1).
    """

    def __init__(self, goes_first: bool, random: Callable[[], float]) -> None:
        self._courtesy = 0.0 if goes_first else SECOND_GOES
        self._random = random
        self._failures = 0
        self._started = float("-inf")
        self._in_progress = False
        self.due: float | None = None

    def rest(self) -> None:
        """There is a link, or nowhere to dial."""
        self.due = None
        self._failures = 0
        self._in_progress = False

    def wake(self, now: float) -> None:
        """There is reason to believe that a dial would succeed now: forget the failures, but hurry nobody."""
        self._failures = 0
        if self._in_progress:
            return
        soonest = max(now + self._courtesy + self._jitter(FIRST_INTERVAL), self._started + FRESH)
        self.due = soonest if self.due is None else min(self.due, soonest)

    def start(self, now: float) -> bool:
        """True if it is time to dial; the dial is then in progress."""
        if self.due is None or now < self.due:
            return False
        if self._in_progress:
            self.failed(now)
            return False
        self._in_progress = True
        self._started = now
        self.due = now + PATIENCE
        return True

    def failed(self, now: float) -> None:
        """The dial in progress failed; without one this says nothing."""
        if not self._in_progress:
            return
        self._in_progress = False
        interval = min(LONGEST_INTERVAL, FIRST_INTERVAL * 2 ** min(self._failures, 16))
        self._failures += 1
        self.due = now + interval / 2 + self._jitter(interval / 2)

    def _jitter(self, interval: float) -> float:
        return self._random() * interval
