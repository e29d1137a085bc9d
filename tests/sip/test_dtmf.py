"""Digits in INFO."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import SipError
from meshdoor.sip.dtmf import DIGITS, MAX_BODY, PLAIN, RELAY, DtmfInfo


@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_goes_there_and_back(digit: str) -> None:
    assert DtmfInfo.parse(RELAY, bytes(DtmfInfo(digit, 250))) == DtmfInfo(digit, 250)
    assert DtmfInfo.parse(PLAIN, digit.encode()) == DtmfInfo(digit)


def test_what_is_sent() -> None:
    assert bytes(DtmfInfo("5")) == b"Signal=5\r\nDuration=160\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "digit", "duration"),
    [
        (RELAY, b"Signal=5\r\nDuration=160", "5", 160),
        (RELAY, b"Signal= 5\r\nDuration= 250\r\n", "5", 250),
        (RELAY, b"Duration=80\nsignal=#\n", "#", 80),
        (RELAY, b"Signal=11\r\n", "#", 160),
        (RELAY, b"Signal=d", "D", 160),
        (PLAIN, b" 7\r\n", "7", 160),
        (PLAIN, b"10", "*", 160),
        (PLAIN, b"Signal=7\r\nDuration=99\r\n", "7", 99),
    ],
)
def test_what_telephones_send(kind: str, body: bytes, digit: str, duration: int) -> None:
    assert DtmfInfo.parse(kind, body) == DtmfInfo(digit, duration)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"Duration=160\r\n",
        b"Signal=\r\nDuration=160\r\n",
        b"Signal=55",
        b"Signal=16",
        b"Signal=E",
        b"Signal=hookflash",
        b"Signal=5\r\nSignal=6\r\n",
        b"Signal=5\r\n\r\nDuration=160\r\n",
        b"Signal=5\r\nDuration=-1\r\n",
        b"Signal=5\r\nDuration=123456\r\n",
        b"Signal=5\r\nVolume=3\r\n",
        b"Signal=5;Duration=3",
        "Signal=\u0665".encode(),
        b"Signal=5\0",
        b"Signal=5" + b" " * MAX_BODY,
    ],
)
def test_what_is_no_digit(body: bytes) -> None:
    for kind in (RELAY, PLAIN):
        with pytest.raises(SipError) as caught:
            DtmfInfo.parse(kind, body)
        assert caught.value.status == 400


def test_something_else() -> None:
    with pytest.raises(SipError) as caught:
        DtmfInfo.parse("application/sdp", b"5")
    assert caught.value.status == 415


@settings(max_examples=100)
@given(st.sampled_from([RELAY, PLAIN, "text/plain"]), st.binary(max_size=2 * MAX_BODY))
def test_nothing_else_is_raised(kind: str, body: bytes) -> None:
    with suppress(SipError):
        assert DtmfInfo.parse(kind, body).digit in DIGITS
