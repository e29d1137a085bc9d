"""Somebody outside with a TCP connection, and endpoints that accept one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshdoor.mesh.acceptor import listen
from meshdoor.sip.framer import Framer
from meshdoor.sip.message import Response, parse_message
from meshdoor.transport.tcp import TcpTransport
from tests.patience import PATIENCE
from tests.transport.ends import End
from tests.transport.strangers import ask

HOST = "127.0.0.1"


@asynccontextmanager
async def tcp_end(**settings: object) -> AsyncIterator[tuple[End, TcpTransport]]:
    made, transport = End(**settings), TcpTransport(listen(0, (HOST,)))
    made.endpoint.add(transport)
    async with made.endpoint:
        yield made, transport


class Caller:
    """An async context manager."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, name: str | None = None) -> None:
        self._opening = (HOST, port, context, name)
        self._framer = Framer(initiator=True)

    async def __aenter__(self) -> Caller:
        host, port, context, name = self._opening
        self.reader, self.writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def stop_reading(self) -> None:
        assert isinstance(self.writer.transport, asyncio.Transport)
        self.writer.transport.pause_reading()

    async def response(self) -> Response:
        async with asyncio.timeout(PATIENCE):
            while not isinstance(event := self._framer.next_event(), bytes):
                data = await self.reader.read(65536)
                assert data, "closed by the other side"
                self._framer.receive(data)
        message = parse_message(event)
        assert isinstance(message, Response)
        return message

    async def status(self, data: bytes) -> int:
        self.send(data)
        return (await self.response()).status

    async def is_served(self) -> bool:
        return await self.status(ask("OPTIONS")) == 200

    async def ended(self) -> bool:
        """Wait until the other side has closed."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass
        return True
