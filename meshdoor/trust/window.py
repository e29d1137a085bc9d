"""The newcomer's side of being guessed at: one guess a run, five to a code, and a growing wait."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from meshdoor.errors import LocalProtocolError, PairingError
from meshdoor.trust.pairing import Password

GUESSES = 5
FIRST_WAIT = 30.0  # seconds
LONGEST_WAIT = 3600.0  # seconds
CODES = 10**8


@dataclass(frozen=True, slots=True)
class WindowStatus:
    """For the display: `wait` is in seconds, 0 when a guess is taken now."""

    code: str
    guesses_left: int
    wait: float


class PairingWindow:
    """Which code is good now, and whether a guess is taken.

    Every run that was begun is a guess, however it ended: one that is broken off early could have been there to
    measure how long the arithmetic takes. One run at a time. When five have gone wrong there is a new code, and
    nothing is taken for 30 s, then 60 s, doubling up to an hour; a pairing that succeeds ends that.
    """

    def __init__(self, random_below: Callable[[int], int] = secrets.randbelow) -> None:
        self._random_below = random_below
        self._code = self._new_code()
        self._guesses_left = GUESSES
        self._wait = FIRST_WAIT
        self._closed_until = float("-inf")
        self._running = False

    @property
    def code(self) -> str:
        """What the newcomer shows."""
        return self._code

    def wait(self, now: float) -> float:
        """How many seconds until a guess is taken; 0 when one is taken now or as soon as this run is over."""
        return max(0.0, self._closed_until - now)

    def status(self, now: float) -> WindowStatus:
        """What to show."""
        return WindowStatus(self._code, self._guesses_left, self.wait(now))

    def next_deadline(self) -> float:
        """When the wait is over; in the past if there is none."""
        return self._closed_until

    def begin(self, now: float) -> Password:
        """Start a run: the password to run it with. Raises PairingError while another runs or in a wait."""
        if self.wait(now):
            raise PairingError("too many wrong codes: no guess is taken now")
        if self._running:
            raise PairingError("another pairing is under way")
        self._running = True
        return Password.from_code(self._code)

    def ended(self, now: float, *, paired: bool) -> None:
        """The run is over. Call it for each `begin`, whatever happened."""
        if not self._running:
            raise LocalProtocolError("no pairing is under way")
        self._running = False
        self._guesses_left -= 1
        if paired:
            self._wait = FIRST_WAIT
        elif not self._guesses_left:
            self._closed_until = now + self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT)
        if paired or not self._guesses_left:
            self._guesses_left = GUESSES
            self._code = self._new_code()

    def _new_code(self) -> str:
        digits = f"{self._random_below(CODES):08d}"
        return f"{digits[:4]}-{digits[4:]}"
