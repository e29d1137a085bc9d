"""SIP over UDP on loopback sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from meshdoor.errors import ConfigError
from meshdoor.sip.events import Answered, Confirmed, Failed, IncomingInvite
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.uri import parse_uri
from meshdoor.transport import udp
from meshdoor.transport.udp import UdpTransport, bind
from tests.transport.ends import ANSWER, OFFER, End, Told
from tests.transport.strangers import ask, invite
from tests.transport.udp_strangers import Stranger


@asynccontextmanager
async def end(hosts: Sequence[str] = ("127.0.0.1",), **settings: object) -> AsyncIterator[tuple[End, UdpTransport]]:
    made, transport = End(**settings), UdpTransport(bind(0, hosts))
    made.endpoint.add(transport)
    async with made.endpoint:
        yield made, transport


async def status(stranger: Stranger, data: bytes) -> int:
    stranger.send(data)
    return (await stranger.response()).status


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_options_is_answered(host: str) -> None:
    async with end((host,)) as (_, transport):
        with Stranger(transport.port, host) as stranger:
            assert await status(stranger, ask("OPTIONS")) == 200
            assert stranger.got <= stranger.sent


async def test_a_wildcard_socket_answers_from_the_address_that_was_asked() -> None:
    async with end(("",)) as (_, transport):
        with Stranger(transport.port, "127.0.0.3") as stranger:
            assert await status(stranger, ask("OPTIONS")) == 200


async def test_no_response_is_sent_twice_as_large_or_twice_as_often_as_it_was_asked_for() -> None:
    """A policy that lets strangers in: the repetitions of the 200 are many, what they may take is not."""
    async with end() as (made, transport):
        made.on_event = lambda event: answer(made, event)
        with Stranger(transport.port) as stranger:
            stranger.send(invite())
            await made.one(IncomingInvite)
            assert (await stranger.response()).status == 200
            (session,) = made.endpoint.stack.sessions
            for _ in range(12):
                for accepted in session.unacknowledged.values():
                    accepted.timer_again(made.endpoint.now)
                made.endpoint.flush()
            await drain(stranger)
            assert 0 < stranger.got <= stranger.sent


def answer(made: End, event: object) -> None:
    if isinstance(event, IncomingInvite):
        event.session.accept(ANSWER, made.endpoint.now)


async def drain(stranger: Stranger) -> None:
    """All that was already sent: loopback delivers before `send` returns."""
    await asyncio.sleep(0)
    while True:
        try:
            stranger.got += len(stranger.sock.recv(65536))
        except BlockingIOError:
            return


async def test_a_session_that_was_answered_is_not_held_to_that() -> None:
    async with end() as (one, here), end() as (other, there):
        other.on_event = lambda event: answer(other, event)
        other.trusted = True  # the call is short, and so is its INVITE
        target = Target(parse_uri(f"sip:b@127.0.0.1:{there.port}"), here.flow(("127.0.0.1", there.port)))
        session = one.endpoint.invite(target, OFFER)
        await one.one(Answered)
        await other.one(Confirmed)
        other.trusted = False
        flow = Flow("UDP", ("127.0.0.1", there.port), ("127.0.0.1", here.port))
        assert other.endpoint.proven(flow)
        assert not other.endpoint.proven(Flow("UDP", flow.local, ("127.0.0.2", 5060)))
        with one.endpoint.acting() as now:
            session.bye((), now)


JUNK = [b"", b"\r\n\r\n", b"\0\0\0\0", b"x" * 2000, b"\xff" * 65000, b"SIP/2.0 200 OK\r\n\r\n"]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: f"{junk[:4]!r}*{len(junk)}")
async def test_junk_gets_nothing(junk: bytes) -> None:
    async with end() as (_, transport):
        with Stranger(transport.port) as stranger:
            stranger.send(junk)
            assert await status(stranger, ask("OPTIONS")) == 200
            await drain(stranger)
            assert stranger.got <= len(ask("OPTIONS"))


async def test_a_flood_is_cut_to_its_rate_and_others_are_served() -> None:
    told, transport = Told(), UdpTransport(bind(0, ("127.0.0.1",)))
    transport.open(told)
    try:
        with Stranger(transport.port) as stranger:
            for _ in range(40):
                for _ in range(20):
                    stranger.send(b"x" * 20)
                await asyncio.sleep(0)
            await told.until(lambda: told.refusals)
        assert told.refusals[0] == ("127.0.0.1", "too many messages")
        assert len(told.messages) <= 600
    finally:
        await transport.aclose()


async def test_one_turn_of_the_loop_takes_a_bounded_number() -> None:
    told, transport = Told(), UdpTransport(bind(0, ("127.0.0.1",)))
    transport.open(told)
    try:
        with Stranger(transport.port) as stranger:
            for _ in range(udp.AT_ONCE + 10):
                stranger.send(b"x")
            transport._readable(transport._sockets[socket.AF_INET])
            assert len(told.messages) == udp.AT_ONCE
    finally:
        await transport.aclose()


async def test_what_cannot_be_sent_fails() -> None:
    async with end() as (made, transport):
        here = transport.flow(("127.0.0.1", 9)).local
        for host in ("::1", "fe80::1%nowhere"):
            flow = Flow("UDP", here, (host, 9))
            made.endpoint.invite(Target(parse_uri("sip:b@example.com"), flow), OFFER)
            await made.one(Failed)
            assert not transport.send(flow, b"x")
            made.events.clear()


async def test_a_local_address_that_is_gone_is_replaced() -> None:
    async with end() as (_, transport):
        with Stranger(transport.port) as stranger:
            name = stranger.sock.getsockname()
            assert transport.send(Flow("UDP", ("192.0.2.77", 1), name), b"OPTIONS x")
            assert await stranger.receive() == b"OPTIONS x"


async def test_messages_to_a_group_are_dropped() -> None:
    assert udp._destination([]) is None
    group = socket.inet_aton("224.0.1.75")
    local = socket.inet_aton("127.0.0.1")
    assert udp._destination([(socket.IPPROTO_IP, udp.IP_PKTINFO, udp._INFO4.pack(1, local, group))]) is None
    six = socket.inet_pton(socket.AF_INET6, "ff02::1")
    assert udp._destination([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, udp._INFO6.pack(six, 1))]) is None
    own = socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert udp._destination([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, udp._INFO6.pack(own, 1))]) == "fe80::1%lo"


def test_a_port_that_is_taken_is_named() -> None:
    taken = bind(0, ("127.0.0.1",))
    try:
        with pytest.raises(ConfigError, match="cannot use UDP port"):
            bind(taken[0].getsockname()[1], ("::1", "127.0.0.1"))
    finally:
        taken[0].close()


def test_both_families_get_one_port() -> None:
    four, six = bind(0, ("127.0.0.1", "::1"))
    try:
        assert four.getsockname()[1] == six.getsockname()[1]
    finally:
        four.close()
        six.close()
