from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.sip.framer import PING, PONG, Broken, Framer, KeepAlive
from meshdoor.sip.message import MAX_MESSAGE
from tests.sip.messages import OPTIONS, with_header

EMPTY = with_header("Content-Length: 0")
BODY = with_header("L :\r\n 5") + b"\r\n\r\nX"
LINE_FEEDS = EMPTY.replace(b"\r\n", b"\n")
Event = bytes | KeepAlive | Broken


def events(framer: Framer, *pieces: bytes) -> list[Event]:
    found: list[Event] = []
    for piece in pieces:
        framer.receive(piece)
        while (event := framer.next_event()) is not None:
            found.append(event)
    return found


def test_messages_and_keep_alives() -> None:
    stream = PING + EMPTY + BODY + PING + PING + LINE_FEEDS + EMPTY
    expected = [KeepAlive.PING, EMPTY, BODY, KeepAlive.PING, KeepAlive.PING, LINE_FEEDS, EMPTY]
    assert events(Framer(initiator=False), stream) == expected


@given(st.lists(st.integers(0, 3 * len(EMPTY)), max_size=12))
@settings(max_examples=100)
def test_however_it_is_cut(cuts: list[int]) -> None:
    stream = PING + EMPTY + BODY + PING + LINE_FEEDS
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert events(Framer(initiator=False), *pieces) == [KeepAlive.PING, EMPTY, BODY, KeepAlive.PING, LINE_FEEDS]


def test_byte_by_byte() -> None:
    stream = EMPTY + BODY + PING + EMPTY
    pieces = [bytes([octet]) for octet in stream]
    assert events(Framer(initiator=False), *pieces) == [EMPTY, BODY, KeepAlive.PING, EMPTY]


def test_pongs_come_to_the_one_who_pings() -> None:
    pieces = (PONG + EMPTY + b"\r", b"\n" + PONG)
    assert events(Framer(initiator=True), *pieces) == [KeepAlive.PONG, EMPTY, KeepAlive.PONG, KeepAlive.PONG]


def test_an_empty_line_before_a_message_is_no_ping() -> None:
    assert events(Framer(initiator=False), b"\r\n" + EMPTY, b"\r\n", b"\r\n") == [EMPTY, KeepAlive.PING]
    assert events(Framer(initiator=False), b"\r\nO", EMPTY[1:]) == [EMPTY]


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (OPTIONS, 400),
        (with_header("l: x"), 400),
        (with_header("l: -1"), 400),
        (with_header("l: 0\r\nContent-Length: 1"), 400),
        (with_header("l: 65536"), 513),
        (with_header("l: 65537"), 400),
        (b"x" * (MAX_MESSAGE + 1), 513),
        (b"\n\n", 400),
    ],
)
def test_lost_framing_ends_the_stream(wire: bytes, status: int) -> None:
    framer = Framer(initiator=False)
    (event,) = events(framer, wire, EMPTY)
    assert isinstance(event, Broken)
    assert event.error.status == status
    assert event.data == wire[:MAX_MESSAGE]


def test_a_body_that_names_a_length_does_not_count() -> None:
    wire = with_header("Content-Length: 6") + b"\r\nl: 9"
    assert events(Framer(initiator=True), wire) == [wire]


def test_a_message_that_has_begun_is_unfinished_and_a_keep_alive_is_not() -> None:
    framer = Framer(initiator=False)
    for piece, unfinished in ((b"\r\n", False), (b"\r\n", False), (EMPTY[:9], True), (EMPTY[9:], False)):
        framer.receive(piece)
        while framer.next_event() is not None:
            pass
        assert framer.unfinished is unfinished
