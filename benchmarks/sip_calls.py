"""SIP: what a message costs to parse, INVITE to 183 through two real endpoints on loopback, memory of a branch."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks.harness import Table, median, number, percentile, resident
from benchmarks.sip_messages import INVITE, SDP, measure
from meshdoor.mesh.acceptor import listen
from meshdoor.sip.core import Config
from meshdoor.sip.events import EarlyMedia, Event, IncomingInvite
from meshdoor.sip.flow import Target
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uri import parse_uri
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.links import LinkTransport
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
from tests.mesh.houses import identities
from tests.mesh.nodes import linked

HOST = "127.0.0.1"
CALLS = 300
BRANCHES = 500

Way = Callable[[SipEndpoint, SipEndpoint], AbstractAsyncContextManager[Target]]


class Caller:
    """Knows when the session description of a 183 has come."""

    def __init__(self) -> None:
        self.endpoint = SipEndpoint(Config(session_interval=0), self._happened, lambda flow: True)
        self._early: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def _happened(self, event: Event) -> None:
        if isinstance(event, EarlyMedia):
            self._early.set_result(time.perf_counter())

    async def call(self, target: Target) -> float:
        """Seconds from the INVITE to its 183; then it is cancelled."""
        began = time.perf_counter()
        session = await self.ring(target)
        ended = self._early.result()
        with self.endpoint.acting() as now:
            session.cancel((), now)
        return ended - began

    async def ring(self, target: Target) -> UacSession:
        """A branch that has its 183."""
        self._early = asyncio.get_running_loop().create_future()
        session = self.endpoint.invite(target, SDP)
        await self._early
        return session


class Callee:
    """Answers 183 at once."""

    def __init__(self) -> None:
        self.endpoint = SipEndpoint(Config(session_interval=0), self._happened, lambda flow: True)

    def _happened(self, event: Event) -> None:
        if isinstance(event, IncomingInvite):
            event.session.provisional(183, SDP, self.endpoint.now)


@asynccontextmanager
async def udp(caller: SipEndpoint, callee: SipEndpoint) -> AsyncIterator[Target]:
    here, there = UdpTransport(bind(0, (HOST,))), UdpTransport(bind(0, (HOST,)))
    caller.add(here)
    callee.add(there)
    yield Target(parse_uri(f"sip:screen@{HOST}:{there.port}"), here.flow((HOST, there.port)))


@asynccontextmanager
async def tcp(caller: SipEndpoint, callee: SipEndpoint) -> AsyncIterator[Target]:
    here, there = TcpTransport(), TcpTransport(listen(0, (HOST,)))
    caller.add(here)
    callee.add(there)
    yield Target(parse_uri(f"sip:screen@{HOST}:{there.port};transport=tcp"), here.flow((HOST, there.port)))


@asynccontextmanager
async def link(caller: SipEndpoint, callee: SipEndpoint) -> AsyncIterator[Target]:
    async with linked(*identities(2)) as (one, other):
        here, there = LinkTransport(one.key, one.links.send_sip), LinkTransport(other.key, other.links.send_sip)
        caller.add(here)
        callee.add(there)
        one.told.sip = here.received  # type: ignore[method-assign]
        other.told.sip = there.received  # type: ignore[method-assign]
        yield here.target(other.key, "screen")


async def calls(way: Way) -> list[float]:
    """Seconds of each call; the first few, which warm up, are left out."""
    gc.collect()  # what the bench before this one left is not collected at the cost of these calls
    caller, callee = Caller(), Callee()
    async with caller.endpoint, callee.endpoint, way(caller.endpoint, callee.endpoint) as target:
        return [await caller.call(target) for _ in range(CALLS)][20:]


async def memory() -> float:
    """Bytes that a branch holds at both ends while it rings with early media."""
    caller, callee = Caller(), Callee()
    async with caller.endpoint, callee.endpoint, udp(caller.endpoint, callee.endpoint) as target:
        for _ in range(20):
            await caller.ring(target)
        gc.collect()
        before = resident()
        kept = [await caller.ring(target) for _ in range(BRANCHES)]
        gc.collect()
        return (resident() - before) / len(kept)


def bench() -> Iterator[Table]:
    rows = tuple((step, number(cost)) for step, cost in measure().items())
    yield Table(f"An INVITE of {len(INVITE)} bytes", ("step", "µs"), rows)
    ways: dict[str, Way] = {"UDP": udp, "TCP": tcp, "mesh link (TLS 1.3)": link}
    timed = {name: [1e3 * each for each in asyncio.run(calls(way))] for name, way in ways.items()}
    yield Table(
        f"INVITE to 183 with its session description, {CALLS} calls, both ends in this process",
        ("over", "median ms", "99 % ms", "worst ms"),
        tuple(
            (name, number(median(times)), number(percentile(times, 0.99)), number(max(times)))
            for name, times in timed.items()
        ),
        ("the garbage collector is on: a full collection in the middle of a call is what the worst one shows",),
    )
    yield Table(
        f"Memory of a branch that rings, in signalling, with {BRANCHES} of them",
        ("", "KB"),
        (("both ends in one process", number(asyncio.run(memory()) / 1e3)),),
        ("transaction, dialog and messages, twice; what its media takes is in `media`",),
    )
