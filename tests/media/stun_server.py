"""A STUN server for tests, that says what it is told to say."""

from __future__ import annotations

import asyncio
from typing import cast

from meshdoor.media.plans import Address
from meshdoor.rtp.stun import COOKIE, transaction_of

PUBLIC = "203.0.113.7"
SHIFT = 1000  # by which ports look higher


class StunServer(asyncio.DatagramProtocol):
    """`with` nothing; `await StunServer.open()`. It answers every question from the `patience`-th on."""

    def __init__(self, patience: int = 0) -> None:
        self.patience = patience
        self.asked: list[tuple[str, int]] = []
        self.transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, patience: int = 0) -> StunServer:
        made = cls(patience)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, ("127.0.0.1", 0))
        return made

    @property
    def address(self) -> Address:
        return Address(*self.transport.get_extra_info("sockname"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        transaction = transaction_of(data)
        assert transaction is not None
        self.asked.append(addr)
        if len(self.asked) > self.patience:
            port = (addr[1] + SHIFT).to_bytes(2, "big")
            mapped = bytes((0, 1, 0, 8, 0, 1)) + port + bytes(map(int, PUBLIC.split(".")))
            self.transport.sendto(b"\x01\x01\x00\x0c" + COOKIE + transaction + mapped, addr)
