"""When a wall that nobody touches goes back to its clock, and then dark (state machine)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

IDLE: Final = 60.0  # seconds without a touch, then the clock; as on the page of phones


class State(Enum):
    AWAKE = auto()
    CLOCK = auto()
    ASLEEP = auto()


class Rest:
    """`sleep_after`: seconds of the clock until the display goes dark; 0 for never."""

    def __init__(self, now: float) -> None:
        self.state = State.AWAKE
        self.sleep_after = 0.0
        self._since = now

    @property
    def asleep(self) -> bool:
        return self.state is State.ASLEEP

    def active(self, now: float) -> bool:
        """Somebody touches it, or something happens. True if that wakes it."""
        woken = self.asleep
        self.state, self._since = State.AWAKE, now
        return woken

    def next_deadline(self) -> float | None:
        if self.state is State.AWAKE:
            return self._since + IDLE
        if self.state is State.CLOCK and self.sleep_after:
            return self._since + self.sleep_after
        return None

    def handle_timer(self, now: float) -> State | None:
        """The state that it comes to now, if it changes."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return None
        self.state = State.CLOCK if self.state is State.AWAKE else State.ASLEEP
        self._since = now
        return self.state
