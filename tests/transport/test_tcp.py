"""SIP over TCP on loopback sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

from meshdoor.mesh.acceptor import listen
from meshdoor.sip.events import Answered, Ended, Failed, FlowLost, IncomingInvite
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.machine import Failure
from meshdoor.sip.uri import parse_uri
from meshdoor.transport import connection as connections
from meshdoor.transport import tcp
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
from tests.transport.callers import HOST, Caller, tcp_end
from tests.transport.ends import ANSWER, OFFER, End, Told
from tests.transport.strangers import ask


def target(here: TcpTransport, port: int) -> Target:
    return Target(parse_uri(f"sip:b@{HOST}:{port};transport=tcp"), here.flow((HOST, port)))


async def test_options_is_answered_on_the_connection_it_came_on() -> None:
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        assert await caller.is_served()
        assert await caller.is_served()


async def test_messages_may_come_in_pieces_and_together() -> None:
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        message = ask("OPTIONS")
        caller.send(message[:50])
        await caller.writer.drain()
        assert await caller.status(message[50:] + ask("OPTIONS") + ask("OPTIONS")) == 200
        assert (await caller.response()).status == 200
        assert (await caller.response()).status == 200


async def test_a_ping_is_answered() -> None:
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        caller.send(b"\r\n\r\n")
        assert await caller.reader.readexactly(2) == b"\r\n"
        assert await caller.is_served()


async def test_a_call_runs_over_one_connection() -> None:
    async with tcp_end() as (one, here), tcp_end() as (other, there):
        session = one.endpoint.invite(target(here, there.port), OFFER)
        invite = await other.one(IncomingInvite)
        with other.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await one.one(Answered)
        with one.endpoint.acting() as now:
            session.bye((), now)
        await other.one(Ended)
        assert len(here._connections) == len(there._connections) == 1


async def test_no_message_waits_for_the_acknowledgement_of_another() -> None:
    async with tcp_end() as (one, here), tcp_end() as (other, there):
        one.endpoint.invite(target(here, there.port), OFFER)
        await other.one(IncomingInvite)
        for transport in (here, there):
            (connection,) = transport._connections.values()
            assert connection._transport is not None
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_that_breaks_is_told_to_its_calls() -> None:
    async with tcp_end() as (one, here), tcp_end() as (other, there):
        one.endpoint.invite(target(here, there.port), OFFER)
        invite = await other.one(IncomingInvite)
        with other.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await one.one(Answered)
        for broken in list(there._connections.values()):
            broken.cut("a test")
        assert (await one.one(FlowLost)).flow.remote == (HOST, there.port)
        await other.one(FlowLost)


async def test_nobody_listens() -> None:
    (free,) = listen(0, (HOST,))
    port = free.getsockname()[1]
    free.close()
    async with tcp_end() as (one, here):
        one.endpoint.invite(target(here, port), OFFER)
        assert (await one.one(Failed)).failure is Failure.TRANSPORT
        assert not here._dials


async def test_a_request_too_large_for_udp_goes_over_tcp_and_back_if_nobody_listens() -> None:
    """RFC 3261 §18.1.1."""
    async with AsyncExitStack() as stack:
        ends = [End(), End()]
        transports = [UdpTransport(bind(0, (HOST,))) for _ in ends]
        for end, transport in zip(ends, transports, strict=True):
            end.endpoint.add(transport)
            await stack.enter_async_context(end.endpoint)
        one, other = ends
        one.endpoint.add(TcpTransport())
        remote = (HOST, transports[1].port)
        there = Target(parse_uri(f"sip:b@{HOST}:{remote[1]}"), transports[0].flow(remote))
        one.endpoint.invite(there, OFFER + b"a=x\r\n" * 400)
        assert (await other.one(IncomingInvite)).flow.transport == "UDP"
        listening = TcpTransport([socket.create_server(remote)])
        other.endpoint.add(listening)
        other.events.clear()
        one.endpoint.invite(there, OFFER + b"a=x\r\n" * 400)
        assert (await other.one(IncomingInvite)).flow.transport == "TCP"
        for end in ends:
            for session in end.endpoint.stack.sessions:
                session.abandon(end.endpoint.now)


async def test_a_stream_that_lost_its_framing_is_answered_and_closed() -> None:
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        caller.send(ask("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: x") + b"y" * 5000)
        answer = await caller.response()
        assert (answer.status, answer.to.tag is None, answer.via.received) == (400, False, HOST)
        assert await caller.ended()


@pytest.mark.parametrize("sent", [b"", b"OPTIONS sip:a@b SIP/2.0\r\nVia: "])
async def test_who_does_not_come_to_the_end_of_a_message_is_cut_off(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MESSAGE_DEADLINE", 0.05)
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        caller.send(sent)
        assert await caller.ended()


async def test_dripping_bytes_does_not_put_the_deadline_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MESSAGE_DEADLINE", 0.1)
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        for octet in b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"x" * 10**6:
            if caller.writer.is_closing():
                break
            caller.send(bytes([octet]))
            await asyncio.sleep(0)
        else:
            pytest.fail("nobody minds")


async def test_idle_connections_are_closed_unless_a_call_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE", 0.05)
    async with tcp_end() as (one, here), tcp_end() as (other, there), Caller(there.port) as idle:
        port = idle.writer.get_extra_info("sockname")[1]
        for end in (one, other):
            monkeypatch.setattr(end.endpoint, "proven", lambda flow: flow.remote[1] != port)
        one.endpoint.invite(target(here, there.port), OFFER)
        invite = await other.one(IncomingInvite)
        with other.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await one.one(Answered)
        assert await idle.is_served()
        assert await idle.ended()
        assert len(there._connections) == 1


async def test_who_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_BACKLOG", 1000)
    async with tcp_end() as (_, transport), Caller(transport.port) as caller:
        assert await caller.is_served()
        caller.stop_reading()
        (connection,) = transport._connections.values()
        while connection.usable:
            connection.send(b"x" * 10**6)
        assert not transport._connections
        assert not transport.send(transport._flow_of(connection), b"x")


async def test_one_host_holds_a_bounded_number_of_connections() -> None:
    async with tcp_end() as (_, transport), AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(transport.port)) for _ in range(tcp.MAX_OF_HOST)]
        for caller in callers:
            assert await caller.is_served()
        async with Caller(transport.port) as one_more:
            assert await one_more.ended()
        assert await callers[0].is_served()
        assert transport._held == {HOST: tcp.MAX_OF_HOST}
        callers[0].writer.close()
        await callers[0].ended()
    assert not transport._held


async def test_when_all_places_are_taken_the_greediest_loses_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 2)
    async with tcp_end() as (_, transport), Caller(transport.port) as first, Caller(transport.port) as second:
        assert await first.is_served()
        assert await second.is_served()
        async with Caller(transport.port) as third:
            assert await third.is_served()
            assert await first.ended()
            assert await second.is_served()


async def test_connecting_too_often_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "CONNECTIONS_OF_HOST", (0.0, 1.0))
    async with tcp_end() as (_, transport), Caller(transport.port) as first:
        assert await first.is_served()
        async with Caller(transport.port) as second:
            assert await second.ended()


async def test_a_flood_of_messages_ends_its_connection_and_no_other() -> None:
    told, transport = Told(), TcpTransport(listen(0, (HOST,)))
    transport.open(told)
    async with Caller(transport.port) as caller:
        caller.send(ask("OPTIONS") * 700)
        await told.until(lambda: told.refusals)
    assert told.refusals == [(HOST, "too many messages")]
    assert 500 <= len(told.messages) <= 700
    await transport.aclose()


async def test_a_flood_takes_many_turns_of_the_loop() -> None:
    told, transport = Told(), TcpTransport(listen(0, (HOST,)))
    transport.open(told)
    async with Caller(transport.port) as caller:
        caller.send(b"\r\n\r\n")
        await caller.reader.readexactly(2)
        (connection,) = transport._connections.values()
        connection.data_received(ask("OPTIONS") * 100)
        assert len(told.messages) == connections.AT_ONCE
        await told.until(lambda: len(told.messages) == 100)
    await transport.aclose()


async def test_dials_and_what_waits_for_them_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_DIALS", 1)
    told, transport = Told(), TcpTransport()
    flow = Flow("TCP", (HOST, 1), (HOST, 9))
    assert not transport.send(flow, b"x")
    transport.open(told)
    assert all(transport.send(flow, b"x") for _ in range(tcp.MAX_WAITING))
    assert not transport.send(flow, b"x")
    assert not transport.send(Flow("TCP", (HOST, 1), (HOST, 10)), b"x")
    await told.until(lambda: told.failures)
    assert told.failures == [flow]
    await transport.aclose()


async def test_closing_ends_a_dial_that_is_under_way() -> None:
    told, transport = Told(), TcpTransport()
    transport.open(told)
    transport.send(Flow("TCP", (HOST, 1), (HOST, 9)), b"x")
    await transport.aclose()
    assert not transport._dials


async def test_what_is_sent_last_still_arrives() -> None:
    async with tcp_end() as (one, here), tcp_end() as (other, there):
        one.endpoint.invite(target(here, there.port), OFFER)
        invite = await other.one(IncomingInvite)
        with other.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await one.one(Answered)
        await one.endpoint.__aexit__(None, None, None)
        assert (await other.one(Ended)).remote
