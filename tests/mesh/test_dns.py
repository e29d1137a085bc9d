"""DNS messages: they round-trip, and nothing that a stranger sends does more than raise."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import AnnouncementError
from meshdoor.mesh.dns import (
    AAAA,
    ANY,
    MAX_ENTRIES,
    MAX_JUMPS,
    PTR,
    SRV,
    TXT,
    A,
    Message,
    Question,
    Record,
    folded,
    pointer,
    service,
    text,
    written,
)

TYPE = (b"_sipuri", b"_udp", b"local")
INSTANCE = (b"sip:door@10.77.0.1", *TYPE)
HOST = (b"door", b"local")

HEADER = 12  # bytes

names = st.lists(st.binary(min_size=1, max_size=20), max_size=4).map(tuple)
questions = st.builds(Question, names, st.sampled_from([A, PTR, ANY]), st.booleans())
records = st.one_of(
    st.builds(pointer, names, names, st.integers(0, 2**31)),
    st.builds(service, names, st.integers(0, 65535), names, st.integers(0, 4500)),
    st.builds(text, names, st.lists(st.binary(max_size=80), max_size=3).map(tuple), st.integers(0, 4500)),
    st.builds(Record, names, st.just(A), st.integers(0, 120), st.binary(min_size=4, max_size=4), st.booleans()),
)
messages = st.builds(
    Message,
    st.lists(questions, max_size=3).map(tuple),
    st.lists(records, max_size=4).map(tuple),
    st.lists(records, max_size=2).map(tuple),
    st.booleans(),
    st.integers(0, 65535),
)


def head(*counts: int, flags: int = 0x8400) -> bytes:
    return struct.pack("!6H", 0, flags, *counts)


@given(messages)
def test_round_trip(message: Message) -> None:
    assert Message.parse(bytes(message)) == message


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: head(1, 2, 1, 1) + tail)))
def test_hostile_bytes_raise_or_are_read(data: bytes) -> None:
    with suppress(AnnouncementError):
        Message.parse(data)


def test_an_instance_may_hold_dots() -> None:
    record = Message.parse(bytes(Message(records=(pointer(TYPE, INSTANCE, 120),), response=True))).records[0]
    assert record.target == INSTANCE
    assert written(record.target) == "sip:door@10.77.0.1._sipuri._udp.local"


def test_a_compressed_name_is_written_out() -> None:
    data = head(0, 1, 0, 0) + bytes(pointer(TYPE, (), 120))
    data = data[:-3] + struct.pack("!H", 4) + b"\x01x\xc0\x0c"
    assert Message.parse(data).records[0].target == (b"x", *TYPE)
    named = head(0, 1, 0, 0) + bytes(service(INSTANCE, 5060, HOST, 120))
    (found,) = Message.parse(named).records
    assert (found.port, found.target) == (5060, HOST)


def test_a_question_matches() -> None:
    record = pointer(TYPE, INSTANCE, 120)
    assert Question((b"_SIPURI", b"_udp", b"LOCAL"), PTR).matches(record)
    assert Question(TYPE, ANY).matches(record)
    assert not Question(TYPE, SRV).matches(record)
    assert not Question(HOST, PTR).matches(record)
    assert folded((b"Door",)) == (b"door",)


def test_other_classes_are_left_out() -> None:
    chaos = bytes(Question(HOST, TXT))[:-2] + b"\0\3" + bytes(text(HOST, (b"x",), 1)).replace(b"\x80\1", b"\0\3")
    assert Message.parse(head(1, 1, 0, 0, flags=0) + chaos) == Message()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too early"),
        (head(MAX_ENTRIES, 1, 0, 0), "too many"),
        (head(1, 0, 0, 0) + b"\xc0\x0c", "nowhere"),
        (head(1, 0, 0, 0) + b"\x80\x00", "nowhere"),
        (head(1, 0, 0, 0) + b"\x40\x00", "nowhere"),
        (head(1, 0, 0, 0) + (b"\x3f" + b"x" * 63) * 4 + b"\0\0\1\0\1", "too long"),
        (head(1, 0, 0, 0) + b"\x05door", "too early"),
        (head(0, 1, 0, 0) + bytes(text(HOST, (b"xyz",), 1))[:-1], "too early"),
        (head(0, 1, 0, 0) + bytes(Record(HOST, A, 1, b"123")), "wrong length"),
        (head(0, 1, 0, 0) + bytes(Record(HOST, AAAA, 1, b"1234")), "wrong length"),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(AnnouncementError, match=why):
        Message.parse(data)


def test_pointers_lead_backwards_only_so_often() -> None:
    """Each question's name is a pointer to the one before it."""

    def chain(count: int) -> bytes:
        places = [HEADER, *range(HEADER + 7, HEADER + 7 + 6 * count, 6)]
        links = b"".join(struct.pack("!3H", 0xC000 | place, A, 1) for place in places[:count])
        return head(1 + count, 0, 0, 0, flags=0) + bytes(Question((b"x",), A)) + links

    assert Message.parse(chain(MAX_JUMPS)).questions[-1].name == (b"x",)
    with pytest.raises(AnnouncementError, match="nowhere"):
        Message.parse(chain(MAX_JUMPS + 1))
