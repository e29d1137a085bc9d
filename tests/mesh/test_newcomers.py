"""Nodes that are no members."""

from __future__ import annotations

from meshdoor.mesh.announcement import Address
from meshdoor.mesh.newcomers import MAX_NEWCOMERS, MAX_STRANGERS, Strangers
from tests.mesh.homes import announcement


def test_a_newcomer_and_how_long_it_waits() -> None:
    strangers = Strangers()
    strangers.saw(announcement(1, pair=True), 5, "10.0.0.1")
    strangers.saw(announcement(1, "10.0.0.9", pair=True), 8, "10.0.0.9")
    (newcomer,) = strangers.newcomers()
    assert (newcomer.name, newcomer.since) == ("new 1", 5)
    assert newcomer.links == (Address("10.0.0.9", 5062),)


def test_one_that_stops_waiting_is_no_newcomer_but_remembered() -> None:
    strangers = Strangers()
    strangers.saw(announcement(1, pair=True), 0, "")
    strangers.saw(announcement(1), 1, "")
    assert strangers.newcomers() == ()
    taken = strangers.take(announcement(1).instance)
    assert taken == announcement(1)
    assert strangers.take(announcement(1).instance) is None


def test_a_flood_from_one_source_leaves_the_others() -> None:
    strangers = Strangers()
    strangers.saw(announcement(1, pair=True), 0, "10.0.0.1")
    for number in range(2, 10_000):
        now = number / 1000
        strangers.saw(announcement(number, "10.0.0.66", pair=number % 2 == 0), now, "10.0.0.66")
    assert len(strangers) == MAX_NEWCOMERS + MAX_STRANGERS
    assert strangers.newcomers()[0].name == "new 1"


def test_a_flood_is_not_looked_at_for_long() -> None:
    strangers = Strangers()
    for number in range(1000):
        strangers.saw(announcement(number), 0, str(number))
    assert strangers.take(announcement(999).instance) is None
    assert strangers.take(announcement(255).instance)
