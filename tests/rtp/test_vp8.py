from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.vp8 import depacketize, payloads, starts_frame, starts_key_frame

KEY, DELTA = b"\x10" + bytes(99), b"\x11" + bytes(99)


def packets(some: list[bytes], first: int = 0) -> list[RtpPacket]:
    return [RtpPacket(97, (first + at) & 0xFFFF, 3000, 1, data) for at, data in enumerate(some)]


@given(st.binary(min_size=1, max_size=2000), st.integers(20, 300), st.integers(0, 0xFFFF))
def test_round_trip(frame: bytes, max_payload: int, first: int) -> None:
    parts = payloads(frame, max_payload)
    assert len({len(part) for part in parts[:-1]}) <= 1
    assert max(map(len, parts)) <= max_payload
    unit = depacketize(packets(parts, first))
    assert (unit.data, unit.timestamp, unit.intact) == (frame, 3000, True)


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=4))
def test_any_bytes(some: list[bytes]) -> None:
    depacketize(packets(some))


def test_an_empty_frame_is_not_sent() -> None:
    assert payloads(b"") == []


def test_key_frames() -> None:
    assert depacketize(packets(payloads(KEY, 50))).key
    assert not depacketize(packets(payloads(DELTA, 50))).key


@pytest.mark.parametrize("dropped", [0, 1])
def test_a_frame_with_a_hole_is_given_up(dropped: int) -> None:
    parts = packets(payloads(KEY, 50))
    del parts[dropped]
    unit = depacketize(parts)
    assert (unit.intact, unit.data) == (False, b"")


@pytest.mark.parametrize(
    "descriptor", ["10", "9000", "9010 03", "9080 05", "9080 8105", "90c0 05 09", "90e0 8105 09 20"]
)
def test_descriptors_of_others(descriptor: str) -> None:
    payload = bytes.fromhex(descriptor) + KEY
    assert starts_key_frame(payload)
    assert depacketize(packets([payload])).data == KEY


@pytest.mark.parametrize("payload", [b"", b"\x10", b"\x90", b"\x90\x80\x80", b"\x00\x10", b"\x11\x10"])
def test_no_beginning(payload: bytes) -> None:
    assert not starts_frame(payload)
    assert not starts_key_frame(payload)
