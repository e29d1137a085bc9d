"""What the board tells the screen on the wall of a house, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from meshdoor.calls.incoming import State
from meshdoor.calls.plan import Kind
from meshdoor.control import Json
from meshdoor.errors import EngineError
from meshdoor.media import echo, reports
from meshdoor.media import messages as media
from meshdoor.node.condition import Told
from meshdoor.node.house import House
from meshdoor.node.wall import MAX_NOTICES, Parts, WallBoard
from meshdoor.node.wallwishes import WallWishes
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role
from meshdoor.wall import model
from tests.node.homes import admitted, founded
from tests.patience import PATIENCE


class FakeEngine:
    """Takes what it is told, or is not there."""

    def __init__(self) -> None:
        self.walls: asyncio.Queue[model.WallState] = asyncio.Queue()
        self.done: list[tuple[str, object]] = []
        self.there = True
        self.sounded = asyncio.Event()

    async def show_wall(self, state: model.WallState) -> None:
        if not self.there:
            raise EngineError("the media engine is gone")
        self.walls.put_nowait(state)

    async def mute(self, on: bool) -> None:
        self.done.append(("mute", on))

    async def near(self) -> None:
        self.done.append(("near", None))
        raise EngineError("there is no screen on the wall")

    async def sound(self, command: media.SoundCommand) -> None:
        self.done.append(("sound", command))
        self.sounded.set()


class FakeCalls:
    """The call service, as far as a wall sees it."""

    def __init__(self, names: dict[bytes, str]) -> None:
        self.engine = FakeEngine()
        self.media_watchers: list[Callable[[reports.Event], None]] = []
        self.answering = SimpleNamespace(standing=lambda: self.visits)
        self.talking = SimpleNamespace(active=[])
        self.visits: list[tuple[SimpleNamespace, SimpleNamespace]] = []
        self.wanted = False
        self.tell: Callable[[dict[str, Any]], None] = lambda event: None
        self._names = names

    def name_of(self, key: bytes) -> str:
        return self._names[key]

    def want_engine(self) -> None:
        self.wanted = True

    async def listen(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self.tell = tell
        await asyncio.Event().wait()

    def heard(self, event: reports.Event) -> None:
        for watcher in self.media_watchers:
            watcher(event)


class FakeView:
    def __init__(self) -> None:
        self.doors: list[dict[str, Json]] = []

    async def home(self) -> dict[str, Json]:
        return {"doors": self.doors, "members": [], "missed": 2}


class Wall:
    """A board in a home of a screen and a door."""

    def __init__(self) -> None:
        self.screen = founded()
        self.door = admitted(self.screen, "Street", Role.DOOR).identity
        self.door_id = device_id(self.door.key)
        self.calls = FakeCalls({self.door.key: "Street"})
        self.view = FakeView()
        self.saved: list[dict[str, Json]] = []
        self.asked: list[str] = []
        self.status: dict[str, Json] = {"newcomers": [], "alarms": []}
        self.house = SimpleNamespace(
            membership=self.screen,
            name="Hall",
            watchers=[],
            conditions=SimpleNamespace(
                devices={
                    "speaker": Told(reports.FAILED, "unplugged"),
                    "echo": Told(reports.OK, echo.DESCRIBED[echo.HALF_DUPLEX]),
                }
            ),
            desk=SimpleNamespace(status=lambda now: None, open=False),
            peers=SimpleNamespace(homes=frozenset),
        )
        calls: Any = self.calls
        view: Any = self.view
        house = cast("House", self.house)
        verbs = {"answer": self._verb("answer"), "alarms_clear": self._verb("alarms_clear")}
        parts = Parts(house, calls, view, None, verbs, lambda: self.status, "en")
        self.board = WallBoard(parts, WallWishes(), self.saved.append)

    def _verb(self, name: str) -> Any:
        async def run(args: object, progress: object) -> Json:
            self.asked.append(name)

        return run

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.board.run())
        await self.seen(lambda state: state.missed == 2)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def seen(self, true: Callable[[model.WallState], object]) -> model.WallState:
        """What the wall is told, once that is so."""
        async with asyncio.timeout(PATIENCE):
            while not true(state := await self.calls.engine.walls.get()):
                continue
        return state

    def visit(self, state: State = State.RINGING, number: int = 1) -> None:
        visit = SimpleNamespace(number=number, door=self.door.key, leg=f"visit-{number}")
        self.calls.visits = [(visit, SimpleNamespace(state=state, since=50.0))]


async def test_a_visitor() -> None:
    wall = Wall()
    wall.view.doors = [
        {"id": wall.door_id, "name": "Street", "state": "ready", "trouble": [], "dark": False, "contact": None,
         "picture": None, "lock": True}
    ]  # fmt: skip
    async with wall.running():
        assert wall.calls.wanted
        wall.visit()
        wall.calls.tell({"event": "visitor", "visit": 1, "from": "Kitchen"})
        (visitor,) = (await wall.seen(lambda state: state.visitors)).visitors
        assert visitor == model.Visitor(
            "1", wall.door_id, "Street", "ringing", 50.0, "visit-1", "coming", lock=True, giver="Kitchen"
        )
        wall.calls.heard(reports.FirstPicture("visit-1", 1.0, 640, 360))
        await wall.seen(lambda state: state.visitors[0].picture == "live")
        wall.calls.heard(reports.PictureLost("visit-1", 2.0))
        await wall.seen(lambda state: state.visitors[0].picture == "none")
        silenced: list[int] = []
        wall.board.silenced.append(silenced.append)
        wall.calls.heard(reports.Touched("silence", ("1",), 2.0))
        await wall.seen(lambda state: state.visitors[0].silenced)
        assert silenced == [1]
        wall.calls.heard(reports.Touched("answer", ("1",), 2.0))
        wall.visit(State.TALKING)
        wall.calls.tell({"event": "answered", "visit": 1})
        (talking,) = (await wall.seen(lambda state: state.talking)).visitors
        assert wall.asked == ["answer"]
        assert talking.since > 50.0


async def test_muted_until_the_talk_is_over() -> None:
    wall = Wall()
    async with wall.running():
        wall.visit(State.TALKING)
        wall.calls.heard(reports.Touched("mute", ("on",), 1.0))
        await wall.seen(lambda state: state.talking and state.talking.muted)
        wall.calls.visits = []
        wall.calls.tell({"event": "over"})
        await wall.seen(lambda state: not state.visitors)
        wall.visit(State.TALKING, 2)
        wall.calls.tell({"event": "answered"})
        assert not (await wall.seen(lambda state: state.talking)).visitors[0].muted
        assert wall.calls.engine.done == [("mute", True), ("mute", False)]


async def test_a_call() -> None:
    wall = Wall()
    call = SimpleNamespace(kind=Kind.MONITOR, peer=wall.door.key)
    row = {"call": 7, "kind": "monitor", "with": "Street", "called": False, "state": "connected", "why": ""}
    conversation = SimpleNamespace(
        number=7, name="Street", call=call, media=SimpleNamespace(leg="call-7"), row=lambda: row
    )
    async with wall.running():
        wall.calls.talking.active = [conversation]
        wall.calls.tell({"event": "call"})
        shown = (await wall.seen(lambda state: state.call)).call
        assert shown is not None
        assert (shown.number, shown.kind, shown.peer, shown.state) == ("7", "monitor", wall.door_id, "connected")
        assert not shown.incoming


async def test_an_engine_that_comes_back_is_told_all() -> None:
    wall = Wall()
    async with wall.running():
        wall.calls.engine.there = False
        wall.calls.heard(reports.EngineLost((), "killed"))
        wall.board.notice(model.Notice("", text="x"))
        await asyncio.sleep(0.05)
        wall.calls.engine.there = True
        wall.calls.heard(reports.EngineReady(1))
        assert (await wall.seen(lambda state: state.notices)).missed == 2


async def test_what_a_person_has_seen_is_gone() -> None:
    wall = Wall()
    alarm = {"kind": "tamper", "text": "x", "name": "Street", "id": "d", "since": 1.0, "on": True}
    wall.status = {"newcomers": [], "alarms": [alarm]}
    async with wall.running():
        wall.board.notice(model.Notice("", text="x"))
        state = await wall.seen(lambda state: state.alarms and state.notices)
        wall.calls.heard(reports.Touched("hush", (state.notices[0].id,), 1.0))
        await wall.seen(lambda state: not state.notices)
        wall.calls.heard(reports.Touched("dismiss", (state.alarms[0].id,), 1.0))
        await wall.seen(lambda state: not state.alarms)
        assert wall.asked == ["alarms_clear"]
        for number in range(3 * MAX_NOTICES):
            wall.board.notice(model.Notice("", text=str(number)))
        assert len((await wall.seen(lambda state: state.notices)).notices) == MAX_NOTICES


async def test_settings_are_kept() -> None:
    wall = Wall()
    wished: list[WallWishes] = []
    wall.board.wished.append(wished.append)
    async with wall.running():
        wall.calls.heard(reports.Touched("set", ("volume", "3"), 1.0))
        assert (await wall.seen(lambda state: state.settings.volume == 3)).sound == model.Sound(
            half_duplex=True, speaker=False
        )
        wall.calls.heard(reports.Touched("set", ("volume", "33"), 1.0))
        (notice,) = (await wall.seen(lambda state: state.notices)).notices
        assert notice.kind == "bad"
        assert [kept["volume"] for kept in wall.saved] == [3]
        assert [each.volume for each in wished] == [3]
        wall.calls.heard(reports.Touched("play", ("gong",), 1.0))
        async with asyncio.timeout(PATIENCE):
            await wall.calls.engine.sounded.wait()
        assert wall.calls.engine.done == [("sound", media.Chime("gong", 0.3))]


async def test_who_comes_near_wakes_it() -> None:
    wall = Wall()
    async with wall.running():
        wall.calls.tell({"event": "motion", "on": False})
        wall.calls.tell({"event": "motion", "on": True})
        wall.board.notice(model.Notice("", text="x"))
        await wall.seen(lambda state: state.notices)
        assert wall.calls.engine.done == [("near", None)]
    wall.board.near()  # too late
