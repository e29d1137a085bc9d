"""How devices are: what a node says of its own, and shows of others."""

from __future__ import annotations

import asyncio
import logging

import pytest

from meshdoor.errors import RemoteProtocolError
from meshdoor.media.reports import Device
from meshdoor.node.condition import MAX_TEXT, Condition
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from tests.node.linked_homes import house, linked
from tests.patience import PATIENCE
from tests.trust.house import DEVICES

GATE = DEVICES["Gate"].key
BROKEN = Device("camera", "failed", "the camera stopped")


async def until_seen(screen: House, failed: dict[str, str]) -> None:
    changed = asyncio.Event()
    screen.watchers.append(changed.set)
    async with asyncio.timeout(PATIENCE):
        while dict(screen.conditions.of(GATE).failed) != failed:
            changed.clear()
            await changed.wait()


async def test_a_door_tells_its_screens_that_it_has_no_picture_and_that_it_has_one_again() -> None:
    door, screen = house("Gate"), house("Hall")
    async with linked(door, screen):
        door.conditions.told(BROKEN)
        await until_seen(screen, {"camera": "the camera stopped"})
        assert screen.conditions.of(GATE).troubles == ("no picture: the camera stopped",)
        assert door.conditions.of(GATE) == door.conditions.own
        door.conditions.told(Device("camera", "ok"))
        await until_seen(screen, {})


async def test_who_links_later_hears_of_it_and_a_lost_link_means_that_nothing_is_known() -> None:
    door, screen = house("Gate"), house("Hall")
    async with linked(door):
        door.conditions.told(BROKEN)
        door.conditions.told(Device("scene", "dark"))
    async with linked(door, screen):
        await until_seen(screen, {"camera": "the camera stopped"})
        assert screen.conditions.of(GATE).dark
        screen.link_down(GATE, "test")
        assert screen.conditions.of(GATE) == Condition()


async def test_watchers_hear_of_changes_only() -> None:
    screen, changes = house("Hall"), []
    screen.watchers.append(lambda: changes.append(1))
    async with linked(screen):
        screen.conditions.told(BROKEN)
        screen.conditions.told(BROKEN)
        screen.conditions.told(Device("speaker", "stand-in", "no sound is played"))
        assert len(changes) == 1
        screen.conditions.unknown()
    assert len(changes) == 2
    assert screen.conditions.devices == {}


async def test_what_an_engine_says_is_bounded_and_cannot_forge_lines(caplog: pytest.LogCaptureFixture) -> None:
    screen = house("Hall")
    async with linked(screen):
        screen.conditions.told(Device("camera", "failed", "a\nb" + "x" * 1000))
    assert len(screen.conditions.own.failed["camera"]) == MAX_TEXT
    assert "\n" not in screen.conditions.own.failed["camera"]


async def test_the_log_says_what_broke_and_what_works_again(caplog: pytest.LogCaptureFixture) -> None:
    screen = house("Hall")
    with caplog.at_level(logging.INFO, "meshdoor"):
        async with linked(screen):
            screen.conditions.told(Device("camera", "ok"))
            assert caplog.messages == []
            screen.conditions.told(BROKEN)
            screen.conditions.told(Device("camera", "ok"))
            screen.conditions.told(Device("microphone", "stand-in", "a tone stands in"))
            screen.note(GATE, Condition({"camera": "gone"}).to_note())
            screen.note(GATE, Condition().to_note())
    assert caplog.messages == [
        "the camera stopped",
        "the camera works again",
        "a tone stands in",
        "Gate: no picture: gone",
        "Gate: all devices work again",
    ]


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"failed": {}, "dark": 1},
        {"failed": [], "dark": False},
        {"failed": {"oven": "hot"}, "dark": False},
        {"failed": {"camera": 1}, "dark": False},
        {"failed": {"camera": "x" * (MAX_TEXT + 1)}, "dark": False},
        {"failed": {"camera": "a\nb"}, "dark": False},
    ],
)
def test_a_note_that_says_nothing(note: Note) -> None:
    with pytest.raises(RemoteProtocolError):
        Condition.parse(note)


def test_a_condition_survives_the_way() -> None:
    said = Condition({"camera": "gone", "speaker": "unplugged"}, dark=True)
    assert Condition.parse(said.to_note()) == said
