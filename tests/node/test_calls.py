"""The call service over real links on loopback, with engines that take notes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest

from meshdoor.config import Config, MediaConfig, MeshConfig, SipConfig
from meshdoor.errors import EngineError, Refused
from meshdoor.media import messages as media
from meshdoor.media import reports
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import calls as module
from meshdoor.node.calls import MAX_LISTENERS, CallService
from meshdoor.node.house import House
from meshdoor.node.press import Press
from tests.fakes.desks import PressEngine
from tests.mesh.nodes import turn_until
from tests.node.linked_homes import house, linked
from tests.patience import until
from tests.trust.house import DEVICES

QUIET: dict[str, Any] = {"sip": SipConfig(0), "mesh": MeshConfig(0, ("lo",))}


class RunningEngine(PressEngine):
    """What `CallService` makes for itself."""

    def __init__(self, hello: media.Hello, on_event: Callable[[reports.Event], None]) -> None:
        super().__init__()
        self.hello = hello
        self.tell = on_event
        self.running = False
        self.snapshots: list[tuple[str, str | None]] = []

    async def __aenter__(self) -> RunningEngine:
        self.running = True
        self.tell(reports.EngineReady(7))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running = False

    async def prepare(self) -> None:
        """For browsers."""

    async def snapshot(self, path: str, leg: str | None = None) -> None:
        self.snapshots.append((path, leg))


class Node:
    """One service, and what it tells."""

    def __init__(self, home: House, config: Config) -> None:
        self.house = home
        self.calls = CallService(config, home)
        self.events: list[dict[str, Any]] = []

    @property
    def fake(self) -> RunningEngine:
        return cast(RunningEngine, self.calls.engine)

    def told(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"event": kind} | fields
        return [event for event in self.events if wanted.items() <= event.items()]

    async def tells(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Waits for what goes over sockets."""
        await until(lambda: self.told(kind, **fields))
        return self.told(kind, **fields)[-1]


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Engine", RunningEngine)


@asynccontextmanager
async def services(*names: str, **settings: Any) -> AsyncIterator[list[Node]]:
    """Nodes of one home, linked, whose calls are on."""
    config = Config(**QUIET | settings)
    nodes = [Node(house(name, **QUIET | settings), config) for name in names]
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(lambda: [listening.cancel() for listening in listeners])
        await stack.enter_async_context(linked(*(node.house for node in nodes)))
        for node in nodes:
            await stack.enter_async_context(node.calls.running())
        listeners = [tasks.create_task(node.calls.listen(node.events.append)) for node in nodes]
        await turn_until(lambda: all(node.told("listening") for node in nodes))
        yield nodes
        for node in nodes:
            node.calls.hang_up()


