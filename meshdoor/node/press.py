"""One press of a button: its fork, and the lines that carry it out."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshdoor.calls import branch as branches
from meshdoor.calls.commands import Record
from meshdoor.calls.fork import Fork
from meshdoor.node.line import Line, Relayed


@dataclass(slots=True)
class Press:
    """`relayed`: its media are not this node's own. `dropped` counts packets by member."""

    id: str
    at: float
    fork: Fork
    relayed: Relayed | None = None
    lines: dict[int, Line] = field(default_factory=dict)
    steps: list[Record] = field(default_factory=list)
    dropped: dict[bytes, int] = field(default_factory=dict)

    @property
    def winner(self) -> int:
        """The number of the branch that talks; 0 while there is none."""
        return 0 if self.fork.winner is None else self.fork.winner.number

    def add_line(self, number: int, pace: float) -> None:
        """For a new branch, with the interval of its keep-alives. While somebody talks it is rung to take over."""
        giver = b"" if self.fork.winner is None else self.fork.winner.peer
        self.lines[number] = Line(f"{self.id}-{number}", giver, self.relayed, pace)

    def goes_on(self, number: int) -> bool:
        """Does this branch still ring, or talk?"""
        return self.fork.branches[number].state not in (branches.State.CANCELLING, branches.State.ENDED)
