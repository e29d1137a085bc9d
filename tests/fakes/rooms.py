"""Rooms whose calls are real SIP, over links that are a call of a function, with media engines that only take notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from meshdoor.calls import plan
from meshdoor.calls.clients import Client
from meshdoor.config import IceServer
from meshdoor.errors import EngineError
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import Gates, IceDescription
from meshdoor.media.reports import LegOpened, LegStatistics
from meshdoor.media.suites import suites
from meshdoor.mesh.peer import Peer, State
from meshdoor.node.calling import Findable
from meshdoor.node.talking import Settings, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config
from meshdoor.sip.flow import Target
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster
from tests.calls.people import peer
from tests.mesh.nodes import turn_until as until

# What a leg to a browser says of itself.
CANDIDATE = "1 1 udp 2130706431 127.0.0.1 4000 typ host"
ICE = IceDescription("ours", "p" * 22, "sha-256 " + ":".join(["AB"] * 32), (CANDIDATE,))


class FakeEngine:
    """Takes notes of what its legs are told. While it is `broken` it does nothing; `slow` holds its answers back, and
    until it is `there` it can be asked nothing."""

    def __init__(self) -> None:
        self.broken = False
        self.slow = asyncio.Event()
        self.slow.set()
        self.there = asyncio.Event()
        self.there.set()
        self.legs: dict[str, list[StartLeg | Gates]] = {}
        self.closed: list[str] = []
        self.digits: list[tuple[str, str]] = []
        self._port = 40000

    @property
    def is_ready(self) -> bool:
        return self.there.is_set()

    async def wait_ready(self) -> None:
        await self.slow.wait()
        await self.there.wait()

    async def open_leg(self, leg: str, local: str) -> LegOpened:
        self._check()
        self.legs[leg] = []
        self._port += 4
        return LegOpened(self._port, self._port + 2, 1, 2)

    async def open_webrtc(self, leg: str, addresses: Sequence[str], servers: Sequence[IceServer] = ()) -> LegOpened:
        opened = await self.open_leg(leg, addresses[0])
        return replace(opened, video_port=opened.audio_port, ice=ICE)

    async def start_leg(self, start: StartLeg) -> None:
        self._check()
        self.legs[start.leg].append(start)

    async def gate(self, leg: str, gates: Gates) -> None:
        self._check()
        self.legs[leg].append(gates)

    async def dtmf(self, leg: str, digits: str) -> None:
        self._check()
        self.digits.append((leg, digits))

    async def close_leg(self, leg: str) -> LegStatistics:
        self._check()
        del self.legs[leg]
        self.closed.append(leg)
        return LegStatistics(leg)

    def _check(self) -> None:
        if self.broken:
            raise EngineError("the media engine is broken")


@dataclass
class House:
    """Who belongs to the home, and which links are up."""

    members: dict[bytes, Member] = field(default_factory=dict)
    rooms: dict[bytes, FakeRooms] = field(default_factory=dict)
    cut: set[frozenset[bytes]] = field(default_factory=set)

    def carries(self, one: bytes, other: bytes) -> bool:
        return frozenset((one, other)) not in self.cut and one in self.rooms and other in self.rooms

    def lose(self, one: FakeRooms, other: FakeRooms) -> None:
        """Cut the link between these two."""
        self.cut.add(frozenset((one.member.key, other.member.key)))
        for here, there in ((one, other), (other, one)):
            here.link.lost(there.member.key)
            here.talking.peer_down(there.member.key)

    def restore(self) -> None:
        """Plug every cable."""
        self.cut.clear()


class FakeRooms:
    """One node: as much of a CallService as `Talking` needs."""

    def __init__(self, house: House, member: Member, settings: Settings) -> None:
        self.house = house
        self.member = member
        self.fake = FakeEngine()
        self.events: list[dict[str, Any]] = []
        self.engaged: list[bool] = []
        self.hurried: dict[bytes, float | None] = {}
        self.strays: list[sip.Event] = []  # of sessions that `talking` does not know
        self.visitor = False
        self.settings = settings
        self.tasks: asyncio.TaskGroup
        self.link = LinkTransport(member.key, self._send)
        self.endpoint = SipEndpoint(Config(), self._event)
        self.endpoint.add(self.link)
        self.talking = Talking(self, settings, self.engaged.append)

    @property
    def engine(self) -> Engine:
        return cast(Engine, self.fake)

    @property
    def roster(self) -> Roster:
        return Roster(members=self.house.members)

    @property
    def itself(self) -> Member | None:
        return self.roster.member(self.member.key)

    def peers(self) -> list[Peer]:
        return [
            peer(other, State.READY if self.house.carries(self.member.key, key) else State.UNREACHABLE)
            for key, other in self.house.members.items()
            if key != self.member.key
        ]

    def visitor_talks(self) -> bool:
        return self.visitor

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def target(self, key: bytes) -> Target | None:
        return self.link.target(key, "meshdoor") if self.house.carries(self.member.key, key) else None

    def address(self, key: bytes) -> str:
        return "127.0.0.1"

    def client(self, key: bytes) -> Client | None:
        return None

    def is_browser(self, key: bytes) -> bool:
        """Phones speak WebRTC, and nothing else."""
        return Role.PHONE in (self.member.role, self.house.members[key].role)

    def findable(self) -> Findable:
        return Findable()

    def hurry(self, key: bytes, interval: float | None) -> None:
        self.hurried[key] = interval

    def note(self, key: bytes, note: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def name_of(self, key: bytes) -> str:
        return self.house.members[key].name

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.create_task(work)

    def publish(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def leave_call(self) -> None:
        self.talking.leave()

    def busy_changed(self) -> None:
        assert self.talking.busy is not None

    def told(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """What was published of this kind."""
        wanted = {"event": kind} | fields
        return [event for event in self.events if wanted.items() <= event.items()]

    async def tells(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait until that was published."""
        await until(lambda: self.told(kind, **fields))
        return self.told(kind, **fields)[-1]

    async def leg(self, number: int = 1, commands: int = 1) -> list[StartLeg | Gates]:
        """What the engine was told of a call, once it was so many things."""
        name = f"call-{number}"
        await until(lambda: len(self.fake.legs.get(name, [])) >= commands)
        return self.fake.legs[name]

    def _send(self, key: bytes, message: bytes) -> bool:
        if not self.house.carries(self.member.key, key):
            return False
        there = self.house.rooms[key]
        asyncio.get_running_loop().call_soon(there.link.received, self.member.key, message)
        return True

    def _event(self, event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            caller = self.house.members[bytes.fromhex(str(event.flow.connection))]
            page = event.request.headers.get("Meshdoor-Call") == "page"
            busy = self.talking.engaged
            reception = plan.receive(self.member, caller, self.settings.policy, page=page, busy=busy)
            if reception.answer is plan.Answer.REFUSE:
                event.session.reject(reception.status, self.now())
            else:
                self.talking.invited(event, caller, reception)
        elif isinstance(event, sip.SessionEvent) and not self.talking.handle(event):
            self.strays.append(event)


@asynccontextmanager
async def rooms(*members: Member, settings: Settings | None = None) -> AsyncIterator[tuple[FakeRooms, ...]]:
    """Nodes of one home that can call each other."""
    await asyncio.to_thread(suites)  # reads a file
    house = House({member.key: member for member in members})
    made = tuple(FakeRooms(house, member, settings or Settings()) for member in members)
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for each in made:
            each.tasks = tasks
            house.rooms[each.member.key] = each
            await stack.enter_async_context(each.endpoint)
        yield made
        for each in made:
            each.fake.broken = False
            each.fake.slow.set()
            each.talking.leave()
        await until(lambda: not any(each.talking.active for each in made))
