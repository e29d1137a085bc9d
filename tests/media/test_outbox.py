from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from meshdoor.media import outbox
from meshdoor.media.outbox import Outbox
from tests.patience import until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def read(theirs: socket.socket) -> list[int]:
    numbers = []
    try:
        while True:
            numbers.append(int(theirs.recv(2000)))
    except BlockingIOError:
        return numbers


def message(number: int) -> bytes:
    return f"{number:01000}".encode()


async def test_nothing_is_lost_while_the_node_has_no_time(pair: Pair) -> None:
    box = Outbox(asyncio.get_running_loop(), pair[0])
    for number in range(1000):
        box.send(message(number))
    heard = read(pair[1])
    assert len(heard) < 1000

    def all_heard() -> bool:
        heard.extend(read(pair[1]))
        return len(heard) == 1000

    await until(all_heard)
    assert heard == list(range(1000))
    box.send(message(1000))
    assert read(pair[1]) == [1000]
    box.close()


async def test_a_node_that_never_reads_loses_the_oldest(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 10)
    box = Outbox(asyncio.get_running_loop(), pair[0])
    for number in range(1000):
        box.send(message(number))
    heard = read(pair[1])

    def last_heard() -> bool:
        heard.extend(read(pair[1]))
        return heard[-1] == 999

    await until(last_heard)
    assert len(heard) < 1000
    assert heard[-10:] == list(range(990, 1000))
    box.close()


async def test_a_node_that_is_gone_is_told_nothing(pair: Pair) -> None:
    box = Outbox(asyncio.get_running_loop(), pair[0])
    pair[1].close()
    box.send(b"x")
    box.close()
