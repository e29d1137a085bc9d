"""Nodes of one home with real links, and phones that are real SIP stacks attached to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from meshdoor.calls.hosts import host_of
from meshdoor.config import Config
from meshdoor.errors import AttachError
from meshdoor.media.reports import LegOpened
from meshdoor.node import media_plan
from meshdoor.node.web import SipFlow
from meshdoor.sdp.attributes import Direction
from meshdoor.sip import events as sip
from meshdoor.sip.core import Config as StackConfig
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.message import Request, parse_message
from meshdoor.sip.stack import Stack
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uri import SipUri
from meshdoor.trust.statement import Body
from tests.fakes.rooms import ICE
from tests.mesh.nodes import turn_until
from tests.node.linked_homes import EVERYBODY, house, linked
from tests.node.test_calls import QUIET, Node
from tests.patience import until
from tests.trust.house import admit_phone, chain, key

WITH_PHONES = [*EVERYBODY, *chain(EVERYBODY[-1], ("Hall", admit_phone("Alice")), ("Hall", admit_phone("Bob")))[1:]]
LEG = LegOpened(40000, 40000, 1, 2, ice=ICE)
LOOKING = media_plan.Wish(Direction.SENDRECV, Direction.RECVONLY)

E = TypeVar("E", bound=sip.Event)


class Phone:
    """A page: its stack, what it was told, and the messages that came."""

    def __init__(self, name: str = "Alice", user: str = "phone", host: str = "") -> None:
        self.name = name
        self.key = key(name)
        self.stack = Stack(StackConfig(user=user))
        here = (host or "x1y2.invalid", 443)
        self.flow = Flow("WSS", here, ("node.invalid", 443), "page")
        self.events: list[sip.Event] = []
        self.requests: list[Request] = []
        self.cuts: list[AttachError] = []
        self.line: SipFlow | None = None

    def attach(self, node: Node) -> Phone:
        self.line = node.calls.attachments.attach(self.key, self.take, self.cuts.append)
        return self

    def leave(self) -> None:
        assert self.line is not None
        line, self.line = self.line, None
        line.closed()

    def take(self, text: str) -> None:
        message = parse_message(text.encode())
        if isinstance(message, Request):
            self.requests.append(message)
        self.stack.receive(text.encode(), self.flow, self.now)
        asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        """Send what is to be sent."""
        while (event := self.stack.next_event()) is not None:
            self.events.append(event)
        for _, data in self.stack.data_to_send():
            if self.line is not None:
                self.line.received(data.decode())

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def one(self, kind: type[E], number: int = 1) -> E:
        """Wait for the so manieth event of a kind."""
        await until(lambda: len(self.all(kind)) >= number)
        return self.all(kind)[number - 1]

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def rung(self, number: int = 1) -> sip.IncomingInvite:
        """It rings, and shows a picture."""
        invite = await self.one(sip.IncomingInvite, number)
        self.act(lambda now: invite.session.provisional(183, self.answer_to(invite), now))
        return invite

    def answer(self, invite: sip.IncomingInvite) -> None:
        self.act(lambda now: invite.session.accept(self.answer_to(invite), now))

    def answer_to(self, invite: sip.IncomingInvite) -> bytes:
        return media_plan.answer(invite.request.body, media_plan.Place("127.0.0.1", LEG, "127.0.0.1"))[0]

    def act(self, act: Callable[[float], Any]) -> None:
        act(self.now)
        self.pump()

    def call(self, host: str, user: str = "meshdoor", headers: tuple[tuple[str, str], ...] = ()) -> UacSession:
        """Call who has this host."""
        target = Target(SipUri("sip", user, None, host), self.flow)
        offer = media_plan.offer_body(media_plan.offer("127.0.0.1", LEG, LOOKING))
        session = self.stack.invite(target, offer, headers, self.now)
        self.pump()
        return session

    def host(self, name: str) -> str:
        return host_of(key(name))


@asynccontextmanager
async def homes(*names: str, **settings: Any) -> AsyncIterator[list[Node]]:
    """Nodes of a home with two phones, linked, whose calls are on."""
    config = Config(**QUIET | settings)
    nodes = [Node(house(name, WITH_PHONES, **QUIET | settings), config) for name in names]
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


def state(said: Body, *nodes: Node) -> None:
    """Hall says something of the roster, and these nodes hear of it."""
    statement = chain(WITH_PHONES[-1], ("Hall", said))[-1]
    for node in nodes:
        node.house.membership.merge([statement.carried])


async def sees(node: Node, name: str, state: str) -> None:
    """Wait until a node knows that a phone is so."""
    await until(lambda: any(peer.key == key(name) and peer.state == state for peer in node.calls.peers()))
