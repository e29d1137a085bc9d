"""SIP over TCP and TLS: the connections of one transport (RFC 3261 §18).

Connections are kept, and used again for whatever goes to the same place. Those of strangers are few, and
fewer of one host; when all places are taken, whoever holds most loses the oldest.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from meshdoor.errors import SipError
from meshdoor.mesh.acceptor import Acceptor
from meshdoor.mesh.announcement import Address as MeshAddress
from meshdoor.mesh.fair import FairTable
from meshdoor.mesh.pins import SecureStream
from meshdoor.mesh.presence import Presence
from meshdoor.mesh.reaching import connect
from meshdoor.ratelimit import KeyedRateLimit, RateLimit
from meshdoor.sip.flow import Flow
from meshdoor.transport.addresses import towards
from meshdoor.transport.base import Address, Sink
from meshdoor.transport.connection import Connection
from meshdoor.transport.tls import pinned_context

MAX_CONNECTIONS: Final = 64
MAX_OF_HOST: Final = 16
CONNECTIONS_OF_HOST: Final = (20.0, 200.0)  # a second and at once
MESSAGES_OF_HOST: Final = (100.0, 500.0)
MESSAGES_OF_ALL: Final = (1000.0, 4000.0)

DIAL_DEADLINE: Final = 4.0  # seconds; a request that is too large for UDP then goes by UDP after all
MAX_DIALS: Final = 32
MAX_WAITING: Final = 64  # messages for a connection that is being made


@dataclass
class Dial:
    """A connection that is being made, and what waits for it."""

    task: asyncio.Task[None] | None = None
    waiting: list[tuple[Flow, bytes]] = field(default_factory=list)


class TcpTransport:
    """Accepts on `sockets`, which are its own from `open` on, and dials. `port` is what Via and Contact show."""

    names = frozenset({"TCP"})

    def __init__(self, sockets: Sequence[socket.socket] = (), port: int = 0) -> None:
        self.port = sockets[0].getsockname()[1] if sockets else port
        self._sockets = sockets
        self._sink: Sink | None = None
        self._present = Presence()
        self._acceptor = Acceptor(self._present, partial(self._make, initiator=False))
        self._numbers = itertools.count(1)
        self._connections: dict[str, Connection] = {}
        self._by_remote: dict[Address, Connection] = {}
        self._dials: dict[Address, Dial] = {}
        self._visitors: FairTable[Connection] = FairTable(MAX_CONNECTIONS)
        self._held: Counter[str] = Counter()
        self._knocks = KeyedRateLimit(*CONNECTIONS_OF_HOST)
        self._per_host = KeyedRateLimit(*MESSAGES_OF_HOST)
        self._from_all = RateLimit(*MESSAGES_OF_ALL)

    def open(self, sink: Sink) -> None:
        self._sink = sink
        self._acceptor.open(self._sockets)

    async def aclose(self) -> None:
        sink, self._sink = self._sink, None
        self._acceptor.close()
        for dial in self._dials.values():
            if dial.task is not None:
                dial.task.cancel()
        self._dials.clear()
        for connection in list(self._connections.values()):
            connection.drop()
        if sink is not None:
            await self._present.emptied()

    def abandon(self) -> None:
        """Give the sockets back instead of opening them."""
        for sock in self._sockets:
            sock.close()

    def flow(self, remote: Address) -> Flow:
        """A flow to a numeric address. OSError if there is no way."""
        (name,) = self.names
        return Flow(name, (towards(remote), self.port), remote)

    def send(self, flow: Flow, data: bytes) -> bool:
        if flow.connection is not None:
            connection = self._connections.get(str(flow.connection))
        else:
            connection = self._by_remote.get(flow.remote)
        if connection is not None and connection.usable:
            connection.flows.add(flow)
            return connection.send(data)
        return flow.connection is None and self._wait(flow, data)

    def made(self, connection: Connection) -> str:
        host = connection.remote[0]
        if self._sink is None or not host:
            return "nobody is there"
        if not connection.initiator:
            if self._held[host] >= MAX_OF_HOST:
                return "too many connections"
            if not self._knocks.allow(host, asyncio.get_running_loop().time()):
                return "too many new connections"
            self._take_in(connection, host)
        self._connections[connection.number] = self._by_remote[connection.remote] = connection
        connection.flows.add(self._flow_of(connection))
        return ""

    def allows(self, connection: Connection) -> bool:
        now = asyncio.get_running_loop().time()
        seldom = self._per_host.allow(connection.remote[0], now) or self.in_use(connection)
        return seldom and self._from_all.allow(now)

    def received(self, connection: Connection, message: bytes) -> None:
        if self._sink is not None:
            self._sink.received(message, self._flow_of(connection))

    def broken(self, connection: Connection, data: bytes, error: SipError) -> None:
        if self._sink is not None:
            self._sink.broken(data, error, self._flow_of(connection))

    def in_use(self, connection: Connection) -> bool:
        return self._sink is not None and self._sink.proven(self._flow_of(connection))

    def gone(self, connection: Connection, why: str) -> None:
        if self._connections.pop(connection.number, None) is not None and not connection.initiator:
            self._held[connection.remote[0]] -= 1
            self._held += Counter()  # without those who hold none
            self._visitors.pop(connection.number)
        if self._by_remote.get(connection.remote) is connection:
            del self._by_remote[connection.remote]
        if self._sink is None:
            return
        if why:
            self._sink.refused(connection.remote[0], why)
        for flow in connection.flows:
            self._sink.failed(flow)

    def closed(self, connection: Connection) -> None:
        self._present.leave(connection)

    def _stream(self, remote: Address | None) -> SecureStream | None:
        """The TLS of a connection to `remote`, or of one that came from somewhere."""
        return None

    def _make(self, initiator: bool, remote: Address | None = None) -> Connection:
        connection = Connection(self, f"c{next(self._numbers)}", self._stream(remote), initiator)
        self._present.enter(connection)
        return connection

    def _take_in(self, connection: Connection, host: str) -> None:
        self._held[host] += 1
        loser = self._visitors.put(connection.number, connection, host)
        if loser is not None:
            self._connections[loser].cut("too many connections")

    def _flow_of(self, connection: Connection) -> Flow:
        (name,) = self.names
        return Flow(name, (connection.local[0], self.port), connection.remote, connection.number)

    def _wait(self, flow: Flow, data: bytes) -> bool:
        """Dial, unless that is under way; the message goes when there is a connection."""
        dial = self._dials.get(flow.remote)
        if self._sink is None or (dial is None and len(self._dials) >= MAX_DIALS):
            return False
        if dial is None:
            dial = self._dials[flow.remote] = Dial()
            dial.task = asyncio.get_running_loop().create_task(self._dial(flow.remote, dial))
            self._present.enter(dial.task)
            dial.task.add_done_callback(self._present.leave)
        if len(dial.waiting) >= MAX_WAITING:
            return False
        dial.waiting.append((flow, data))
        return True

    async def _dial(self, remote: Address, dial: Dial) -> None:
        connection: Connection | None = None
        try:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(DIAL_DEADLINE):
                    made = partial(self._make, initiator=True, remote=remote)
                    connection = await connect(MeshAddress(*remote), made)
                    await connection.opened
        finally:
            self._dials.pop(remote, None)
            if connection is not None and not connection.usable:
                connection.cut("no answer")
        self._dialed(connection, dial)

    def _dialed(self, connection: Connection | None, dial: Dial) -> None:
        for flow, data in dial.waiting:
            if connection is not None and connection.usable:
                connection.flows.add(flow)
                connection.send(data)
        if self._sink is not None and (connection is None or not connection.usable):
            for flow in {flow for flow, _ in dial.waiting}:
                self._sink.failed(flow)


class TlsTransport(TcpTransport):
    """`server` and `client` are the contexts of `transport.tls`."""

    names = frozenset({"TLS"})

    def __init__(
        self, server: ssl.SSLContext, client: ssl.SSLContext, sockets: Sequence[socket.socket] = (), port: int = 0
    ) -> None:
        super().__init__(sockets, port)
        self._server = server
        self._client = client
        self._expected: dict[Address, tuple[str, bytes]] = {}
        self._authorities: dict[Address, ssl.SSLContext] = {}

    def show(self, server: ssl.SSLContext) -> None:
        """Be known by another certificate to those who dial from now on."""
        self._server = server

    def certificate(self, flow: Flow) -> bytes:
        """The certificate (DER) that was verified of whoever is at the other end of a connection; empty if none was."""
        connection = self._connections.get(str(flow.connection))
        return b"" if connection is None else connection.certificate

    def expect(self, remote: Address, name: str, certificate: bytes = b"") -> None:
        """The certificate of whoever is at this address must be of this name, or `certificate` (DER) itself; else of
        the address."""
        known = self._expected.pop(remote, None)
        if known is None and len(self._expected) >= MAX_CONNECTIONS:
            self._expected.pop(next(iter(self._expected)))
        self._expected[remote] = name, certificate

    def trust(self, remote: Address, context: ssl.SSLContext) -> None:
        """The certificate of whoever is at this address is verified by this context."""
        if len(self._authorities) >= MAX_CONNECTIONS:
            self._authorities.pop(next(iter(self._authorities)))
        self._authorities[remote] = context

    def _stream(self, remote: Address | None) -> SecureStream:
        if remote is None:
            return SecureStream(self._server, server_side=True, alpn=None)
        name, certificate = self._expected.get(remote, (remote[0].partition("%")[0], b""))
        if certificate:
            return SecureStream(pinned_context(certificate), server_side=False, name=name, alpn=None)
        context = self._authorities.get(remote, self._client)
        return SecureStream(context, server_side=False, name=name, alpn=None)
