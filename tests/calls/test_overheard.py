"""What passes tells whether a phone is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.calls.overheard import MAX_CALLS, Overheard
from meshdoor.mesh.frames import State as Busy


def request(method: str, call: str = "c", to_tag: str = "") -> bytes:
    lines = (f"{method} sip:x@y SIP/2.0", f"To: <sip:x@y>{to_tag}", f"Call-ID: {call}", f"CSeq: 1 {method}")
    return "\r\n".join((*lines, "", "")).encode()


def response(status: int, method: str = "INVITE", call: str = "c") -> bytes:
    return f"SIP/2.0 {status} x\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\r\n".encode()


INVITE, OK, BYE = request("INVITE"), response(200), request("BYE", to_tag=";tag=1")
AGAIN = request("INVITE", to_tag=";tag=1")


@pytest.mark.parametrize(
    ("messages", "busy"),
    [
        ((), Busy.FREE),
        ((INVITE,), Busy.RINGING),
        ((INVITE, response(183)), Busy.RINGING),
        ((INVITE, OK), Busy.IN_CALL),
        ((INVITE, response(603)), Busy.FREE),
        ((INVITE, request("CANCEL")), Busy.FREE),
        ((INVITE, request("CANCEL"), OK), Busy.FREE),
        ((INVITE, OK, BYE), Busy.FREE),
        ((INVITE, OK, AGAIN, OK), Busy.IN_CALL),
        ((INVITE, OK, AGAIN, response(488)), Busy.IN_CALL),
        ((INVITE, OK, AGAIN, response(481)), Busy.FREE),
        ((INVITE, OK, request("INVITE", "d")), Busy.IN_CALL),
        ((INVITE, response(200, "OPTIONS")), Busy.RINGING),
        ((INVITE, request("MESSAGE"), b"garbage", b"SIP/2.0 200 x\r\n\r\n"), Busy.RINGING),
        ((AGAIN, OK), Busy.FREE),
    ],
)
def test_what_a_phone_does(messages: tuple[bytes, ...], busy: Busy) -> None:
    overheard = Overheard()
    for message in messages:
        overheard.saw(message)
    assert overheard.busy is busy


def test_calls_are_bounded() -> None:
    overheard = Overheard()
    for number in range(MAX_CALLS + 1):
        overheard.saw(request("INVITE", f"c{number}"))
    for number in range(1, MAX_CALLS + 1):
        overheard.saw(request("BYE", f"c{number}"))
    assert overheard.busy is Busy.FREE


@given(st.lists(st.sampled_from([INVITE, AGAIN, OK, BYE, response(180), response(486), request("CANCEL")])))
def test_whatever_came_before_a_bye_ends_it(messages: list[bytes]) -> None:
    overheard = Overheard()
    for message in (*messages, BYE):
        overheard.saw(message)
    assert overheard.busy is Busy.FREE
