"""Records the packets of an interface into a pcap file, and reads such a file.

`python -m tests.lab.capture INTERFACE FILE` runs in a host until SIGTERM.
"""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ETH_P_ALL = 0x0003
SNAPLEN = 0x40000
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1)  # 1: Ethernet
RECORD = struct.Struct("<IIII")
BUFFER = 8 * 1024 * 1024  # bytes the kernel may hold for us


@dataclass(frozen=True, slots=True)
class Packet:
    """One Ethernet frame and when it passed (seconds since 1970)."""

    at: float
    frame: bytes


def read(path: Path) -> Iterator[Packet]:
    """The packets of a pcap file written here; a torn last one is left out."""
    data = path.read_bytes()
    place = len(HEADER)
    while place + RECORD.size <= len(data):
        seconds, micros, length, _ = RECORD.unpack_from(data, place)
        place += RECORD.size
        if place + length <= len(data):
            yield Packet(seconds + micros / 1e6, data[place : place + length])
        place += length


def record(interface: str, file: BinaryIO) -> None:
    """Until SIGTERM, and then until all that has come is written."""
    stopped, stop = socket.socketpair()
    stop.setblocking(False)
    signal.set_wakeup_fd(stop.fileno())
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        sock.bind((interface, ETH_P_ALL))
        file.write(HEADER)
        file.flush()
        print("recording", flush=True)
        while True:
            ready, _, _ = select.select([sock, stopped], [], [])
            if sock in ready:
                frame = sock.recv(SNAPLEN)
                seconds, rest = divmod(time.time(), 1)
                file.write(RECORD.pack(int(seconds), int(rest * 1e6), len(frame), len(frame)) + frame)
            elif stopped in ready:
                return


if __name__ == "__main__":
    with Path(sys.argv[2]).open("wb") as output:
        record(sys.argv[1], output)
