"""Contacts that bounce."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.devices.debounce import Debounce

INTERVAL = 0.03


def changes(levels: list[tuple[float, bool]], until: float) -> list[tuple[float, bool]]:
    """What counts, and when, of levels at their times; whoever looks does so exactly when it is due."""
    contact, found = Debounce(INTERVAL), list[tuple[float, bool]]()

    def look(now: float) -> None:
        deadline = contact.next_deadline()
        if deadline is not None and deadline <= now and contact.handle_timer(deadline):
            found.append((deadline, contact.active))

    for at, level in levels:
        look(at)
        contact.level(level, at)
    look(until)
    return found


def test_a_press_counts_once_it_is_steady() -> None:
    assert changes([(1.0, True)], 2.0) == [(1.0 + INTERVAL, True)]


def test_a_press_that_bounces_is_one() -> None:
    bounces = [(1.0, True), (1.002, False), (1.003, True), (1.01, False), (1.012, True), (1.2, False), (1.201, True)]
    bounces += [(1.203, False)]
    assert changes(bounces, 2.0) == [(1.012 + INTERVAL, True), (1.203 + INTERVAL, False)]


def test_nothing_counts_too_early() -> None:
    contact = Debounce(INTERVAL)
    assert contact.next_deadline() is None
    assert not contact.handle_timer(0.0)
    contact.level(True, 1.0)
    assert not contact.handle_timer(1.0 + INTERVAL / 2)
    assert not contact.active


def test_the_same_level_again_changes_nothing() -> None:
    assert changes([(1.0, True), (1.02, True)], 2.0) == [(1.0 + INTERVAL, True)]


@given(st.lists(st.floats(1e-6, INTERVAL * 0.99), max_size=50))
def test_no_interference_is_a_press(gaps: list[float]) -> None:
    levels, at = [], 0.0
    for number, gap in enumerate(gaps):
        levels.append((at, number % 2 == 0))
        at += gap
    levels.append((at, False))
    assert changes(levels, at + 1) == []


@given(st.lists(st.tuples(st.floats(1e-6, 0.2), st.booleans()), max_size=50))
def test_what_counts_was_steady_and_takes_turns(steps: list[tuple[float, bool]]) -> None:
    levels, at = [], 0.0
    for gap, level in steps:
        at += gap
        levels.append((at, level))
    found = changes(levels, at + 1)
    assert [active for _, active in found] == [number % 2 == 0 for number in range(len(found))]
    for when, active in found:
        inside = [level for moment, level in levels if when - INTERVAL < moment < when]
        assert all(level is active for level in inside)
