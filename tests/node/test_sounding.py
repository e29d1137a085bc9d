from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from meshdoor.config import Config
from meshdoor.errors import EngineError
from meshdoor.media.messages import Chime, Hush, Ring, SoundCommand, Sounds
from meshdoor.media.reports import EngineReady
from meshdoor.node.sounding import Sounding
from meshdoor.node.wallwishes import WallWishes
from meshdoor.settings.sound import SoundConfig
from meshdoor.trust.permissions import Role

BELL, SILENCE = {"event": "bell", "on": True}, {"event": "bell", "on": False}
SOUND = SoundConfig(tone="gong", room_tone="buzzer", volume=0.5, louder_after=15.0)


class Engine:
    def __init__(self) -> None:
        self.commands: list[SoundCommand] = []
        self.broken = False

    async def sound(self, command: SoundCommand) -> None:
        if self.broken:
            raise EngineError("the media engine died")
        self.commands.append(command)


class Node:
    def __init__(self, sound: SoundConfig = SOUND, role: Role = Role.SCREEN) -> None:
        self.config = Config(sound=sound)
        self.engine = Engine()
        self.sounding = Sounding(self.config, role, self.engine)
        self.task = asyncio.create_task(self.sounding.run())

    async def hears(self, *events: Mapping[str, object]) -> list[SoundCommand]:
        """What follows from these."""
        for event in events:
            self.sounding.heard(dict(event))
        return await self.said()

    async def said(self) -> list[SoundCommand]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        said, self.engine.commands = self.engine.commands, []
        return said


@pytest.fixture
async def node() -> AsyncIterator[type[Node]]:
    made: list[Node] = []

    class Kept(Node):
        def __init__(self, *args: SoundConfig, **words: Role) -> None:
            super().__init__(*args, **words)  # type: ignore[arg-type]
            made.append(self)

    yield Kept
    for each in made:
        each.task.cancel()
        with suppress(asyncio.CancelledError):
            await each.task


def night() -> str:
    """Hours that are now."""
    hour = time.localtime().tm_hour
    return f"{(hour - 2) % 24:02}:00-{(hour + 2) % 24:02}:00"


async def test_a_visitor_rings_until_the_bell_is_silent(node: type[Node]) -> None:
    here = node()
    assert await here.hears(BELL) == [Ring("gong", 0.5, 1.0, 15.0)]
    assert await here.hears(BELL) == []
    assert await here.hears(SILENCE) == [Hush()]


async def test_a_room_rings_with_its_own_tone_and_a_visitor_before_it(node: type[Node]) -> None:
    here = node()
    rings, rests = ({"event": "ring", "call": 1, "on": on} for on in (True, False))
    assert await here.hears(rings) == [Ring("buzzer", 0.5, 1.0, 15.0)]
    assert await here.hears(BELL) == [Ring("gong", 0.5, 1.0, 15.0)]
    assert await here.hears(SILENCE) == [Ring("buzzer", 0.5, 1.0, 15.0)]
    assert await here.hears(rests) == [Hush()]


@pytest.mark.parametrize("volume", [0.0, 0.2])
async def test_quiet_hours_are_quiet_and_get_no_louder(node: type[Node], volume: float) -> None:
    here = node(replace(SOUND, quiet=night(), quiet_volume=volume))
    wanted = [Ring("gong", volume, volume, 15.0)] if volume else []
    assert await here.hears(BELL) == wanted
    knock = [Chime("knock", volume)] if volume else []
    assert await here.hears({"event": "knock", "visit": 1}) == knock
    alarm = {"event": "alarm", "kind": "tamper", "on": True}
    assert await here.hears(alarm) == [Chime("alarm", 1.0)]


async def test_quiet_hours_that_begin_while_it_rings(node: type[Node]) -> None:
    here = node()
    assert await here.hears(BELL) == [Ring("gong", 0.5, 1.0, 15.0)]
    begin, end = night().split("-")
    here.sounding.wished(replace(WallWishes.of(here.config), quiet=True, quiet_from=begin, quiet_to=end))
    assert await here.said() == [Hush()]


async def test_what_is_set_at_the_screen_is_heard_at_once(node: type[Node]) -> None:
    here = node()
    await here.hears(BELL)
    here.sounding.wished(replace(WallWishes.of(here.config), volume=3, tone="bell"))
    assert await here.said() == [Ring("bell", 0.3, 1.0, 15.0)]


async def test_a_visitor_who_is_silenced_and_the_next_one(node: type[Node]) -> None:
    here = node()
    await here.hears(BELL)
    here.sounding.silenced(1)
    assert await here.said() == [Hush()]
    assert await here.hears({"event": "visitor", "visit": 2}) == [Ring("gong", 0.5, 1.0, 15.0)]


@pytest.mark.parametrize(
    ("event", "tone"),
    [
        ({"event": "knock", "visit": 1}, "knock"),
        ({"event": "lock", "result": "opened"}, "opened"),
        ({"event": "monitored", "on": True}, "page"),
        ({"event": "call", "kind": "page", "called": True, "call": 3, "state": "connected"}, "page"),
    ],
)
async def test_short_sounds(node: type[Node], event: dict[str, object], tone: str) -> None:
    assert await node().hears(event) == [Chime(tone, 0.5)]


async def test_a_page_is_announced_once(node: type[Node]) -> None:
    here = node()
    page = {"event": "call", "kind": "page", "called": True, "call": 3}
    assert await here.hears(page | {"state": "connected"}, page | {"state": "talking"}) == [Chime("page", 0.5)]


@pytest.mark.parametrize(
    "event",
    [
        {"event": "lock", "result": "refused"},
        {"event": "monitored", "on": False},
        {"event": "alarm", "on": False},
        {"event": "pressed"},
        {"event": "call", "kind": "room", "called": True, "call": 3, "state": "talking"},
    ],
)
async def test_what_makes_no_sound_at_a_screen(node: type[Node], event: dict[str, object]) -> None:
    assert await node().hears(event) == []


async def test_who_presses_hears_that_it_rings(node: type[Node]) -> None:
    assert await node(SOUND, role=Role.DOOR).hears({"event": "pressed"}) == [Chime("chime", 0.5, yields=True)]
    assert await node(replace(SOUND, door_tone=""), role=Role.DOOR).hears({"event": "pressed"}) == []


async def test_a_new_engine_is_told_what_rings(node: type[Node]) -> None:
    here = node()
    here.engine.broken = True
    assert await here.hears(BELL) == []
    here.engine.broken = False
    here.sounding.told(EngineReady(1))
    ready = Sounds(1.0, ("gong", "buzzer", "knock", "opened"))
    assert await here.said() == [ready, Ring("gong", 0.5, 1.0, 15.0)]


async def test_a_new_engine_at_a_door(node: type[Node]) -> None:
    here = node(SOUND, role=Role.DOOR)
    here.sounding.told(EngineReady(1))
    assert await here.said() == [Sounds(1.0, ("chime",))]
