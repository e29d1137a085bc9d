"""Draws docs/state-machines.md from the tables of the state machines: python -m tests.diagrams"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from meshdoor.calls import branch, fork, incoming, progress

PAGE = Path(__file__).parent.parent / "docs" / "state-machines.md"

HEAD = """# State machines

Drawn from the tables in `meshdoor/calls` by `python -m tests.diagrams`; a test fails when this page is behind them.
An edge says what happened and, after the stroke, what is then done, in this order. What changes nothing is not drawn;
what a table does not have is an error of ours, and raises.
"""

Edge = tuple[str, str, str]


@dataclass(frozen=True)
class Machine:
    """One diagram. `begins` names the states that it may begin in."""

    title: str
    text: str
    begins: Iterable[StrEnum]
    edges: list[Edge] = field(default_factory=list)


def with_actions(
    table: Iterable[tuple[tuple[StrEnum, StrEnum], tuple[StrEnum, tuple[StrEnum, ...]]]],
) -> list[Edge]:
    """The edges of a table that names actions; its items."""
    return [
        (before, after, f"{event} / {', '.join(actions)}" if actions else str(event))
        for (before, event), (after, actions) in table
        if actions or before is not after
    ]


def plain(table: Iterable[tuple[tuple[StrEnum, StrEnum], StrEnum]]) -> list[Edge]:
    """The edges of a table of states alone; its items."""
    return [(before, after, str(event)) for (before, event), after in table]


MACHINES = (
    Machine(
        "Fork",
        "One press, at the door (`fork.py`).",
        [fork.State.RINGING],
        plain(fork.TRANSITIONS.items()),
    ),
    Machine(
        "Branch",
        "One INVITE of a fork to one device (`branch.py`).",
        [branch.State.CALLING],
        with_actions(branch.TRANSITIONS.items()),
    ),
    Machine(
        "Incoming",
        "One visitor at a screen (`incoming.py`). It begins to knock, rather than to ring, while somebody talks there.",
        [incoming.State.RINGING, incoming.State.KNOCKING],
        with_actions(incoming.TRANSITIONS.items()),
    ),
    Machine(
        "Call",
        "Monitor, room to room, page (`progress.py`). The caller begins in CALLING, the other end in ALERTING.",
        [progress.State.CALLING, progress.State.ALERTING],
        with_actions(progress.TRANSITIONS.items()),
    ),
)


def draw(machine: Machine) -> str:
    """The diagram as mermaid; what leads from one state to the same other one shares an edge."""
    labels: dict[tuple[str, str], list[str]] = {}
    for before, after, label in machine.edges:
        labels.setdefault((before, after), []).append(label)
    lines = [f"    [*] --> {state}" for state in machine.begins]
    lines += [f"    {before} --> {after}: {'<br>'.join(texts)}" for (before, after), texts in labels.items()]
    lines.append("    ENDED --> [*]")
    diagram = "\n".join(["stateDiagram-v2", *lines])
    return f"## {machine.title}\n\n{machine.text}\n\n```mermaid\n{diagram}\n```\n"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(draw, MACHINES)])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
