"""What one SIP message costs: µs to parse, to judge, to read what a UAS needs, and to write."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from meshdoor.sip.fields import Headers
from meshdoor.sip.message import Request, parse_message
from meshdoor.sip.validate import check_request

SDP = b"""v=0
o=door 3972811137 1 IN IP4 192.168.1.20
s=Front door
c=IN IP4 192.168.1.20
t=0 0
m=audio 40000 RTP/SAVP 96 0 101
a=rtpmap:96 opus/48000/2
a=rtpmap:101 telephone-event/48000
a=crypto:1 AEAD_AES_128_GCM inline:6sHcc0hDCZmjZkQzVtF3WlvxNBWZ0zWU3Y5w0Q==
a=sendrecv
m=video 40002 RTP/SAVPF 97
a=rtpmap:97 H264/90000
a=fmtp:97 profile-level-id=42e01f;packetization-mode=1
a=rtcp-fb:97 nack pli
a=sendonly
""".replace(b"\n", b"\r\n")
HEAD = f"""INVITE sip:screen@192.168.1.31:5061;transport=tls SIP/2.0
Via: SIP/2.0/TLS 192.168.1.20:5061;branch=z9hG4bK7f3a9c1e5d2b4f60;rport
Max-Forwards: 70
From: "Front Door" <sip:door@192.168.1.20>;tag=9fxced76sl
To: <sip:screen@192.168.1.31>
Call-ID: 3848276298220188511@192.168.1.20
CSeq: 1 INVITE
Contact: <sip:door@192.168.1.20:5061;transport=tls>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, MESSAGE
Supported: 100rel, timer
User-Agent: Meshdoor/0.1.0
Session-Expires: 1800
Content-Type: application/sdp
Content-Length: {len(SDP)}

""".replace("\n", "\r\n").encode()  # fmt: skip
INVITE = HEAD + SDP


def read(message: Request) -> object:
    """What a UAS reads of an INVITE, afresh."""
    message.headers.typed.clear()
    return message.via, message.from_, message.to, message.call_id, message.cseq, message.contacts, message.supported


def check(message: Request) -> object:
    """All the checks of a UAS, afresh."""
    message.headers.typed.clear()
    return check_request(message)


def build(message: Request) -> bytes:
    """The same INVITE made of its values."""
    return bytes(Request(message.method, message.uri, Headers(message.headers), message.body))


def measure(repeat: int = 5, number: int = 2000) -> dict[str, float]:
    """µs for each step, the best of `repeat` rounds."""
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    steps: dict[str, Callable[[], object]] = {
        "parse": lambda: parse_message(INVITE),
        "parse and check": lambda: check_request(parsed()),
        "read typed": lambda: read(message),
        "check": lambda: check(message),
        "serialise": lambda: bytes(message),
        "build and serialise": lambda: build(message),
    }

    def parsed() -> Request:
        fresh = parse_message(INVITE)
        assert isinstance(fresh, Request)
        return fresh

    return {name: min(timeit.repeat(step, number=number, repeat=repeat)) / number * 1e6 for name, step in steps.items()}


if __name__ == "__main__":
    print(f"INVITE of {len(INVITE)} bytes, µs:")
    for step_name, cost in measure().items():
        print(f"  {step_name:20} {cost:7.1f}")
