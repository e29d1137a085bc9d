from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.packet import Extension, RtpPacket, header_length, is_rtcp

PLAIN = bytes.fromhex("80e0 0102 00000003 0a0b0c0d") + b"payload"

words = st.integers(0, 0xFFFFFFFF)
extensions = st.builds(Extension, st.integers(0, 0xFFFF), st.binary(max_size=5).map(lambda data: data * 4))
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=words,
    ssrc=words,
    payload=st.binary(max_size=40),
    marker=st.booleans(),
    csrc=st.lists(words, max_size=15).map(tuple),
    extension=st.none() | extensions,
    padding=st.integers(0, 255),
)


@given(packets)
def test_round_trip(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\xbf" + rest))
def test_any_bytes_parse_or_raise(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except RtpError:
        return
    assert RtpPacket.parse(bytes(packet)) == packet


def test_plain() -> None:
    packet = RtpPacket.parse(PLAIN)
    assert packet == RtpPacket(96, 0x102, 3, 0x0A0B0C0D, b"payload", marker=True)
    assert bytes(packet) == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:11],
        b"\x40" + PLAIN[1:],  # version 1
        b"\x81" + PLAIN[1:12],  # a CSRC that is not there
        b"\x90" + PLAIN[1:12],  # an extension that is not there
        b"\x90" + PLAIN[1:12] + b"\0\0\0\x09",  # an extension longer than the packet
        b"\xa0" + PLAIN[1:12],  # padding that is not there
        b"\xa0" + PLAIN[1:12] + b"\0",  # padding of nothing
        b"\xa0" + PLAIN[1:12] + b"\x02",  # padding longer than the payload
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(RtpError):
        RtpPacket.parse(data)


def test_header_length_needs_version_2() -> None:
    with pytest.raises(RtpError):
        header_length(bytes(12))


def test_an_extension_is_whole_words() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(RtpPacket(0, 0, 0, 0, b"", extension=Extension(0, b"123")))


@pytest.mark.parametrize(
    ("data", "answer"), [(b"\x80\xc8", True), (b"\x80\xdf", True), (PLAIN, False), (b"\x80", False)]
)
def test_is_rtcp(data: bytes, answer: bool) -> None:
    assert is_rtcp(data) is answer
