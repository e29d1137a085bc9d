from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LinkError
from meshdoor.mesh.frames import (
    LIMITS,
    FrameReader,
    Hello,
    Kind,
    Ping,
    Pong,
    State,
    frame,
    read_heads,
    read_object,
    read_statements,
    write_object,
    write_statement,
)

DIGEST = bytes(range(16))
HELLO = Hello("1.2", DIGEST, State.RINGING, 5062, b"\x07" * 8, 3)


def frames(reader: FrameReader) -> list[tuple[Kind, bytes]]:
    return list(iter(reader.next_frame, None))


@settings(max_examples=100)
@given(
    sent=st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=24)), max_size=8),
    cuts=st.lists(st.integers(0, 240), max_size=6),
)
def test_frames_survive_any_cutting_of_the_stream(
    sent: list[tuple[Kind, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in sent)
    edges = [0, *sorted(cuts), len(stream)]
    reader, got = FrameReader(), []
    for start, end in itertools.pairwise(edges):
        reader.receive(stream[start:end])
        got += frames(reader)
    assert got == sent


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_garbage_is_cut_or_refused(data: bytes) -> None:
    reader = FrameReader()
    reader.receive(data)
    with contextlib.suppress(LinkError):
        assert sum(4 + len(payload) for _, payload in frames(reader)) <= len(data)


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x00", b"\x08\x00\x00\x00", b"\x16\x03\x01\x02"])
def test_an_unknown_kind_is_refused_by_its_header(header: bytes) -> None:
    reader = FrameReader()
    reader.receive(header)
    with pytest.raises(LinkError, match="unknown kind"):
        reader.next_frame()


@pytest.mark.parametrize("kind", Kind)
def test_a_frame_too_large_is_refused_by_its_header(kind: Kind) -> None:
    reader = FrameReader()
    reader.receive(bytes((kind,)) + (LIMITS[kind] + 1).to_bytes(3, "big"))
    with pytest.raises(LinkError, match="bytes"):
        reader.next_frame()
    with pytest.raises(LinkError, match="too large"):
        frame(kind, bytes(LIMITS[kind] + 1))


def test_hello_round_trips() -> None:
    assert Hello.parse(bytes(HELLO)) == HELLO


@pytest.mark.parametrize(
    "change",
    [
        {"version": ""},
        {"version": "x" * 33},
        {"version": "a\nb"},
        {"version": "é"},
        {"version": 1},
        {"digest": "00"},
        {"digest": "zz" * 16},
        {"digest": "00 " * 16},
        {"state": 3},
        {"port": -1},
        {"port": 65536},
        {"epoch": "0"},
        {"serial": -1},
        {"serial": 2**53},
        {"serial": 1.5},
    ],
)
def test_a_hello_with_a_wrong_field_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(LinkError):
        Hello.parse(write_object(read_object(bytes(HELLO)) | change))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{",
        b'"a"',
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xff",
        b"[" * 9000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a":' + b"[" * 17 + b"]" * 17 + b"}",
    ],
)
def test_what_is_no_bounded_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(LinkError):
        read_object(payload)


def test_nesting_up_to_the_bound_is_read() -> None:
    assert read_object(b'{"a":' * 16 + b"1" + b"}" * 16)


def test_a_restart_and_a_later_hello_are_after() -> None:
    assert Hello("1", DIGEST, epoch=b"b" * 8).is_after(HELLO)
    assert Hello("1", DIGEST, epoch=HELLO.epoch, serial=4).is_after(HELLO)
    assert not HELLO.is_after(HELLO)


@given(
    st.builds(
        Ping,
        st.integers(0, 2**64 - 1),
        st.binary(min_size=16, max_size=16),
        st.sampled_from(State),
        st.none() | st.integers(0, 2**32 - 2).map(lambda micros: micros / 1e6),
    )
)
def test_ping_round_trips(ping: Ping) -> None:
    assert Ping.parse(bytes(ping)) == ping


def test_a_round_trip_time_of_hours_is_capped() -> None:
    assert Ping.parse(bytes(Ping(1, DIGEST, State.FREE, 1e9))).rtt == pytest.approx(4294.967294)


def test_pong_round_trips() -> None:
    pong = Pong(7, DIGEST, State.IN_CALL)
    assert Pong.parse(bytes(pong)) == pong


@pytest.mark.parametrize("parse", [Ping.parse, Pong.parse])
def test_a_keep_alive_of_the_wrong_size_or_state_is_refused(parse: type) -> None:
    with pytest.raises(LinkError, match="size"):
        parse(b"\x00")
    with pytest.raises(LinkError, match="state"):
        parse(bytes(24) + b"\x03" + (bytes(4) if parse == Ping.parse else b""))


def test_heads_are_whole() -> None:
    assert read_heads(b"a" * 32 + b"b" * 32) == (b"a" * 32, b"b" * 32)
    with pytest.raises(LinkError):
        read_heads(bytes(33))


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_statements_round_trip(statements: list[bytes]) -> None:
    assert read_statements(b"".join(map(write_statement, statements))) == tuple(statements)


@pytest.mark.parametrize("payload", [b"\x00", b"\x00\x02a", b"\x00\x00\x00"])
def test_a_statement_that_is_cut_off_is_refused(payload: bytes) -> None:
    with pytest.raises(LinkError):
        read_statements(payload)
