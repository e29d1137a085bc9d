"""The screen on the wall of this node: it is told what there is to see, and what is touched there is carried out.

    wall = WallBoard(parts)     make it once, before the house runs
    await wall.run()            beside the house, until cancelled

What rings and who talks is told at once; members, visits and their pictures follow a moment after they changed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from meshdoor.calls.incoming import State
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import EngineError, MeshdoorError, Refused, StateError
from meshdoor.media import messages as media
from meshdoor.media import reports
from meshdoor.node import journal, wallfacts
from meshdoor.node.calls import CallService
from meshdoor.node.history import History
from meshdoor.node.homeview import HomeView
from meshdoor.node.house import House
from meshdoor.node.wallacts import WallActs, Words
from meshdoor.node.wallfiles import WallFiles
from meshdoor.node.wallwishes import WallWishes
from meshdoor.trust.identity import device_id
from meshdoor.wall import model

NEWS_AFTER: Final = 0.1  # seconds: many things change at once
LOOK_AGAIN: Final = 60.0  # seconds, as the clock may be set meanwhile
MAX_NOTICES: Final = 8
MAX_DISMISSED: Final = 64
MAX_LEGS: Final = 64
HALF_DUPLEX: Final = "half duplex"  # how the media engine's word of the echo begins where one speaks at a time

Status = Callable[[], dict[str, Json]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What it is built on. `status` is the document of `meshdoor status`."""

    house: House
    calls: CallService
    view: HomeView
    history: History | None
    verbs: Mapping[str, Verb]
    status: Status
    language: str = ""


