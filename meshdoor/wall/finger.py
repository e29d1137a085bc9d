"""One finger on a wall (state machine): a tap acts when it is lifted from where it was put down, a hold after its time.

UP -> down -> TAPPING, or HOLDING where the area wants that; SPENT when it has acted or slid off, until it is lifted.
"""

from __future__ import annotations

from enum import Enum, auto

from meshdoor.wall.scene import Action, Area


class State(Enum):
    UP = auto()
    TAPPING = auto()
    HOLDING = auto()
    SPENT = auto()


class Finger:
    """`area` of each input is the one under the finger now, or None."""

    def __init__(self) -> None:
        self.state = State.UP
        self._area: Area | None = None
        self._since = 0.0

    @property
    def area(self) -> Area | None:
        """What is being pressed."""
        return self._area if self.state in (State.TAPPING, State.HOLDING) else None

    def down(self, area: Area | None, now: float) -> None:
        """It is put down. A second finger counts for nothing."""
        if self.state is not State.UP:
            return
        self._area, self._since = area, now
        if area is None:
            self.state = State.SPENT
        else:
            self.state = State.HOLDING if area.hold else State.TAPPING

    def move(self, area: Area | None) -> None:
        """It slides."""
        if self.area is not None and not self._on(area):
            self.state = State.SPENT

    def up(self, area: Area | None) -> Action | None:
        """It is lifted: what that does."""
        tapped = self.state is State.TAPPING and self._on(area)
        self.state = State.UP
        return self._area.action if tapped and self._area is not None else None

    def cancel(self) -> None:
        """What was under it is gone: until it is lifted it does nothing."""
        if self.state is not State.UP:
            self.state = State.SPENT

    def next_deadline(self) -> float | None:
        """When it was held for long enough."""
        return self._since + self._area.hold if self.state is State.HOLDING and self._area is not None else None

    def handle_timer(self, now: float) -> Action | None:
        """What a hold does that is complete."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline or self._area is None:
            return None
        self.state = State.SPENT
        return self._area.action

    def progress(self, now: float) -> float:
        """Of a hold, 0 to 1."""
        if self.state is not State.HOLDING or self._area is None:
            return 0.0
        return max(0.0, min(1.0, (now - self._since) / self._area.hold))

    def _on(self, area: Area | None) -> bool:
        return area is not None and self._area is not None and area.action == self._area.action
