"""How a leg looks from outside."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import stun_path as module
from meshdoor.media.plans import Address
from meshdoor.media.reports import Seen
from meshdoor.media.stun_path import StunPath
from tests.media.stun_server import PUBLIC, SHIFT, StunServer
from tests.patience import until


@pytest.fixture
async def server() -> AsyncIterator[StunServer]:
    made = await StunServer.open()
    yield made
    made.transport.close()


@pytest.mark.parametrize("patience", [0, 3])
async def test_the_server_says_how_both_sockets_look(server: StunServer, patience: int) -> None:
    server.patience = patience
    path = StunPath("127.0.0.1", server.address)
    assert await path.learn() == Seen(PUBLIC, path.port + SHIFT, path.port + 1 + SHIFT)
    path.close()


async def test_media_come_through_all_the_while(server: StunServer) -> None:
    path = StunPath("127.0.0.1", server.address)
    await path.learn()
    came: list[bytes] = []
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.sendto(b"\x80 too early", ("127.0.0.1", path.port))
        path.read(lambda data, address: came.append(data))
        peer.sendto(b"\x80 in time", ("127.0.0.1", path.port))
        await until(lambda: b"\x80 in time" in came)
        path.read(None)
    path.close()


async def test_the_way_is_kept_open(server: StunServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP", 0.02)
    path = StunPath("127.0.0.1", server.address)
    await path.learn()
    await until(lambda: len(server.asked) > 6)
    path.close()


async def test_nobody_else_is_believed(server: StunServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS", (0.01, 0.05))
    server.patience = 99
    path = StunPath("127.0.0.1", server.address)
    liar = await StunServer.open()
    with pytest.raises(EngineError, match="does not answer"):
        await path.learn()
    for transaction in path._asked.values():
        liar.datagram_received(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + transaction, ("127.0.0.1", path.port))
    await until(lambda: bool(liar.asked))
    assert path._seen == {}
    liar.transport.close()
    path.close()


async def test_a_server_of_another_family_is_of_no_use() -> None:
    with pytest.raises(EngineError, match="another address family"):
        StunPath("127.0.0.1", Address("::1", 3478))
