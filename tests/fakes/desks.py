"""Doors and screens whose presses are real SIP and SDP, with media engines that only take notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from meshdoor.calls.clients import Client
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import Gates
from meshdoor.media.reports import FirstPicture, LegOpened
from meshdoor.media.suites import suites
from meshdoor.node.answering import Answering
from meshdoor.node.calling import Findable
from meshdoor.node.pressing import Pressing
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config
from meshdoor.sip.flow import Target
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member
from tests.calls.people import member
from tests.fakes.rooms import FakeEngine
from tests.mesh.nodes import turn_until as until

DOOR, HALL, KITCHEN, ATTIC = member("Door", Role.DOOR), member("Hall"), member("Kitchen"), member("Attic")


class PressEngine(FakeEngine):
    """Takes notes of the camera too, and of legs that are opened where they were."""

    def __init__(self) -> None:
        super().__init__()
        self.captures: list[bool] = []
        self.reopened: list[str] = []

    async def capture(self, on: bool) -> None:
        self._check()
        self.captures.append(on)

    async def open_leg(self, leg: str, local: str, before: LegOpened | None = None) -> LegOpened:
        await self.slow.wait()
        opened = await super().open_leg(leg, local)
        if before is None:
            return opened
        self.reopened.append(leg)
        return before

    def die(self) -> None:
        """With all its legs; commands fail until it is `broken` no more."""
        self.broken = True
        self.legs.clear()

    def plan(self, leg: str) -> StartLeg:
        """The last plan of a leg."""
        return [told for told in self.legs[leg] if isinstance(told, StartLeg)][-1]

    def gates(self, leg: str) -> Gates:
        """What may pass in a leg now."""
        told = self.legs[leg][-1]
        return told.gates if isinstance(told, StartLeg) else told


class FakeDesk:
    """One node: as much of a CallService as `Pressing` and `Answering` need."""

    def __init__(self, street: Street, itself: Member, timeout: float) -> None:
        self.street = street
        self.member = itself
        self.fake = PressEngine()
        self.events: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.hurried: dict[bytes, float | None] = {}
        self.left_calls = 0
        self.requests: Callable[[sip.RequestReceived], bool] = lambda event: False
        self.responses: list[sip.ResponseReceived] = []  # to requests that nobody waits for
        self.tasks: asyncio.TaskGroup
        self.link = LinkTransport(itself.key, self._send)
        self.endpoint = SipEndpoint(Config(), self._event)
        self.endpoint.add(self.link)
        self.pressing = Pressing(self, timeout)
        self.answering = Answering(self)

    @property
    def engine(self) -> Engine:
        return cast(Engine, self.fake)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def target(self, key: bytes) -> Target | None:
        return self.link.target(key, "meshdoor") if self.street.carries(self.member.key, key) else None

    def address(self, key: bytes) -> str:
        return "127.0.0.1" if self.street.carries(self.member.key, key) else ""

    def client(self, key: bytes) -> Client | None:
        return None

    def is_browser(self, key: bytes) -> bool:
        return self.street.desks[key].member.role is Role.PHONE

    def findable(self) -> Findable:
        return Findable()

    def hurry(self, key: bytes, interval: float | None) -> None:
        self.hurried[key] = interval

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self.street.desks[key].noted(self.member.key, note)

    def noted(self, key: bytes, note: dict[str, Any]) -> None:
        self.notes.append(note)
        if note["about"] == "picture":
            self.pressing.picture_shown(key, note["call"])
        else:
            self.answering.knocked(key)

    def name_of(self, key: bytes) -> str:
        return self.street.desks[key].member.name

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.create_task(work)

    def publish(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def leave_call(self) -> None:
        self.left_calls += 1

    def busy_changed(self) -> None:
        assert self.answering.busy is not None

    def told(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """What was published of this kind."""
        wanted = {"event": kind} | fields
        return [event for event in self.events if wanted.items() <= event.items()]

    async def tells(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait until that was published."""
        await until(lambda: self.told(kind, **fields))
        return self.told(kind, **fields)[-1]

    async def leg(self, name: str) -> PressEngine:
        """The engine, once media flows in a leg."""
        await until(lambda: self.fake.legs.get(name))
        return self.fake

    async def shows(self, visit: int = 1) -> None:
        """The engine of a screen shows the first picture of a visit."""
        await self.leg(f"visit-{visit}")
        self.answering.picture(FirstPicture(f"visit-{visit}", self.now(), 1280, 720))

    def _send(self, key: bytes, message: bytes) -> bool:
        if not self.street.carries(self.member.key, key):
            return False
        self.street.wire.append((self.member.key, key, message))
        there = self.street.desks[key]
        asyncio.get_running_loop().call_soon(there.link.received, self.member.key, message)
        return True

    def _event(self, event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            caller = bytes.fromhex(str(event.flow.connection))
            self.answering.invited(event, self.street.desks[caller].member)
        elif isinstance(event, sip.SessionEvent):
            _ = self.pressing.handle(event) or self.answering.handle(event)
        elif isinstance(event, sip.ResponseReceived):
            self.responses.append(event)
        elif isinstance(event, sip.RequestReceived) and not self.requests(event):
            self.endpoint.respond(event, 405)


class Street:
    """Who lives there, and which links are up."""

    def __init__(self) -> None:
        self.desks: dict[bytes, FakeDesk] = {}
        self.cut: set[frozenset[bytes]] = set()
        self.wire: list[tuple[bytes, bytes, bytes]] = []  # who said what to whom: from, to, message

    def carries(self, one: bytes, other: bytes) -> bool:
        return frozenset((one, other)) not in self.cut and one in self.desks and other in self.desks

    def lose(self, one: FakeDesk, other: FakeDesk) -> None:
        """Cut the link between these two."""
        self.cut.add(frozenset((one.member.key, other.member.key)))
        for here, there in ((one, other), (other, one)):
            here.pressing.peer_down(there.member.key)
            here.answering.peer_down(there.member.key)
            here.link.lost(there.member.key)

    def restore(self, door: FakeDesk, screen: FakeDesk) -> None:
        """Plug it in again."""
        self.cut.clear()
        door.pressing.peer_up(screen.member.key)


@asynccontextmanager
async def desks(*members: Member, rings_for: float = 45.0) -> AsyncIterator[tuple[FakeDesk, ...]]:
    """Nodes of one home, every link up. Nothing rings any more when the block ends."""
    await asyncio.to_thread(suites)  # reads a file
    street = Street()
    made = tuple(FakeDesk(street, each, rings_for) for each in members)
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for each in made:
            each.tasks = tasks
            street.desks[each.member.key] = each
            await stack.enter_async_context(each.endpoint)
        yield made
        for each in made:
            each.fake.broken = False
            each.fake.slow.set()
            each.fake.there.set()
            each.pressing.hang_up()
            each.answering.hang_up()
        await until(lambda: not any(each.pressing.press or each.answering.visits() for each in made))
