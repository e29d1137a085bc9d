"""A door that is open, and one that is left open."""

from __future__ import annotations

from meshdoor.devices.contact import Door, DoorContact


def test_nothing_is_known_before_the_contact_says_it() -> None:
    door = DoorContact(60)
    assert door.state is None
    assert door.next_deadline() is None


def test_it_is_shut_then_open_then_left_open_then_shut() -> None:
    door, states = DoorContact(60), list[Door | None]()
    for at, closed in ((0, True), (1, True), (10, False), (81, False), (90, True)):
        door.handle_timer(at)
        door.contact(closed, at)
        states.append(door.state)
    assert states == [Door.CLOSED, Door.CLOSED, Door.OPEN, Door.LEFT_OPEN, Door.CLOSED]


def test_only_changes_are_told() -> None:
    door = DoorContact(60)
    assert [door.contact(closed, 10) for closed in (True, True, False, False)] == [True, False, True, False]
    assert door.next_deadline() == 70
    assert [door.handle_timer(at) for at in (69.9, 70, 80)] == [False, True, False]


def test_it_may_be_open_for_ever() -> None:
    door = DoorContact(0)
    door.contact(False, 0)
    assert door.next_deadline() is None
    assert not door.handle_timer(1e9)
