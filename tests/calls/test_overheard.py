"""What passes tells whether a phone is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.calls.overheard import MAX_CALLS, Overheard
from meshdoor.mesh.frames import State as Busy


def request(method: str, call: str = "c", to_tag: str = "", contact: str = "") -> bytes:
    lines = [f"{method} sip:x@y SIP/2.0", f"To: <sip:x@y>{to_tag}", f"Call-ID: {call}", f"CSeq: 1 {method}"]
    lines += [f"Contact: {contact}"] if contact else []
    return "\r\n".join((*lines, "", "")).encode()


def response(status: int, method: str = "INVITE", call: str = "c", contact: str = "") -> bytes:
    told = f"Contact: {contact}\r\n" if contact else ""
    return f"SIP/2.0 {status} x\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n{told}\r\n".encode()


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


DOOR, PHONE = "<sip:door@abcd.home.arpa;transport=tls>", "<sip:x@y.invalid>, <sip:z@other>"


@pytest.mark.parametrize(("caller", "callee"), [(DOOR, PHONE), (PHONE, DOOR)])
def test_who_a_phone_talks_with(caller: str, callee: str) -> None:
    overheard = Overheard()
    overheard.saw(request("INVITE", contact=caller))
    overheard.saw(response(183, contact=callee))
    assert overheard.talk("abcd.home.arpa") is None
    overheard.saw(response(200, contact=callee))
    call = overheard.talk("abcd.home.arpa")
    assert call is not None
    assert call.busy is Busy.IN_CALL
    assert overheard.talk("other") is None
    overheard.saw(request("INVITE", to_tag=";tag=1", contact="<sip:x@other>"))
    overheard.saw(response(200, contact="<sip:x@other>"))
    assert overheard.talk("other") is None
    overheard.saw(BYE)
    assert overheard.talk("abcd.home.arpa") is None


@pytest.mark.parametrize("contact", ["", "<tel:+4930123456>"])
def test_who_names_no_host_is_nobody(contact: str) -> None:
    overheard = Overheard()
    overheard.saw(request("INVITE", contact=contact))
    overheard.saw(OK)
    assert overheard.talk("") is None
    assert overheard.busy is Busy.IN_CALL


@pytest.mark.parametrize("first", [request("INVITE", contact="<broken"), INVITE])
def test_what_cannot_be_read_takes_no_call_away(first: bytes) -> None:
    overheard = Overheard()
    overheard.saw(first)
    overheard.saw(response(200, contact="<broken"))
    assert overheard.busy is Busy.IN_CALL


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
