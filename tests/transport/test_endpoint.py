"""The endpoint: what its user sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from meshdoor.errors import SipError
from meshdoor.sip.core import Config
from meshdoor.sip.events import Event, Failed, IncomingInvite, RequestReceived
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.machine import Failure
from meshdoor.sip.uri import parse_uri
from meshdoor.transport.base import Sink
from meshdoor.transport.endpoint import SipEndpoint, nobody
from tests.transport.ends import OFFER, End
from tests.transport.strangers import ask, invite

HERE, THERE = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
TARGET = Target(parse_uri("sip:b@10.0.0.2"), Flow("PIPE", HERE, THERE))


class Pipe:
    """A transport that carries everything from one endpoint to another, in the next turn of the loop."""

    names = frozenset({"PIPE"})

    def __init__(self) -> None:
        self.other: Pipe | None = None
        self.sent: list[bytes] = []
        self.sink: Sink | None = None

    def open(self, sink: Sink) -> None:
        self.sink = sink

    def send(self, flow: Flow, data: bytes) -> bool:
        self.sent.append(data)
        if self.other is None or self.other.sink is None:
            return False
        back = Flow("PIPE", flow.remote, flow.local)
        asyncio.get_running_loop().call_soon(self.other.sink.received, data, back)
        return True

    async def aclose(self) -> None:
        self.sink = None


Ends = tuple[End, End]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    one, other = End(), End()
    here, there = Pipe(), Pipe()
    here.other, there.other = there, here
    one.endpoint.add(here)
    other.endpoint.add(there)
    async with one.endpoint, other.endpoint:
        yield one, other


async def test_a_question_is_answered(ends: Ends) -> None:
    one, other = ends
    other.on_event = lambda event: serve(other, event)
    answer = await one.endpoint.ask(TARGET, "MESSAGE", (("Content-Type", "text/plain"),), b"open")
    assert (answer.response.status, answer.failure) == (202, None)
    assert one.events == []


def serve(end: End, event: Event) -> None:
    if isinstance(event, RequestReceived):
        end.endpoint.respond(event, 202)


async def test_a_question_that_nobody_waits_for_any_more(ends: Ends) -> None:
    one, other = ends
    asking = asyncio.ensure_future(one.endpoint.ask(TARGET, "MESSAGE"))
    event = await other.one(RequestReceived)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    other.endpoint.respond(event, 200)
    assert one.endpoint.stack.sessions == frozenset()


async def test_an_error_of_the_user_is_logged_and_ends_nothing(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = ends

    def fail(event: Event) -> None:
        raise RuntimeError("a slip")

    other.on_event = fail
    for _ in range(3):
        one.endpoint.invite(TARGET, OFFER)
        await other.one(IncomingInvite)
        other.events.clear()
    assert [record.getMessage() for record in caplog.records] == ["IncomingInvite could not be handled"]
    assert len(other.endpoint.stack.sessions) == 3


async def test_an_error_of_ours_is_logged_and_ends_nothing(
    ends: Ends, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ends
    with monkeypatch.context() as patch:
        patch.setattr(other.endpoint.stack, "receive", lambda *args: 1 / 0)
        other.endpoint.received(ask("OPTIONS"), TARGET.flow)
    assert "could not be handled" in caplog.text
    assert (await one.endpoint.ask(TARGET, "OPTIONS")).response.status == 200


async def test_verbs_may_be_used_in_events_and_events_come_one_after_the_other(ends: Ends) -> None:
    one, other = ends
    depth, deepest = 0, 0

    def answer(event: Event) -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if isinstance(event, IncomingInvite):
            event.session.provisional(180, b"", other.endpoint.now)
            other.endpoint.flush()
            other.endpoint.invite(TARGET, OFFER)
            event.session.reject(486, other.endpoint.now)
        depth -= 1

    other.on_event = answer
    other.endpoint.received(invite(), Flow("NOWHERE", HERE, THERE))
    await one.one(IncomingInvite)
    assert deepest == 1


async def test_what_has_no_transport_fails(ends: Ends) -> None:
    one, _ = ends
    one.endpoint.invite(Target(TARGET.uri, Flow("PIGEON", HERE, THERE)), OFFER)
    assert (await one.one(Failed)).failure is Failure.TRANSPORT


async def test_timers_run(ends: Ends) -> None:
    one, other = ends
    one.endpoint.invite(TARGET, OFFER)
    (await other.one(IncomingInvite)).session.arm("EXPIRES", other.endpoint.now + 0.01)
    other.endpoint.flush()
    assert (await other.one(Failed)).failure is Failure.TIMEOUT


async def test_leaving_hangs_up() -> None:
    one, other = End(), End()
    here, there = Pipe(), Pipe()
    here.other, there.other = there, here
    one.endpoint.add(here)
    async with other.endpoint:
        other.endpoint.add(there)
        async with one.endpoint:
            one.endpoint.invite(TARGET, OFFER)
            await other.one(IncomingInvite)
            with other.endpoint.acting() as now:
                other.all(IncomingInvite)[0].session.provisional(180, b"", now)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert here.sent[-1].startswith(b"CANCEL")
        assert here.sink is None


async def test_a_broken_stream_is_answered(ends: Ends) -> None:
    one, _ = ends
    pipe = one.endpoint._transports["PIPE"]
    assert isinstance(pipe, Pipe)
    one.endpoint.broken(ask("OPTIONS"), SipError("too large", 513), TARGET.flow)
    assert pipe.sent[-1].startswith(b"SIP/2.0 513")


async def test_nobody_is_trusted_by_default() -> None:
    endpoint = SipEndpoint(Config(), lambda event: None)
    assert not endpoint.proven(TARGET.flow)
    assert not nobody(TARGET.flow)