class WallBoard:
    """`wishes` as they are kept; `save` keeps them. `wished` hears of each change, `silenced` of each visit that is to
    ring without a sound."""

    def __init__(self, parts: Parts, wishes: WallWishes, save: Callable[[dict[str, Json]], object]) -> None:
        self.wishes = wishes
        self.wished: list[Callable[[WallWishes], None]] = []
        self.silenced: list[Callable[[int], None]] = []
        self._parts = parts
        self._save = save
        self._acts = WallActs(parts.verbs, self, self._own_id)
        self._files = WallFiles(self._picture)
        self._changed, self._news, self._hours = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._told: model.WallState | None = None
        self._slow = model.WallState()  # what takes a look at the history
        self._live: set[str] = set()  # legs that show pictures
        self._lost: set[str] = set()
        self._since: dict[str, float] = {}  # of the legs of calls, and of talks with visitors
        self._givers: dict[int, str] = {}
        self._silent: set[int] = set()
        self._muted = False
        self._invited: model.Invited | None = None
        self._notices: OrderedDict[str, model.Notice] = OrderedDict()
        self._count = 0
        self._dismissed: OrderedDict[str, None] = OrderedDict()
        self._tasks: asyncio.TaskGroup | None = None
        parts.calls.media_watchers.append(self._media)
        parts.house.watchers.append(self._news.set)
        parts.house.membership.listen(lambda roster: self._news.set())
        if parts.history is not None:
            parts.history.listeners.append(self._news.set)

    async def run(self) -> None:
        """Until cancelled."""
        self._parts.calls.want_engine()
        self._news.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._parts.calls.listen(self._heard))
                tasks.create_task(self._follow())
                tasks.create_task(self._keep_hours())
                await self._tell()
        finally:
            self._tasks = None
            await self._acts.close()
            await self._files.close()

    def near(self) -> None:
        """Somebody is in front of it."""
        self._spawn(self._parts.calls.engine.near())

    # What is done at it (`wallacts.Board`).

    def notice(self, notice: model.Notice) -> None:
        self._count += 1
        self._notices[str(self._count)] = replace(notice, id=str(self._count))
        while len(self._notices) > MAX_NOTICES:
            self._notices.popitem(last=False)
        self._changed.set()

    def show_invited(self, invited: model.Invited | None) -> None:
        self._invited = invited
        self._changed.set()

    def dismiss(self, alarm: str) -> None:
        self._dismissed[alarm] = None
        while len(self._dismissed) > MAX_DISMISSED:
            self._dismissed.popitem(last=False)
        self._changed.set()

    def hush(self, notice: str) -> None:
        self._notices.pop(notice, None)
        self._changed.set()

    def silence(self, visit: str) -> None:
        number = int(visit)
        self._silent.add(number)
        for listener in self.silenced:
            listener(number)
        self._changed.set()

    async def mute(self, on: bool) -> None:
        await self._parts.calls.engine.mute(on)
        self._muted = on
        self._changed.set()

    async def mark_seen(self, visits: Words) -> None:
        if self._parts.history is not None:
            await self._parts.history.mark(list(visits))

    async def wish(self, name: str, value: str) -> None:
        self.wishes = self.wishes.set(name, value)
        for listener in self.wished:
            listener(self.wishes)
        self._changed.set()
        self._hours.set()
        await asyncio.to_thread(self._save, self.wishes.to_json())

    async def play(self, tone: str) -> None:
        await self._parts.calls.engine.sound(media.Chime(tone, self.wishes.volume / 10))

    def name_of(self, identifier: str) -> str:
        members = self._parts.house.membership.roster.members.values()
        return next((member.name for member in members if member.device_id == identifier), identifier)

    # What it is told.

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            state = self.state(time.time())
            if state == self._told:
                continue
            try:
                await self._parts.calls.engine.show_wall(state)
                self._told = state
            except EngineError:
                self._told = None  # it is told again when there is a screen

    def state(self, unix_now: float) -> model.WallState:
        """All of it, now."""
        visitors, call = self._visitors(), self._call()
        talks = call is not None or any(visitor.state == "talking" for visitor in visitors)
        if self._muted and not talks:
            self._muted = False
            self._spawn(self._parts.calls.engine.mute(False))
        quiet = replace(self.wishes.hours(), now=self.wishes.is_quiet(unix_now))
        alarms = tuple(alarm for alarm in self._slow.alarms if alarm.id not in self._dismissed)
        return replace(
            self._slow,
            me=self._itself(),
            quiet=quiet,
            visitors=visitors,
            call=call,
            sound=self._sound(),
            pairing=self._pairing(),
            invited=self._invited,
            alarms=alarms,
            notices=tuple(self._notices.values()),
            settings=self.wishes.settings(),
        )

    def _itself(self) -> model.Itself:
        house = self._parts.house
        locale = wallfacts.locale_of(os.environ, self._parts.language)
        home = house.membership.roster.home_name
        return wallfacts.itself(house.membership.itself, self._own_id(), house.name, home, locale)

    def _visitors(self) -> tuple[model.Visitor, ...]:
        locks = {door.id: door.lock for door in self._slow.doors}
        standing = self._parts.calls.answering.standing()
        self._silent &= {visit.number for visit, _ in standing}
        found = []
        for visit, incoming in standing:
            door = device_id(visit.door)
            talks = incoming.state is State.TALKING
            found.append(
                model.Visitor(
                    number=str(visit.number),
                    door=door,
                    name=self._parts.calls.name_of(visit.door),
                    state=str(incoming.state).lower(),
                    since=self._begun(visit.leg) if talks else incoming.since,
                    leg=visit.leg,
                    picture=self._picture_of(visit.leg, door),
                    lock=locks.get(door, False),
                    giver=self._givers.get(visit.number, ""),
                    silenced=visit.number in self._silent,
                    muted=self._muted,
                )
            )
        return tuple(found)

    def _call(self) -> model.Call | None:
        active = self._parts.calls.talking.active
        if not active:
            return None
        shown = active[0]
        peer = device_id(shown.call.peer)
        row = shown.row()
        return model.Call(
            number=str(shown.number),
            kind=row["kind"],
            peer=peer,
            name=shown.name,
            state=row["state"],
            since=self._begun(shown.media.leg),
            leg=shown.media.leg,
            picture=self._picture_of(shown.media.leg, peer),
            lock=next((door.lock for door in self._slow.doors if door.id == peer), False),
            muted=self._muted,
            incoming=bool(row["called"]),
        )

    def _begun(self, leg: str) -> float:
        """When it was seen first."""
        while len(self._since) >= MAX_LEGS:
            del self._since[next(iter(self._since))]
        return self._since.setdefault(leg, time.monotonic())

    def _picture_of(self, leg: str, door: str) -> str:
        if leg in self._live:
            return "live"
        blind = any(each.id == door and not each.camera for each in self._slow.doors)
        return "none" if blind or leg in self._lost else "coming"

    def _sound(self) -> model.Sound:
        devices = self._parts.house.conditions.devices
        failed = {kind for kind, told in devices.items() if told.state == reports.FAILED}
        echo = devices.get("echo")
        half = echo is not None and echo.text.startswith(HALF_DUPLEX)
        return model.Sound(half, microphone="microphone" not in failed, speaker="speaker" not in failed)

    def _pairing(self) -> model.Pairing | None:
        house, now = self._parts.house, time.monotonic()
        return wallfacts.pairing(house.desk.status(now), house.peers.homes() if house.desk.open else (), now)

    async def _follow(self) -> None:
        """Members, visits, pictures."""
        while True:
            await self._news.wait()
            await asyncio.sleep(NEWS_AFTER)
            self._news.clear()
            try:
                await self._look()
            except (StateError, Refused) as error:
                journal.warn("wall", f"the screen is not told what is new: {error}")
            self._changed.set()

    async def _look(self) -> None:
        view, status = self._parts.view, self._parts.status()
        home = await view.home()
        visits = await view.visits(model.MAX_VISITS, "") if self._parts.history is not None else []
        self._slow = replace(
            self._slow,
            doors=wallfacts.doors(home["doors"], visits, self._files.files),
            rooms=wallfacts.rooms(home["members"], self._own_id()),
            visits=wallfacts.visits(visits, self._files.files),
            missed=home["missed"],
            newcomers=wallfacts.newcomers(status["newcomers"]),
            alarms=wallfacts.alarms(status["alarms"]),
        )
        self._changed.set()
        pictured = [visit["id"] for visit in visits if visit["picture"]]
        pictured += [door["picture"] for door in home["doors"] if door["picture"]]
        if await self._files.keep(pictured):
            self._slow = replace(
                self._slow,
                doors=wallfacts.doors(home["doors"], visits, self._files.files),
                visits=wallfacts.visits(visits, self._files.files),
            )

    async def _picture(self, press: str) -> bytes:
        return b"" if self._parts.history is None else await self._parts.history.picture(press)

    async def _keep_hours(self) -> None:
        """Quiet hours begin and end."""
        while True:
            self._hours.clear()
            wait = self.wishes.until_change(time.time())
            try:
                async with asyncio.timeout(LOOK_AGAIN if wait is None else min(LOOK_AGAIN, wait + 0.01)):
                    await self._hours.wait()
            except TimeoutError:
                self._news.set()  # and what else nobody tells of

    def _heard(self, event: dict[str, Any]) -> None:
        """Something happened to a call."""
        if event["event"] == "visitor" and event.get("from"):
            self._givers[event["visit"]] = event["from"]
        if event["event"] == "motion" and event.get("on"):
            self.near()
        self._changed.set()

    def _media(self, event: reports.Event) -> None:
        match event:
            case reports.Touched(verb=verb, args=args):
                self._spawn(self._acts.act(verb, args))
            case reports.FirstPicture(leg=leg):
                self._live.add(leg)
                self._lost.discard(leg)
            case reports.PictureLost(leg=leg):
                self._live.discard(leg)
                self._lost.add(leg)
            case reports.EngineReady():
                self._told = None
            case reports.EngineLost():
                self._live.clear()
                self._lost.clear()
        self._changed.set()

    def _own_id(self) -> str:
        return device_id(self._parts.house.membership.identity.key)

    def _spawn(self, work: Any) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(_quietly(work))


async def _quietly(work: Any) -> None:
    """The screen may be gone."""
    try:
        await work
    except MeshdoorError as error:
        journal.warn("wall", str(error))
