"""A door whose contact says that it is shut or open, and that has been open for too long."""

from __future__ import annotations

from enum import Enum


class Door(Enum):
    """How a door is."""

    CLOSED = "closed"
    OPEN = "open"
    LEFT_OPEN = "left open"


class DoorContact:
    """`left_open` is the seconds after which an open door counts as left open, 0 for never."""

    def __init__(self, left_open: float) -> None:
        self.state: Door | None = None  # until the contact has said it
        self._left_open = left_open
        self._since = 0.0

    def contact(self, closed: bool, now: float) -> bool:
        """What the contact says. True if the door is otherwise than before."""
        is_shut = None if self.state is None else self.state is Door.CLOSED
        if closed is is_shut:
            return False
        self.state, self._since = (Door.CLOSED if closed else Door.OPEN), now
        return True

    def next_deadline(self) -> float | None:
        """When it will have been open for too long."""
        return self._since + self._left_open if self.state is Door.OPEN and self._left_open else None

    def handle_timer(self, now: float) -> bool:
        """True if it is left open from now on."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return False
        self.state = Door.LEFT_OPEN
        return True
