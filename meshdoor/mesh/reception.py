"""Who knocks at the mesh port: counted, limited, and told apart by the first byte."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Sequence
from functools import partial

from meshdoor.mesh.acceptor import Acceptor
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.connection import reset
from meshdoor.mesh.fair import FairTable
from meshdoor.mesh.presence import Presence
from meshdoor.ratelimit import KeyedRateLimit, RateLimit

TLS_HANDSHAKE = 0x16  # first byte of a TLS connection, RFC 8446 §5.1
MAX_HALF_OPEN = 16
MAX_PAIRINGS = 4
FIRST_BYTE_DEADLINE = 3.0  # seconds
PAIRING_DEADLINE = 30.0  # seconds
PER_HOST = (10.0, 64.0)  # connections a second and at once, from one address
FROM_ALL = (100.0, 400.0)
MAX_PAIRING_BUFFER = 2**16  # bytes read ahead

Receiver = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Address], None]


class Places:
    """A bounded number of connections; when they are all taken, whoever holds most gives up his oldest."""

    def __init__(self, limit: int, evicted: Callable[[Address], None]) -> None:
        self._table: FairTable[asyncio.Transport] = FairTable(limit)
        self._taken: dict[str, tuple[asyncio.Transport, Address]] = {}
        self._numbers = itertools.count()
        self._evicted = evicted

    def __len__(self) -> int:
        return len(self._table)

    def take(self, transport: asyncio.Transport, address: Address) -> str:
        """A ticket to `leave` with."""
        ticket = str(next(self._numbers))
        self._taken[ticket] = (transport, address)
        loser = self._table.put(ticket, transport, address.host)
        if loser is not None:
            evicted, where = self._taken.pop(loser)
            reset(evicted)
            self._evicted(where)
        return ticket

    def leave(self, ticket: str) -> None:
        """Give the place back; more than once does no harm."""
        self._table.pop(ticket)
        self._taken.pop(ticket, None)

    def clear(self) -> None:
        """Turn everybody out."""
        for transport, _ in list(self._taken.values()):
            reset(transport)


class Reception:
    """Accepts on the listening sockets. `link` makes a protocol for a TLS connection, or None to refuse it."""

    def __init__(
        self,
        present: Presence,
        link: Callable[[Address, Callable[[], None]], asyncio.Protocol | None],
        pairing: Receiver,
        refused: Callable[[Address, str], None],
    ) -> None:
        self.present = present
        self.link = link
        self.pairing = pairing
        self.refused = refused
        self.half_open = Places(MAX_HALF_OPEN, lambda address: refused(address, "too many half-open connections"))
        self.pairings = Places(MAX_PAIRINGS, lambda address: refused(address, "too many pairings at once"))
        self._per_host = KeyedRateLimit(*PER_HOST)
        self._from_all = RateLimit(*FROM_ALL)
        self._acceptor = Acceptor(present, lambda: Visitor(self))
        self._closed = False
        self.port = 0

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Start to accept. The sockets are ours from now on."""
        self.port = sockets[0].getsockname()[1] if sockets else 0
        self._acceptor.open(sockets)

    def close(self) -> None:
        """Stop to accept, and turn out all that are not links yet."""
        self._closed = True
        self._acceptor.close()
        self.half_open.clear()
        self.pairings.clear()

    def admits(self, address: Address, now: float) -> bool:
        """Has this address, and have all of them, knocked rarely enough?"""
        return not self._closed and self._per_host.allow(address.host, now) and self._from_all.allow(now)


class Visitor(asyncio.Protocol):
    """A connection that has not shown its first byte."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._ticket = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._reception.present.enter(transport)
        self._address = peer_address(transport)
        if self._reception.admits(self._address, self._loop.time()):
            self._ticket = self._reception.half_open.take(transport, self._address)
            self._timer = self._loop.call_later(FIRST_BYTE_DEADLINE, self._refuse, "it says nothing")
        else:
            self._refuse("too many connections")

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._cancel()
        if data[0] == TLS_HANDSHAKE:
            self._link(data)
        else:
            self._pair(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._cancel()
        self._reception.half_open.leave(self._ticket)
        self._reception.present.leave(self._transport)

    def _link(self, data: bytes) -> None:
        """From here on it is a link's; it leaves its place when it is up or over."""
        link = self._reception.link(self._address, partial(self._reception.half_open.leave, self._ticket))
        if link is None:
            self._refuse("this node is in no home")
            return
        self._reception.present.leave(self._transport)
        self._transport.set_protocol(link)
        link.connection_made(self._transport)
        link.data_received(data)

    def _pair(self, data: bytes) -> None:
        """From here on it is a pair of streams, for a while."""
        self._reception.half_open.leave(self._ticket)
        protocol = PairingStreams(self._reception, self._transport, self._address)
        protocol.reader.feed_data(data)
        writer = asyncio.StreamWriter(self._transport, protocol, protocol.reader, self._loop)
        self._reception.pairing(protocol.reader, writer, self._address)

    def _refuse(self, why: str) -> None:
        self._reception.refused(self._address, why)
        reset(self._transport)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class PairingStreams(asyncio.StreamReaderProtocol):
    """The streams of a pairing, cut off at their deadline."""

    def __init__(self, reception: Reception, transport: asyncio.Transport, address: Address) -> None:
        loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=MAX_PAIRING_BUFFER, loop=loop)
        super().__init__(self.reader, loop=loop)
        self._reception = reception
        self._knocking = transport
        self._ticket = reception.pairings.take(transport, address)
        self._timer = loop.call_later(PAIRING_DEADLINE, reset, transport)
        transport.set_protocol(self)
        self.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._reception.pairings.leave(self._ticket)
        self._reception.present.leave(self._knocking)
        super().connection_lost(exc)


def peer_address(transport: asyncio.Transport) -> Address:
    """Where a connection comes from; an IPv6 link-local host with its scope."""
    name = transport.get_extra_info("peername")
    if not name:
        return Address("", 0)
    host, port, *rest = name
    if len(rest) == 2 and rest[1] and "%" not in host:
        host = f"{host}%{socket.if_indextoname(rest[1])}"
    return Address(host, port)

