"""Runs of datagrams through real sockets."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.datagrams import Datagrams, bind_pair, socket_address

RUN = b"a" * 100 + b"b" * 100 + b"c" * 30


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with one, two:
        for sock in (one, two):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        yield one, two


def received(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(65535))
        except BlockingIOError:
            return found


class Refusing:
    """A socket that refuses to cut, or to take more than `room` datagrams."""

    def __init__(self, sock: socket.socket, number: int = 0, room: int = 99) -> None:
        self.number, self.room, self.sock = number, room, sock

    def sendmsg(self, *arguments: Any) -> int:
        raise OSError(self.number, "refused") if self.number else BlockingIOError()

    def sendto(self, data: bytes, address: Any) -> int:
        if not self.room:
            raise BlockingIOError
        self.room -= 1
        return self.sock.sendto(data, address)


def test_one_call_sends_several(pair: tuple[socket.socket, socket.socket]) -> None:
    one, two = pair
    datagrams = Datagrams(one, two.getsockname())
    assert datagrams.send(RUN, 100) == 230
    assert received(two) == [b"a" * 100, b"b" * 100, b"c" * 30]
    assert datagrams.segmented
    assert datagrams.send(b"single", 100) == 6
    assert received(two) == [b"single"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_a_socket_that_cannot_cut_sends_each(pair: tuple[socket.socket, socket.socket], number: int) -> None:
    one, two = pair
    refusing: Any = Refusing(one, number)
    datagrams = Datagrams(refusing, two.getsockname())
    assert datagrams.send(RUN, 100) == 230
    assert not datagrams.segmented
    assert len(received(two)) == 3


def test_other_errors_are_raised(pair: tuple[socket.socket, socket.socket]) -> None:
    refusing: Any = Refusing(pair[0], errno.ENETUNREACH)
    datagrams = Datagrams(refusing, pair[1].getsockname())
    with pytest.raises(OSError, match="refused"):
        datagrams.send(RUN, 100)
    assert datagrams.segmented


def test_says_how_much_a_full_socket_took(pair: tuple[socket.socket, socket.socket]) -> None:
    refusing: Any = Refusing(pair[0], room=2)
    datagrams = Datagrams(refusing, pair[1].getsockname())
    assert datagrams.send(RUN, 100) == 0
    datagrams.segmented = False
    assert datagrams.send(RUN, 100) == 200


@pytest.mark.parametrize("local", ["127.0.0.1", "::1"])
def test_rtp_and_rtcp_have_ports_in_a_row(local: str) -> None:
    rtp, rtcp = bind_pair(local)
    with rtp, rtcp:
        assert rtp.getsockname()[1] % 2 == 0
        assert rtcp.getsockname()[1] == rtp.getsockname()[1] + 1


@pytest.mark.parametrize(("host", "port"), [("localhost", 1), ("127.0.0.1", 70_000), ("fe80::1%nothing", 5)])
def test_what_is_no_address(host: str, port: int) -> None:
    with pytest.raises(EngineError, match="is no address"):
        socket_address(host, port)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(EngineError, match=r"cannot use 192\.0\.2\.1"):
        bind_pair("192.0.2.1")


def test_a_pair_of_known_ports() -> None:
    rtp, rtcp = bind_pair("127.0.0.1")
    port = rtp.getsockname()[1]
    for taken in (rtp, rtcp):
        with pytest.raises(EngineError, match="cannot use"):
            bind_pair("127.0.0.1", port)
        taken.close()
    again = bind_pair("127.0.0.1", port)
    assert [sock.getsockname()[1] for sock in again] == [port, port + 1]
    for sock in again:
        sock.close()
