"""A program for a host of the virtual house: sends every torture message to a node, and asks OPTIONS after each.

    python -m tests.lab.torture ADDRESS PORT      prints the names of those after which there was no answer
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

from tests.sip.torture import load

PATIENCE = 2.0  # seconds for the answer to OPTIONS
GLANCE = 0.1  # seconds for the answer to a torture message, which may be silence


def options(number: int, transport: str, host: str, port: int) -> bytes:
    lines = (
        f"OPTIONS sip:{host} SIP/2.0",
        f"Via: SIP/2.0/{transport} {host}:{port};rport;branch=z9hG4bK-{transport}-{number}",
        "Max-Forwards: 70",
        f"From: <sip:tester@{host}>;tag=t{number}",
        f"To: <sip:{host}>",
        f"Call-ID: options-{transport}-{number}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def over_udp(where: tuple[str, int]) -> list[str]:
    failed = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 5060))
        sock.settimeout(PATIENCE)
        for number, case in enumerate(CASES):
            sock.sendto(case.wire, where)
            sock.sendto(options(number, "UDP", where[0], 5060), where)
            with suppress(TimeoutError):
                while f"options-UDP-{number}\r\n".encode() not in (answer := sock.recv(65536)):
                    pass
                if answer.startswith(b"SIP/2.0 200 "):
                    continue
            failed.append(f"UDP {case.name}")
    return failed


def over_tcp(where: tuple[str, int]) -> list[str]:
    failed = []
    for number, case in enumerate(CASES):
        with suppress(OSError), socket.create_connection(where, PATIENCE) as sock:
            sock.settimeout(GLANCE)
            sock.sendall(case.wire)
            sock.recv(65536)
        with suppress(OSError), socket.create_connection(where, PATIENCE) as sock:
            sock.sendall(options(number, "TCP", where[0], 5060))
            if sock.recv(65536).startswith(b"SIP/2.0 200 "):
                continue
        failed.append(f"TCP {case.name}")
    return failed


CASES = [*load("rfc4475"), *load("rfc5118")]

if __name__ == "__main__":
    target = sys.argv[1], int(sys.argv[2])
    print(*over_udp(target), *over_tcp(target), f"{len(CASES)} sent")
