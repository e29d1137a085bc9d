"""SIP over mesh links."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import member_of
from meshdoor.sip.events import Answered, Ended, Failed, FlowLost, IncomingInvite
from meshdoor.sip.flow import Flow
from meshdoor.sip.headers import Reason
from meshdoor.sip.machine import Failure
from meshdoor.transport.links import LinkTransport, link_flow
from tests.mesh.houses import identities
from tests.mesh.nodes import Node, linked
from tests.transport.ends import ANSWER, OFFER, End, Told

DOOR, SCREEN = identities(2)


class Side(End):
    """A node with a link and an endpoint on it."""

    def __init__(self, node: Node) -> None:
        super().__init__(user="node")
        self.key = node.key
        self.transport = LinkTransport(node.key, node.links.send_sip)
        self.endpoint.add(self.transport)
        node.told.sip = self.transport.received  # type: ignore[method-assign]
        node.told.link_down = lambda key, reason: self.transport.lost(key)  # type: ignore[method-assign]


@asynccontextmanager
async def house() -> AsyncIterator[tuple[Side, Side, Node]]:
    async with linked(DOOR, SCREEN) as nodes:
        door, screen = Side(nodes[0]), Side(nodes[1])
        async with door.endpoint, screen.endpoint:
            yield door, screen, nodes[0]


async def test_a_call_over_a_link() -> None:
    async with house() as (door, screen, _):
        session = door.endpoint.invite(door.transport.target(screen.key, "screen"), OFFER)
        invite = await screen.one(IncomingInvite)
        assert member_of(invite.flow) == door.key
        with screen.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        assert (await door.one(Answered)).body == ANSWER
        with door.endpoint.acting() as now:
            session.bye((Reason("SIP", 200),), now)
        assert (await screen.one(Ended)).remote


async def test_a_link_that_goes_down_is_told_to_its_calls() -> None:
    async with house() as (door, screen, node):
        door.endpoint.invite(door.transport.target(screen.key, "screen"), OFFER)
        invite = await screen.one(IncomingInvite)
        with screen.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await door.one(Answered)
        node.links.cut(screen.key, "a test")
        assert (await door.one(FlowLost)).flow == door.transport.flow(screen.key)
        await screen.one(FlowLost)


async def test_without_a_link_a_call_fails_after_invite_has_returned() -> None:
    async with house() as (door, screen, node):
        node.links.cut(screen.key, "a test")
        session = door.endpoint.invite(door.transport.target(screen.key, "screen"), OFFER)
        assert door.events == []
        failed = await door.one(Failed)
        assert (failed.session, failed.failure) == (session, Failure.TRANSPORT)


async def test_what_no_frame_can_carry_fails() -> None:
    async with house() as (door, screen, _):
        door.endpoint.invite(door.transport.target(screen.key, "screen"), b"x" * 65536)
        assert (await door.one(Failed)).failure is Failure.TRANSPORT


def test_a_flow_of_a_link_is_named_by_the_key_of_its_peer() -> None:
    flow = link_flow(DOOR.key, SCREEN.key)
    assert member_of(flow) == SCREEN.key
    assert flow.secure
    assert str(flow.contact("door")) == f"sip:door@{host_of(DOOR.key)}:5061;transport=tls"
    assert member_of(Flow("TLS", ("10.0.0.1", 5061), ("10.0.0.2", 5061), SCREEN.key.hex())) is None


async def test_what_comes_before_it_is_open_or_after_it_is_closed_is_dropped() -> None:
    transport, told = LinkTransport(DOOR.key, lambda key, message: True), Told()
    transport.received(SCREEN.key, b"x")
    transport.open(told)
    transport.received(SCREEN.key, b"y")
    await transport.aclose()
    transport.received(SCREEN.key, b"z")
    transport.lost(SCREEN.key)
    assert (told.messages, told.failures) == ([(b"y", transport.flow(SCREEN.key))], [])
