"""The documentation says what the code does."""

from __future__ import annotations

import re

from meshdoor.calls.commands import Step
from meshdoor.calls.progress import State as CallState
from meshdoor.cli import told
from tests.diagrams import MACHINES, PAGE, page


def test_the_diagrams_are_those_of_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "draw them again: python -m tests.diagrams"


def test_mermaid_can_read_every_label() -> None:
    labels = [label for machine in MACHINES for _, _, label in machine.edges]
    assert [label for label in labels if re.search(r"[:;#\n{}]", label)] == []


def test_every_state_can_be_reached_and_left_for_the_end() -> None:
    for machine in MACHINES:
        reached = {str(state) for state in machine.begins}
        for _ in machine.edges:
            reached |= {after for before, after, _ in machine.edges if before in reached}
        assert reached == {state for before, after, _ in machine.edges for state in (before, after)}
        ends = {"ENDED"}
        for _ in machine.edges:
            ends |= {before for before, after, _ in machine.edges if after in ends}
        assert ends == reached


def test_every_event_is_documented() -> None:
    text = (PAGE.parent / "scripting.md").read_text(encoding="utf-8")
    names = {*told.EVENTS, *told.SWITCHES, "call", "step", "over", "listening"}
    assert [name for name in sorted(names) if f"| `{name}`" not in text and f", `{name}` |" not in text] == []


def test_the_words_for_states_and_steps_are_those_of_the_machines() -> None:
    states = {str(state).lower() for state in CallState} - {"cancelling"}  # which is told as ended
    assert states == set(told.CALLS)
    assert set(told.STEPS) <= {str(step) for step in Step}
