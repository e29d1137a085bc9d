"""Alarms: what sensors of a door say reaches every screen, and what vanishes is missed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from meshdoor.config import LockConfig
from meshdoor.devices.contact import Door
from meshdoor.devices.troubles import Kind
from meshdoor.errors import RemoteProtocolError
from meshdoor.node.house import House
from meshdoor.settings.devices import DevicesConfig
from tests.node.linked_homes import house, linked
from tests.patience import PATIENCE
from tests.trust.house import key

GATE, LOCK = key("Gate"), key("Lock")


async def seen(screen: House, true: Callable[[], bool]) -> None:
    """Wait until that is so, as a screen sees it."""
    changed = asyncio.Event()
    screen.watchers.append(changed.set)
    async with asyncio.timeout(PATIENCE):
        while not true():
            changed.clear()
            await changed.wait()


def kinds(screen: House) -> list[tuple[str, str, bool]]:
    return [(str(each.kind), each.name, each.on) for each in screen.alarming.on()]


async def sees(screen: House, *wanted: tuple[str, str, bool]) -> None:
    await seen(screen, lambda: kinds(screen) == list(wanted))


async def test_every_screen_hears_of_tampering_until_a_person_has_seen_it() -> None:
    door, hall, kitchen = house("Gate"), house("Hall"), house("Kitchen")
    async with linked(door, hall, kitchen):
        door.alarming.say(Kind.TAMPER, True)
        for screen in (hall, kitchen):
            await sees(screen, ("tamper", "Gate", True))
        door.alarming.say(Kind.TAMPER, False)
        for screen in (hall, kitchen):
            await sees(screen, ("tamper", "Gate", False))
        verbs = hall.alarming.table()
        (told,) = await verbs["alarms"]({}, lambda event: None)
        assert (told["kind"], told["on"]) == ("tamper", False)
        assert await verbs["alarms_clear"]({}, lambda event: None) == {"cleared": 1, "left": 0}
        await sees(kitchen)


async def test_a_person_and_a_program_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    door, screen = house("Gate"), house("Hall")
    events = list[dict[str, Any]]()
    screen.alarming.publish = events.append
    async with linked(door, screen):
        for on in (True, True, False):
            door.alarming.say(Kind.TAMPER, on)
        await sees(screen, ("tamper", "Gate", False))
    assert [(event["event"], event["kind"], event["on"]) for event in events] == [
        ("alarm", "tamper", True),
        ("alarm", "tamper", False),
    ]
    assert caplog.text.count("Gate is being taken off its wall") == 2, "the door says it, and the screen"


async def test_a_screen_that_links_later_hears_of_what_is_on_and_of_what_is_over() -> None:
    door, screen = house("Gate"), house("Hall")
    async with linked(door, screen):
        door.alarming.say(Kind.LEFT_OPEN, True)
        await sees(screen, ("left open", "Gate", True))
    async with linked(door):
        door.alarming.say(Kind.LEFT_OPEN, False)
        door.alarming.say(Kind.TAMPER, True)
    async with linked(door, screen):
        await sees(screen, ("tamper", "Gate", True))


async def test_a_contact_at_the_lock_watches_its_door(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lock, screen = house("Lock", lock=LockConfig(of="Gate")), house("Hall")
    async with linked(lock, screen):
        lock.alarming.say_contact(Door.OPEN)
        await seen(screen, lambda: screen.alarming.contact_of(GATE, "Gate") == "open")
        assert screen.alarming.contact_of(LOCK, "Lock") == ""
        lock.alarming.say_contact(Door.LEFT_OPEN)
        await sees(screen, ("left open", "Gate", True))
        lock.alarming.say_contact(Door.CLOSED)
        await sees(screen)
        assert screen.alarming.contact_of(GATE, "Gate") == "closed"
    assert "Gate is left open" in caplog.text


async def test_a_contact_at_the_door_is_known_to_who_links_later_and_not_after_that() -> None:
    door, screen = house("Gate"), house("Hall")
    async with linked(door):
        door.alarming.say_contact(Door.OPEN)
    async with linked(door, screen):
        await seen(screen, lambda: screen.alarming.contact_of(GATE, "Gate") == "open")
        screen.link_down(GATE, "test")
        assert screen.alarming.contact_of(GATE, "Gate") == ""


@pytest.mark.parametrize(
    "note",
    [
        {"about": "trouble", "kind": "fire", "on": True},
        {"about": "contact", "state": "ajar", "of": ""},
        {"about": "contact", "state": "open", "of": "x" * 65},
        {"about": "contact", "state": ["open"], "of": ""},
        {"about": "contact", "state": "open"},
        {"about": "seen"},
    ],
)
async def test_what_a_door_may_not_say_is_refused(note: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    screen = house("Hall")
    screen.note(GATE, note)
    assert "a note that is wrong" in caplog.text
    assert kinds(screen) == []


def test_doors_are_told_nothing() -> None:
    door = house("Gate")
    with pytest.raises(RemoteProtocolError, match="for screens"):
        door.alarming._told(key("Hall"), {"kind": "tamper", "on": True})
    with pytest.raises(RemoteProtocolError, match="no sensors"):
        house("Hall").alarming._told(key("Rogue"), {"kind": "tamper", "on": True})


@asynccontextmanager
async def watching(screen: House) -> AsyncIterator[None]:
    task = asyncio.create_task(screen.alarming.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_door_unit_that_vanishes_is_an_alarm_until_it_is_back() -> None:
    door, screen = house("Gate"), house("Hall", devices=DevicesConfig(vanished=0.1))
    async with linked(door, screen), watching(screen):
        assert ("vanished", "Gate", True) not in kinds(screen)
        before = asyncio.get_running_loop().time()
        screen.link_down(GATE, "cut")
        await seen(screen, lambda: ("vanished", "Gate", True) in kinds(screen))
        assert asyncio.get_running_loop().time() - before >= 0.1
        address = next(link.address for link in screen.links.links() if link.key == GATE)
        screen.link_up(GATE, address)
        await seen(screen, lambda: ("vanished", "Gate", True) not in kinds(screen))


async def test_one_that_was_never_seen_is_missed_too_and_screens_are_not() -> None:
    screen = house("Hall", devices=DevicesConfig(vanished=0.01))
    async with linked(screen), watching(screen):
        await seen(screen, lambda: len(kinds(screen)) == 2)
    assert sorted(name for _, name, _ in kinds(screen)) == ["Gate", "Lock"]


@pytest.mark.parametrize(("name", "vanished"), [("Hall", 0.0), ("Gate", 0.01)])
async def test_nothing_vanishes_where_nobody_wants_to_know(name: str, vanished: float) -> None:
    made = house(name, devices=DevicesConfig(vanished=vanished))
    async with linked(made), watching(made):
        await asyncio.sleep(0.05)
    assert kinds(made) == []


