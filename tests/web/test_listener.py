"""Connections: taken in, bounded, and let go."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshdoor.mesh import acceptor
from meshdoor.mesh.acceptor import listen
from meshdoor.web import listener as module
from meshdoor.web.certificate import Names, self_signed
from meshdoor.web.listener import Listener
from tests.patience import PATIENCE, until
from tests.web.phones import trusting


class Guest(asyncio.Protocol):
    """Says goodbye to the listener."""

    listener: Listener

    def connection_lost(self, error: Exception | None) -> None:
        self.listener.left(self)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    file = tmp_path / "pair.pem"
    file.write_bytes(self_signed(Names("Hall", ("hall",))).to_pem())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[tuple[Listener, int, list[Guest]]]:
    guests: list[Guest] = []

    def make() -> Guest:
        guests.append(Guest())
        guests[-1].listener = made
        return guests[-1]

    made = Listener(context, make)
    sockets = listen(0, ("127.0.0.1",))
    port = sockets[0].getsockname()[1]
    made.open(sockets)
    try:
        yield made, port, guests
    finally:
        made.stop()
        await made.emptied()


async def test_a_guest_is_counted_until_it_is_gone(context: ssl.SSLContext) -> None:
    async with listening(context) as (made, port, guests):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        await until(lambda: len(made) == 1 and guests)
        writer.transport.abort()
        await until(lambda: len(made) == 0)


async def test_who_is_in_the_middle_of_tls_is_given_up_at_the_end(context: ssl.SSLContext) -> None:
    async with listening(context) as (made, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(made) == 1)
        made.stop()
        async with asyncio.timeout(PATIENCE):
            await made.emptied()
            assert await reader.read() == b""
        writer.close()


async def test_new_connections_of_one_address_come_at_a_rate(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RATE", (0.0, 3.0))
    async with listening(context) as (made, port, guests):
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        await until(lambda: len(made) == 0)
        assert len(guests) == 3


async def test_phones_that_are_known_do_not_count(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OF_ONE", 1)
    async with listening(context) as (made, port, guests):
        _, first = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        await until(lambda: guests)
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        made.known(guests[0])
        _, second = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        for writer in (first, second):
            writer.transport.abort()
        await until(lambda: len(made) == 0)


async def test_out_of_sockets_it_waits(context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = socket.socket.accept, [True]

    def accept(self: socket.socket) -> Any:
        if full:
            full.clear()
            raise OSError(errno.EMFILE, "too many open files")
        return real(self)

    monkeypatch.setattr(socket.socket, "accept", accept)
    monkeypatch.setattr(acceptor, "PAUSE", 0.02)
    async with listening(context) as (made, port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        assert len(made) == 1
        writer.transport.abort()
        await until(lambda: len(made) == 0)
