from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import RtpError
from meshdoor.rtp.rtcp import (
    FullIntraRequest,
    GenericNack,
    Goodbye,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    Unknown,
    build_compound,
    parse_compound,
    report_compound,
)

words = st.integers(0, 0xFFFFFFFF)
names = st.text(max_size=20)
blocks = st.builds(
    ReportBlock, words, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), words, words, words, words
)
some_blocks = st.lists(blocks, max_size=3).map(tuple)
packets: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, words, st.integers(0, (1 << 64) - 1), words, words, words, some_blocks),
    st.builds(ReceiverReport, words, some_blocks),
    st.builds(SourceDescription, st.lists(st.tuples(words, names), max_size=4).map(tuple)),
    st.builds(Goodbye, st.lists(words, max_size=4).map(tuple), names),
    st.builds(PictureLossIndication, words, words),
    st.builds(
        FullIntraRequest, words, st.lists(st.tuples(words, st.integers(0, 255)), min_size=1, max_size=4).map(tuple)
    ),
    st.builds(Unknown, st.just(204), st.integers(0, 31), st.binary(max_size=8).map(lambda data: data * 4)),
    st.builds(Unknown, st.just(206), st.just(15), st.just(bytes(12))),
)


@given(st.lists(packets, min_size=1, max_size=6))
def test_round_trip(wanted: list[RtcpPacket]) -> None:
    assert list(parse_compound(build_compound(wanted))) == wanted


@given(st.binary(max_size=64))
def test_any_bytes_parse_or_raise(data: bytes) -> None:
    for datagram in (data, b"\x81" + data, b"\x81\xcd\0\3" + data):
        with contextlib.suppress(RtpError):
            parse_compound(datagram)


@given(st.integers(200, 206), st.integers(0, 31), st.binary(max_size=12).map(lambda data: data * 4))
def test_any_body_parses_or_raises(kind: int, count: int, body: bytes) -> None:
    with contextlib.suppress(RtpError):
        parse_compound(bytes(Unknown(kind, count, body)))


@given(st.sets(st.integers(0, 0xFFFF), min_size=1, max_size=60), st.integers(0, 0xFFFF))
def test_nack_round_trip(numbers: set[int], first: int) -> None:
    lost = tuple(sorted(numbers, key=lambda number: (number - first) & 0xFFFF))
    (parsed,) = parse_compound(bytes(GenericNack(1, 2, lost)))
    assert parsed == GenericNack(1, 2, lost)


def test_nack_packs_seventeen_into_a_word() -> None:
    assert len(bytes(GenericNack(1, 2, tuple(range(17))))) == 16


def test_a_compound_leads_with_a_report_and_a_name() -> None:
    pli = PictureLossIndication(1, 2)
    report = ReceiverReport(1)
    parsed = parse_compound(report_compound(report, "door", pli))
    assert parsed == (report, SourceDescription(((1, "door"),)), pli)


def test_losses_are_clamped_to_24_bits() -> None:
    block = ReportBlock(1, 0, 1 << 30, 0, 0, 0, 0)
    assert ReportBlock.parse(bytes(block)).cumulative_lost == 0x7FFFFF


def test_padding_is_taken_off() -> None:
    padded = b"\xa0\xcc\x00\x02" + b"abcd" + b"\0\0\0\4"
    assert parse_compound(padded) == (Unknown(204, 0, b"abcd"),)


def test_other_items_of_a_description_are_skipped() -> None:
    body = b"\0\0\0\1" + b"\x02\x03Bob" + b"\x01\x01A\0" + bytes(3)
    assert parse_compound(bytes(Unknown(202, 1, body))) == (SourceDescription(((1, "A"),)),)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        bytes(8193),
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x80",  # a rest
        b"\x40\xc9\x00\x01" + bytes(4),  # version 1
        b"\x80\xc9\x00\x09" + bytes(4),  # longer than the datagram
        b"\x80\xcc\x00\x00" * 33,  # too many
        b"\xa0\xcc\x00\x00",  # padding without a body
        b"\xa0\xcc\x00\x01" + b"abc\x03",  # not whole words
        b"\xa0\xcc\x00\x01" + b"abc\x08",  # longer than the body
        bytes(Unknown(200, 0, bytes(4))),
        bytes(Unknown(201, 0, b"")),
        bytes(Unknown(201, 1, bytes(4))),
        bytes(Unknown(202, 1, b"")),
        bytes(Unknown(203, 2, bytes(4))),
        bytes(Unknown(205, 1, bytes(8))),
        bytes(Unknown(205, 1, bytes(8 + 4 * 65))),
        bytes(Unknown(206, 4, bytes(8))),
        bytes(Unknown(206, 4, bytes(12))),
    ],
)
def test_refused(datagram: bytes) -> None:
    with pytest.raises(RtpError):
        parse_compound(datagram)


def test_short_feedback_is_unknown() -> None:
    assert parse_compound(b"\x81\xce\x00\x00") == (Unknown(206, 1, b""),)
