"""Somebody outside with a UDP socket."""

from __future__ import annotations

import asyncio
import socket

from meshdoor.sip.message import Response, parse_message
from tests.patience import PATIENCE


class Stranger:
    """Somebody with a socket, who counts bytes."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.connect((host, port))
        self.sent = self.got = 0

    def send(self, data: bytes) -> None:
        self.sent += len(data)
        self.sock.send(data)

    async def receive(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        self.got += len(data)
        return data

    async def response(self) -> Response:
        message = parse_message(await self.receive())
        assert isinstance(message, Response)
        return message

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
