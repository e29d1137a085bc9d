"""What somebody outside the mesh sends."""

from __future__ import annotations

from itertools import count

_numbers = count(1)


def ask(method: str, more: str = "", body: bytes = b"", user: str = "door") -> bytes:
    """A request that begins something, each time another one."""
    number = next(_numbers)
    kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else "Content-Length: 0\r\n"
    return (
        f"{method} sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=f{number}\r\nTo: <sip:{user}@127.0.0.1>\r\n"
        f"Call-ID: c{number}\r\nCSeq: 7 {method}\r\n{more}{kind}\r\n"
    ).encode() + body


def invite(user: str = "door") -> bytes:
    """An INVITE with an offer."""
    return ask("INVITE", "Contact: <sip:a@127.0.0.1>\r\n", b"v=0\r\ns=offer\r\n" + b"a=x\r\n" * 60, user)
