"""The receiving end of a bench, a process of its own: `python -m benchmarks.drain PORTS [FPS]`.

Prints its UDP ports, empties them until its standard input ends, then prints how many packets came. With FPS it also
prints, for each picture, by how many µs its last packet came after the beat of that many pictures a second (the test
card is drawn at these beats of the monotonic clock).
"""

from __future__ import annotations

import select
import socket
import sys
import time

RECEIVE_BUFFER = 8 << 20  # bytes


def main() -> None:
    fps = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    poll = select.epoll()
    sockets = {}
    for _ in range(int(sys.argv[1])):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        sockets[sock.fileno()] = sock
        poll.register(sock, select.EPOLLIN)
        print(sock.getsockname()[1], flush=True)
    poll.register(sys.stdin, select.EPOLLIN)
    packets, late = _receive(poll, sockets, fps)
    print(packets)
    for delay in late:
        print(int(delay * 1e6))


def _receive(poll: select.epoll, sockets: dict[int, socket.socket], fps: int) -> tuple[int, list[float]]:
    buffer = bytearray(65536)
    packets = 0
    late: list[float] = []
    while True:
        for descriptor, _ in poll.poll():
            sock = sockets.get(descriptor)
            if sock is None:
                return packets, late
            while True:
                try:
                    sock.recv_into(buffer)
                except BlockingIOError:
                    break
                packets += 1
                # The marker, and a payload type that is not RTCP's.
                if fps and buffer[1] & 0x80 and not 192 <= buffer[1] <= 223:
                    late.append(time.monotonic() % (1 / fps))


if __name__ == "__main__":
    main()
