"""The connections of the web server: how many there may be, and of whom.

A connection counts until a phone has attached on it: then it is the phone's, and no flood of others displaces it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from meshdoor.mesh.acceptor import Entrance
from meshdoor.mesh.presence import Presence
from meshdoor.ratelimit import KeyedRateLimit

# A browser makes about 18 connections to load the page where it does not know the certificate, and several phones may
# have one address: behind a proxy, or an access point of its own network.
MAX_CONNECTIONS: Final = 128  # of those whom nobody knows yet
MAX_OF_ONE: Final = 64  # of them from one address
RATE: Final = (10.0, 150.0)  # new connections a second and at once, of one address
HANDSHAKE: Final = 5.0  # seconds for TLS
SHUTDOWN: Final = 1.0  # seconds for its end

Make = Callable[[], asyncio.Protocol]


class Listener:
    """Gives each connection that may come in to a protocol of `make`, whose end it is told of by `left`."""

    def __init__(self, context: ssl.SSLContext, make: Make) -> None:
        self._context = context
        self._make = make
        self._present = Presence()
        self._entrance = Entrance(self._take_in)
        self._unknown: dict[asyncio.BaseProtocol, str] = {}
        self._arriving: dict[asyncio.BaseProtocol, asyncio.Task[None]] = {}
        self._rate = KeyedRateLimit(*RATE)

    def __len__(self) -> int:
        return len(self._present)

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept at these, which are its own from now on."""
        self._entrance.open(sockets)

    def stop(self) -> None:
        """Accept no more, and give up those that are not through with TLS."""
        self._entrance.close()
        for task in self._arriving.values():
            task.cancel()

    async def emptied(self) -> None:
        """Wait until every connection has ended."""
        await self._present.emptied()

    def known(self, protocol: asyncio.BaseProtocol) -> None:
        """A phone has attached on this connection."""
        self._unknown.pop(protocol, None)

    def left(self, protocol: asyncio.BaseProtocol) -> None:
        """This connection has ended."""
        self._unknown.pop(protocol, None)
        self._present.leave(protocol)

    def _may_come(self, address: str) -> bool:
        of_one = sum(each == address for each in self._unknown.values())
        return (
            len(self._unknown) < MAX_CONNECTIONS
            and of_one < MAX_OF_ONE
            and self._rate.allow(address, asyncio.get_running_loop().time())
        )

    def _take_in(self, connection: socket.socket, address: str) -> None:
        if not self._may_come(address):
            connection.close()
            return
        protocol = self._make()
        self._unknown[protocol] = address
        self._present.enter(protocol)
        self._arriving[protocol] = asyncio.get_running_loop().create_task(self._secure(connection, protocol))

    async def _secure(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        """Until TLS is up; from then on the protocol has the connection."""
        arrived = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=SHUTDOWN,
            )
            arrived = True
        except (OSError, TimeoutError):  # an SSLError is an OSError
            connection.close()
        finally:
            del self._arriving[protocol]
            if not arrived:
                self.left(protocol)
