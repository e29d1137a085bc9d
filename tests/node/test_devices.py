"""Buttons, relays and sensors of a node, on real pins of the mock factory behind a real keeper."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from meshdoor.config import Config, LockConfig
from meshdoor.control import Json
from meshdoor.devices.contact import Door
from meshdoor.errors import Refused, UserError
from meshdoor.node import devices
from meshdoor.node.devices import Devices
from meshdoor.node.house import House
from meshdoor.node.lock import LockService
from meshdoor.settings.devices import DevicesConfig
from tests.fakes.wires import Wires
from tests.node.linked_homes import house, linked
from tests.patience import until

BUTTON, BELL, LIGHT, CONTACT, TAMPER, MOTION, LOCK = 17, 27, 22, 6, 5, 13, 23
DOOR = DevicesConfig(
    buttons=("gpio:17",), bell="gpio:27", bell_seconds=0.2, light="gpio:22", contact="gpio:6", tamper="gpio:5",
    motion="gpio:13:down", left_open=0.1, debounce=0.02,
)  # fmt: skip


class Calls:
    """As much of a call service as devices need: it rings, and tells so."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses = False
        self.pressed: list[float] = []
        self._listener: Callable[[dict[str, Any]], None] = lambda event: None

    def ring(self) -> Json:
        if self.refuses:
            raise Refused("this node is in no home")
        self.pressed.append(time.monotonic())
        self.publish({"event": "pressed", "press": "1"})
        return {}

    def publish(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._listener(event)

    async def listen(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._listener = tell
        await asyncio.Event().wait()


class Node:
    def __init__(self, wires: Wires, made: Devices, at: House) -> None:
        self.wires = wires
        self.devices = made
        self.house = at
        self.calls = Calls()

    async def ask(self, what: str) -> str:
        answer = await self.devices.table()["try"]({"what": what}, lambda event: None)
        return str(answer["text"])


@asynccontextmanager
async def node(folder: Path, name: str = "Gate", **settings: Any) -> AsyncIterator[Node]:
    """A node whose devices run, its contacts open."""
    wires, at = Wires(folder), house(name, **settings)
    made = Node(wires, Devices(Config(**settings), at, wires.command), at)
    async with linked(at), made.devices:
        task = asyncio.create_task(made.devices.run(made.calls))
        if (pins := made.devices.pins) is not None:
            await pins.ready()
            await until(lambda: len(pins.contacts) == len(made.devices._settings.inputs()))
        yield made
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    wires.close()


async def test_a_press_rings_the_bell_and_lights_the_door(tmp_path: Path) -> None:
    async with node(tmp_path, devices=DOOR) as made:
        made.wires.drive(BUTTON, False)
        await made.wires.until(BELL, True)
        assert made.wires.is_on(LIGHT)
        await made.wires.until(BELL, False)
        (begin, _), (end, _) = made.wires.changes(BELL)[-2:]
        assert end - begin >= 0.19  # and how exact a pulse is: test_keeper
        assert made.wires.is_on(LIGHT)
        assert len(made.calls.pressed) == 1


async def test_who_presses_long_rings_once_and_who_presses_again_rings_again(tmp_path: Path) -> None:
    async with node(tmp_path, devices=DOOR) as made:
        for count in (1, 2):
            made.wires.drive(BUTTON, False)
            await asyncio.sleep(0.1)
            made.wires.drive(BUTTON, True)
            await asyncio.sleep(0.1)
            assert len(made.calls.pressed) == count


async def test_a_press_that_cannot_ring_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with node(tmp_path, devices=DOOR) as made:
        made.calls.refuses = True
        made.wires.drive(BUTTON, False)
        await until(lambda: "pressed, but this node is in no home" in caplog.text)


def test_a_press_before_anything_runs_is_told(caplog: pytest.LogCaptureFixture) -> None:
    Devices(Config(), house("Gate")).press()
    assert "this node has only begun" in caplog.text


async def test_a_screen_rings_its_gong_while_it_rings(tmp_path: Path) -> None:
    settings = DevicesConfig(bell="gpio:27", bell_seconds=60)
    async with node(tmp_path, "Hall", devices=settings) as made:
        made.calls.publish({"event": "bell", "on": True})
        await made.wires.until(BELL, True)
        made.calls.publish({"event": "bell", "on": False})
        await made.wires.until(BELL, False)


async def test_the_bell_of_a_door_is_silent_when_the_press_is_over(tmp_path: Path) -> None:
    settings = DevicesConfig(bell="gpio:27", bell_seconds=60)
    async with node(tmp_path, devices=settings) as made:
        made.calls.publish({"event": "pressed", "press": "1"})
        await made.wires.until(BELL, True)
        made.calls.publish({"event": "over", "press": "1", "why": "answered"})
        await made.wires.until(BELL, False)


async def test_sensors_are_told_to_the_house(tmp_path: Path) -> None:
    async with node(tmp_path, devices=DOOR) as made:
        alarming, itself = made.house.alarming, made.house.membership.identity.key

        def states() -> str:
            return alarming.contact_of(itself, "Gate")

        def on() -> set[str]:
            return {str(each.kind) for each in alarming.on() if each.on}

        await until(lambda: on() == {"tamper", "left open"})
        made.wires.drive(TAMPER, False)
        await until(lambda: on() == {"left open"})
        made.wires.drive(CONTACT, False)
        await until(lambda: on() == set())
        assert states() == Door.CLOSED.value
        made.wires.drive(CONTACT, True)
        await until(lambda: states() == Door.OPEN.value)
        await until(lambda: states() == Door.LEFT_OPEN.value)
        made.wires.drive(MOTION, True)
        await until(lambda: {"event": "motion", "on": True} in made.calls.events)


async def test_the_status_says_how_each_pin_is(tmp_path: Path) -> None:
    async with node(tmp_path, devices=DOOR) as made:
        assert {name: told.state for name, told in made.house.wired().items()} == dict.fromkeys(
            ("button", "contact", "tamper", "motion", "bell", "light"), "ok"
        )
    assert Devices(Config(), house("Gate")).states() == {}


async def test_screens_hear_of_a_button_that_does_not_work(tmp_path: Path) -> None:
    settings = DevicesConfig(buttons=("gpio:17",))
    at = house("Gate")
    broken = Devices(Config(devices=settings), at, ("/bin/echo", '{"said": "no pins", "why": "no pins", "hint": ""}'))
    async with linked(at), broken:
        await until(lambda: at.conditions.own.troubles == ("no working button: no pins",))


async def test_a_person_tries_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "TRY_BUTTON", 0.2)
    monkeypatch.setattr(devices, "TRY", 0.05)
    async with node(tmp_path, devices=DOOR) as made:
        for name, gpio in (("bell", BELL), ("light", LIGHT)):
            assert "was on" in await made.ask(name)
            assert made.wires.changes(gpio)[1][1]
        asked = asyncio.create_task(made.ask("button"))
        await asyncio.sleep(0.01)
        made.wires.drive(BUTTON, False)
        assert await asked == "the button was pressed"
        with pytest.raises(Refused, match="nobody pressed"):
            await made.ask("button")
        with pytest.raises(UserError, match="no lock at this node"):
            await made.ask("lock")
        with pytest.raises(UserError, match="cannot try that"):
            await made.ask("soup")


async def test_what_is_not_there_cannot_be_tried(tmp_path: Path) -> None:
    async with node(tmp_path) as made:
        for what in ("bell", "light", "button"):
            with pytest.raises(UserError, match=f"there is no {what}"):
                await made.ask(what)


async def test_a_lock_at_a_pin_is_tried(tmp_path: Path) -> None:
    settings = LockConfig("Gate", 0.1, relay="gpio:23")
    async with node(tmp_path, "Lock", lock=settings) as made:
        actuator = made.devices.actuator()
        assert actuator is not None
        async with LockService(made.house.membership, actuator, "Gate", 0.1, lambda audit: None) as lock:
            made.devices.serve(lock)
            assert await made.ask("lock") == "the lock is open for 0.1 s"
            assert made.wires.is_on(LOCK)
            await made.wires.until(LOCK, False)
            lock.troubled(True)
            assert [str(each.kind) for each in made.house.alarming.on()] == ["relay"]


def test_no_relay_of_a_lock_is_driven_outdoors() -> None:
    settings = LockConfig("Gate", relay="gpio:23")
    assert Devices(Config(lock=settings), house("Gate")).pins is None


def test_a_relay_that_draws_while_the_pi_boots_is_told(caplog: pytest.LogCaptureFixture) -> None:
    Devices(Config(lock=LockConfig("Gate", relay="gpio:23:low")), house("Lock"))
    assert "gpio:23:low is at the level that opens the lock" in caplog.text


async def test_keys_and_addresses_are_buttons(tmp_path: Path) -> None:
    settings = DevicesConfig(buttons=("evdev:/nowhere/event0", "http:1:0123456789abcdef"))
    async with node(tmp_path, devices=settings) as made:
        assert made.devices.pins is None