async def test_a_press_rings_answers_and_ends() -> None:
    async with services("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        over: list[Press] = []
        gate.calls.on_press_over(over.append)
        said = gate.calls.ring()
        assert set(said["rings"]) == {"Hall", "Kitchen"}
        assert said["silent"] == []
        assert busy(gate) is Busy.RINGING
        for node in (hall, kitchen):
            await node.tells("visitor", door="Gate", press=said["press"])
            assert busy(node) is Busy.RINGING
        for member in ("Hall", "Kitchen"):
            await gate.tells("step", member=member, step="early")
        assert gate.calls.on()["press"] == {"press": said["press"], "state": "ringing"}
        assert hall.calls.on()["visitors"] == [{"visit": 1, "door": "Gate", "state": "ringing"}]
        hall.fake.tell(reports.FirstPicture("visit-1", 1.0, 1280, 720, 5))
        await gate.tells("step", member="Hall", step="first picture")
        assert hall.told("picture", frame=5, at=1.0)
        hall.fake.tell(reports.PictureLost("visit-1", 2.0))
        assert hall.told("no picture", leg="visit-1", at=2.0)
        gate.fake.tell(reports.FirstPacketSent(f"{said['press']}-1", "video", 1.0))
        assert gate.told("step", step="first packet")
        await hall.calls.snapshot("there.jpg", "visit-1")
        assert hall.fake.snapshots == [("there.jpg", "visit-1")]
        assert hall.calls.answer(None, None) == {"visit": 1, "door": "Gate"}
        await kitchen.tells("over", why="answered elsewhere")
        await gate.tells("step", step="answered")
        assert busy(gate) is Busy.IN_CALL
        assert gate.calls.visitor_talks()
        assert hall.calls.visitor_talks()
        gate.calls.ring()
        await hall.tells("knock")
        assert hall.calls.hang_up() == {"ended": ["Gate"]}
        await gate.tells("over", why="answered")
        assert len(over) == 1
        assert busy(gate) is Busy.FREE


async def test_declining_at_a_screen_and_hanging_up_at_the_door() -> None:
    async with services("Gate", "Hall", "Kitchen") as (gate, hall, kitchen):
        gate.calls.ring()
        for node in (hall, kitchen):
            await node.tells("visitor")
        assert hall.calls.decline(1, None) == {"visit": 1, "door": "Gate"}
        await gate.tells("step", member="Hall", step="ended", detail="declined")
        assert gate.calls.hang_up() == {"ended": ["the press"]}
        await kitchen.tells("over", why="missed")
        with pytest.raises(Refused, match="nothing rings here"):
            hall.calls.decline(None, None)
        with pytest.raises(Refused, match="nothing rings here"):
            hall.calls.answer(None, 7)


async def test_only_a_door_rings() -> None:
    async with services("Hall", "Gate") as (hall, gate):
        with pytest.raises(Refused, match="a screen does not ring"):
            hall.calls.ring()
        gate.house.settled = False
        assert gate.calls.ring()["rings"] == []


async def test_the_engine_runs_where_it_is_needed() -> None:
    async with services("Gate", "Hall", "Lock", media=MediaConfig(camera="none")) as (gate, hall, lock):
        await turn_until(lambda: gate.fake.running and hall.fake.running)
        assert gate.house.media == "ready"
        assert not lock.fake.running
        assert (gate.fake.hello.role, gate.fake.hello.camera, gate.fake.hello.name) == ("door", "none", "Gate")
        lock.calls.want_engine()
        await turn_until(lambda: lock.fake.running)


async def test_what_the_engine_says(caplog: pytest.LogCaptureFixture) -> None:
    async with services("Gate", "Hall") as (gate, _):
        said = gate.calls.ring()
        await gate.tells("step", step="early")
        leg = f"{said['press']}-1"
        for event in (
            reports.FirstSound(leg, 2.0),
            reports.DtmfReceived(leg, "5"),
            reports.Device("microphone", "failed", "it is not there"),
            reports.LegStatistics(leg),
            reports.RtpSilence(leg, "audio", 3.0),
            reports.EngineLost((leg,), "exit status -9"),
            reports.EngineReady(8),
        ):
            gate.fake.tell(event)
        assert gate.told("sound", leg=leg, at=2.0)
        assert gate.told("dtmf", digit="5")
        assert "it is not there" in caplog.text
        assert "the media engine ended (exit status -9)" in caplog.text
        await turn_until(lambda: gate.fake.reopened == [leg])


async def test_a_link_that_is_lost_and_comes_back() -> None:
    async with services("Gate", "Hall") as (gate, hall):
        gate.calls.ring()
        await hall.tells("visitor", visit=1)
        await gate.tells("step", step="early")
        gate.house.links.cut(DEVICES["Hall"].key, "the cat")
        await gate.tells("step", step="ended", detail="lost")
        await hall.tells("over", why="lost")
        assert await gate.house.links.dial(DEVICES["Hall"].key, [_at(hall)])
        await hall.tells("visitor", visit=2)


async def test_notes_that_make_no_sense(caplog: pytest.LogCaptureFixture) -> None:
    async with services("Gate", "Hall") as (gate, hall):
        hall.calls.note(DEVICES["Gate"].key, {"about": "picture", "call": 5})
        await until(lambda: "picture of no call" in caplog.text)
        assert gate.calls.name_of(b"nobody") == ""


async def test_listeners_are_bounded() -> None:
    async with services("Hall") as (hall,), asyncio.TaskGroup() as tasks:
        more = [tasks.create_task(hall.calls.listen(lambda event: None)) for _ in range(MAX_LISTENERS - 1)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="too many listen"):
            await hall.calls.listen(lambda event: None)
        for each in more:
            each.cancel()


async def test_what_goes_wrong_in_one_call_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise EngineError("of all things")

    async with services("Hall") as (hall,):
        hall.calls.spawn(fails())
        with caplog.at_level(logging.ERROR):
            await turn_until(lambda: "a call could not be served" in caplog.text)
    hall.calls.spawn(fails())  # too late: nothing runs any more


def busy(node: Node) -> Busy:
    return node.house.busy


def _at(node: Node) -> Address:
    return Address("127.0.0.1", node.house.links.port)
