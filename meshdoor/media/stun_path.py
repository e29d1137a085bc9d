"""A way to a peer beyond a NAT: a STUN server says how its sockets look from there (RFC 8489).

Until media keep the way open, the server is asked again and again. It is one of the settings, and is told nothing else.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Final

from meshdoor.errors import EngineError
from meshdoor.media.datagrams import SocketAddress, socket_address
from meshdoor.media.path import Receive, UdpPath
from meshdoor.media.plans import Address
from meshdoor.media.reports import Seen
from meshdoor.rtp.stun import ID_SIZE, binding_request, mapped_address, transaction_of

# Seconds.
WAITS: Final = (0.1, 0.2, 0.4)  # for an answer, before it is asked again; a visitor waits meanwhile
KEEP: Final = 15.0  # between two questions: RFC 4787 §4.3 has mappings live two minutes, and many live thirty seconds


class StunPath(UdpPath):
    """`learn` how it looks before it is offered to anybody. Raises EngineError."""

    def __init__(self, local: str, server: Address) -> None:
        family, self._server = socket_address(server.host, server.port)
        super().__init__(local)
        self._timer: asyncio.TimerHandle | None = None
        if family != self._rtp.family:
            self.close()
            raise EngineError("the STUN server is of another address family than this leg")
        self._asked: dict[socket.socket, bytes] = {}
        self._seen: dict[socket.socket, tuple[str, int]] = {}
        self._known = asyncio.Event()
        self._media: Receive | None = None

    async def learn(self) -> Seen:
        """How the sockets look. Raises EngineError when the server does not say."""
        super().read(self._not_told)
        self._keep()
        for wait in WAITS:
            self._ask()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._known.wait()
                    (host, port), (_, rtcp) = self._seen[self._rtp], self._seen[self._rtcp]
                    return Seen(host, port, rtcp)
        raise EngineError("the STUN server does not answer")

    def read(self, receive: Receive | None) -> None:
        """The sockets are read from the first question to the end, whoever listens."""
        self._media = receive

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().read(None)
        super().close()

    def _keep(self) -> None:
        """Another question, and so on."""
        self._asked = {sock: os.urandom(ID_SIZE) for sock in (self._rtp, self._rtcp)}
        if self._timer is not None:
            self._ask()
        self._timer = self._loop.call_later(KEEP, self._keep)

    def _ask(self) -> None:
        for sock, transaction in self._asked.items():
            with suppress(OSError):  # it is asked again
                sock.sendto(binding_request(transaction), self._server)

    def _take(self, sock: socket.socket, data: bytes, address: SocketAddress) -> None:
        transaction = transaction_of(data)
        if transaction is None:
            if self._media is not None:
                self._media(data, address)
            return
        found = mapped_address(data) if transaction == self._asked.get(sock) and address == self._server else None
        if found is not None:
            self._seen[sock] = found
        if len(self._seen) == len(self._asked):
            self._known.set()

    def _not_told(self, data: bytes, address: SocketAddress) -> None:
        """`_take` sees everything."""
