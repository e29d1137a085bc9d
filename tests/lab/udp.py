"""Small programs for hosts of the virtual house; each socket is UDP, IPv4 or IPv6 (ADDRESS%INTERFACE).

    python -m tests.lab.udp echo PORT [GROUP]              sends back all that comes, also to a multicast group
    python -m tests.lab.udp ask ADDRESS PORT [COUNT]       prints how many of COUNT questions were answered
    python -m tests.lab.udp flood ADDRESS PORT FILE [RATE] sends the packets of FILE (see `pack`)
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

INTERFACE = "eth0"
PAUSE = 0.002  # seconds between two questions
PATIENCE = 0.3  # seconds to wait for the answers after the last one
LENGTH = struct.Struct("!H")


def pack(packets: Iterable[bytes]) -> bytes:
    """The file format of `flood`: each packet after its length in two bytes."""
    return b"".join(LENGTH.pack(len(packet)) + packet for packet in packets)


def unpack(data: bytes) -> list[bytes]:
    packets, place = [], 0
    while place < len(data):
        (length,) = LENGTH.unpack_from(data, place)
        packets.append(data[place + LENGTH.size : place + LENGTH.size + length])
        place += LENGTH.size + length
    return packets


def _join(sock: socket.socket, group: str) -> None:
    index = socket.if_nametoindex(INTERFACE)
    if ":" in group:
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:  # struct ip_mreqn: group, address, interface
        request = socket.inet_aton(group) + bytes(4) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def _connect(address: str, port: int) -> tuple[socket.socket, tuple[str, int] | tuple[str, int, int, int]]:
    family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    return socket.socket(family, socket.SOCK_DGRAM), where  # type: ignore[return-value]


def echo(port: int, group: str = "") -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", port))
        if group:
            _join(sock, group)
        print("listening", flush=True)
        while True:
            data, source = sock.recvfrom(65536)
            sock.sendto(data, source)


def ask(address: str, port: int, count: int = 1) -> None:
    sock, where = _connect(address, port)
    answered = set()
    with sock:
        sock.setblocking(False)
        for number in range(count):
            with suppress(OSError):  # no route, nobody there: an answer that does not come
                sock.sendto(LENGTH.pack(number), where)
            time.sleep(PAUSE)
            answered |= _answers(sock)
        time.sleep(PATIENCE)
        answered |= _answers(sock)
    print(len(answered))


def _answers(sock: socket.socket) -> set[bytes]:
    answers = set()
    with suppress(OSError):
        while True:
            answers.add(sock.recv(65536))
    return answers


def flood(address: str, port: int, packets: list[bytes], rate: float = 0) -> None:
    """As fast as it goes, or at `rate` packets a second."""
    sock, where = _connect(address, port)
    begin = time.monotonic()
    with sock:
        for number, packet in enumerate(packets):
            sock.sendto(packet, where)
            if rate:
                time.sleep(max(0.0, begin + number / rate - time.monotonic()))
    print(f"{len(packets)} in {time.monotonic() - begin:.3f} s")


def main(verb: str, *words: str) -> None:
    if verb == "echo":
        echo(int(words[0]), *words[1:])
    elif verb == "ask":
        ask(words[0], int(words[1]), *map(int, words[2:]))
    else:
        flood(words[0], int(words[1]), unpack(Path(words[2]).read_bytes()), *map(float, words[3:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
