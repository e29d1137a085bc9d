"""A program for a host of the virtual house: asks a node about users, and prints what it says, one line an answer.

    python -m tests.lab.probe ADDRESS PORT udp|tcp USER...

What must differ from answer to answer (tags, nonces) is left out, so that equal lines mean equal answers.
"""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress

METHODS = ("OPTIONS", "INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "INFO", "REFER", "PUBLISH", "BYE", "NOTIFY")
ECHOED = ("Via:", "From:", "To:", "Call-ID:")
VARIABLE = (r"(?<=;tag=)[0-9a-f]{8,}", r'(?<=nonce=)"[^"]*"', r"(?<=rport=)\d+", r"(?<=:)\d{5}\b")
PATIENCE = 1.5  # seconds
OFFER = "v=0\r\no=- 1 1 IN IP4 10.77.0.9\r\ns=-\r\nc=IN IP4 10.77.0.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


def request(method: str, user: str, transport: str, where: tuple[str, int], source: tuple[str, int]) -> bytes:
    host, port = where
    # A registrar is asked about whom the To names (RFC 3261 §10.2).
    target = f"sip:{host}:{port}" if method == "REGISTER" else f"sip:{user}@{host}:{port}"
    body = OFFER if method == "INVITE" else ""
    lines = (
        f"{method} {target} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {source[0]}:{source[1]};rport;branch=z9hG4bK-{method}-{user}",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{host}>;tag=probe",
        f"To: <sip:{user}@{host}>",
        f"Call-ID: {method}-{user}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{user}@{source[0]}:{source[1]}>",
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", body)).encode()


def normal(answer: bytes, user: str, here: str) -> str:
    """Without what is different each time, without the user that was asked for, and without who asks."""
    lines = answer.decode(errors="replace").replace(here, "HERE").split("\r\n")
    echoed = [line.replace(user, "USER") if line.startswith(ECHOED) else line for line in lines]
    text = " | ".join(filter(None, echoed))
    for pattern in VARIABLE:
        text = re.sub(pattern, "...", text)
    return text


def asked(method: str, user: str, transport: str, where: tuple[str, int]) -> str:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(where)
        sock.send(request(method, user, transport, where, sock.getsockname()))
        with suppress(OSError):
            return normal(sock.recv(65536), user, sock.getsockname()[0])
    return "silence"


def main(host: str, port: str, transport: str, *users: str) -> None:
    for method in METHODS:
        for user in users:
            print(f"{method} {asked(method, user, transport, (host, int(port)))}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
