from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.rtp.frame_buffer import (
    MAX_FRAME,
    MAX_HELD,
    MAX_NACK_WAIT,
    MAX_READY,
    MAX_WAIT,
    MIN_WAIT,
    Frame,
    FrameBuffer,
)
from meshdoor.rtp.packet import RtpPacket


def starts(payload: bytes) -> bool:
    return payload[:1] == b"S"


def stream(*lengths: int, first: int = 0, ssrc: int = 1, marker: bool = True) -> list[RtpPacket]:
    """Frames of so many packets; the first payload of each is S."""
    packets: list[RtpPacket] = []
    for frame, length in enumerate(lengths):
        for part in range(length):
            number = (first + len(packets)) & 0xFFFF
            last = marker and part == length - 1
            packets.append(RtpPacket(96, number, 3000 * frame, ssrc, b"S" if part == 0 else b"x", last))
    return packets


def feed(buffer: FrameBuffer, packets: list[RtpPacket], now: float = 0.0) -> list[Frame]:
    for packet in packets:
        buffer.receive(packet, now)
    return frames(buffer)


def frames(buffer: FrameBuffer) -> list[Frame]:
    return list(iter(buffer.next_frame, None))


def shape(found: list[Frame]) -> list[tuple[int, bool, bool]]:
    return [(len(frame.packets), frame.intact, frame.continuous) for frame in found]


def test_a_frame_comes_out_with_its_last_packet() -> None:
    buffer, packets = FrameBuffer(starts), stream(3, 2)
    assert feed(buffer, packets[:2]) == []
    assert shape(feed(buffer, packets[2:3])) == [(3, True, False)]
    assert shape(feed(buffer, packets[3:])) == [(2, True, True)]
    assert buffer.next_deadline() is None


def test_order_is_restored_at_once() -> None:
    buffer, packets = FrameBuffer(starts), stream(4, 3, first=0xFFFD)
    packets[1:6] = reversed(packets[1:6])
    assert shape(feed(buffer, packets)) == [(4, True, False), (3, True, True)]
    assert (buffer.lost, buffer.late) == (0, 0)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.integers(0, 0xFFFF), st.randoms(use_true_random=False))
def test_any_order_and_duplicates_within_the_wait(lengths: list[int], first: int, chance: random.Random) -> None:
    packets = stream(*lengths, first=first)
    shuffled = packets[1:] + chance.choices(packets, k=5)
    chance.shuffle(shuffled)
    buffer = FrameBuffer(starts)
    found = feed(buffer, [packets[0], *shuffled])
    assert [packet for frame in found for packet in frame.packets] == packets
    assert [len(frame.packets) for frame in found] == lengths
    assert all(frame.intact for frame in found)


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=12),
    st.sets(st.integers(0, 70), max_size=15),
    st.booleans(),
    st.booleans(),
)
def test_intact_means_that_nothing_is_missing(lengths: list[int], dropped: set[int], nack: bool, marker: bool) -> None:
    packets = stream(*lengths, marker=marker)
    kept = [packet for at, packet in enumerate(packets) if at not in dropped]
    buffer = FrameBuffer(starts, nack)
    found, now = [], 0.0
    for packet in kept:
        buffer.receive(packet, now)
        now += 0.004
        buffer.handle_timer(now)
        buffer.take_nacks(now)
        found += frames(buffer)
    buffer.handle_timer(now + 1)
    found += frames(buffer)
    whole = {number * 3000: length for number, length in enumerate(lengths)}
    for at, frame in enumerate(found):
        if frame.intact and marker:
            assert len(frame.packets) == whole[frame.packets[0].timestamp]
        if frame.continuous and marker:
            assert found[at - 1].intact
            assert frame.packets[0].timestamp == found[at - 1].packets[0].timestamp + 3000


def test_a_gap_is_waited_for_and_then_given_up() -> None:
    buffer, packets = FrameBuffer(starts), stream(3, 3, 3)
    del packets[4]
    assert shape(feed(buffer, packets, 5.0)) == [(3, True, False)]
    assert buffer.next_deadline() == 5.0 + MIN_WAIT
    buffer.handle_timer(5.0)
    assert frames(buffer) == []
    buffer.handle_timer(5.0 + MIN_WAIT)
    assert shape(frames(buffer)) == [(2, False, True), (3, True, False)]
    assert buffer.lost == 1


def test_the_wait_of_a_gap_counts_from_what_came_behind_it() -> None:
    buffer, packets = FrameBuffer(starts), stream(1, 1, 1, 1, 1)
    feed(buffer, [packets[0], packets[2], packets[4]], 0.0)
    buffer.handle_timer(MIN_WAIT)
    assert shape(frames(buffer)) == [(1, True, False)] * 2


def test_a_lost_marker_ends_the_frame_with_the_next() -> None:
    buffer, packets = FrameBuffer(starts), stream(3, 3)
    del packets[2]
    feed(buffer, packets)
    buffer.handle_timer(1.0)
    assert shape(frames(buffer)) == [(2, False, False), (3, True, False)]


def test_a_lost_beginning_breaks_the_frame() -> None:
    buffer, packets = FrameBuffer(starts), stream(3, 3)
    del packets[3]
    assert shape(feed(buffer, packets)) == [(3, True, False)]
    buffer.handle_timer(1.0)
    assert shape(frames(buffer)) == [(2, False, False)]


def test_senders_without_marker() -> None:
    buffer = FrameBuffer(starts)
    assert shape(feed(buffer, stream(2, 2, 1, marker=False))) == [(2, True, False), (2, True, True)]


def test_the_first_packet_seen_may_have_overtaken_the_beginning() -> None:
    buffer, packets = FrameBuffer(starts), stream(3, first=0xFFFF)
    packets[0], packets[1] = packets[1], packets[0]
    assert shape(feed(buffer, packets)) == [(3, True, False)]


def test_a_lost_beginning_of_the_stream_is_asked_for() -> None:
    buffer, packets = FrameBuffer(starts, nack=True, starts_stream=lambda payload: payload == b"P"), stream(3, 2)
    first = RtpPacket(96, 0xFFFF, 0, 1, b"P")
    assert feed(buffer, packets[:2], 1.0) == []
    deadline = buffer.next_deadline()
    assert deadline is not None
    assert buffer.take_nacks(deadline)[-1] == 0xFFFF
    assert feed(buffer, [packets[2], *packets[3:]], 1.02) == []
    assert [len(frame.packets) for frame in feed(buffer, [first], 1.03)] == [4, 2]
    assert buffer.next_deadline() is None


def test_a_beginning_that_is_not_to_be_had_is_waited_for_no_longer_than_anything_else() -> None:
    buffer = FrameBuffer(starts, nack=True, starts_stream=lambda payload: payload == b"P")
    feed(buffer, stream(3), 1.0)
    buffer.handle_timer(1.0 + MAX_NACK_WAIT)
    assert shape(frames(buffer)) == [(3, True, False)]


def test_joining_in_the_middle_gives_a_broken_frame_first() -> None:
    buffer = FrameBuffer(starts)
    feed(buffer, stream(3, 2)[1:])
    buffer.handle_timer(1.0)
    assert shape(frames(buffer)) == [(2, False, False), (2, True, False)]


def test_latecomers_make_the_wait_longer_and_quiet_makes_it_short_again() -> None:
    buffer, packets = FrameBuffer(starts), stream(1, 1, 1)
    feed(buffer, [packets[0], packets[2]], 0.0)
    buffer.handle_timer(MIN_WAIT)
    feed(buffer, [packets[1]], 0.03)
    assert buffer.late == 1
    feed(buffer, [stream(1, first=4)[0]], 1.0)
    assert buffer.next_deadline() == pytest.approx(1.0 + 1.5 * MIN_WAIT, rel=0.02)
    for number in range(20):
        buffer.handle_timer(9.0 + number)
        feed(buffer, stream(1, first=2 * number + 6), 9.0 + number)
        buffer.handle_timer(9.5 + number)
        feed(buffer, stream(1, first=2 * number + 5), 9.6 + number)
    assert MIN_WAIT < buffer._wait <= MAX_WAIT
    feed(buffer, stream(*[1] * 400, first=45), 40.0)
    assert buffer._wait == MIN_WAIT


def test_duplicates_are_counted_and_change_nothing() -> None:
    buffer, packets = FrameBuffer(starts), stream(2, 2)
    feed(buffer, [packets[0], packets[0], packets[2], packets[2]])
    assert buffer.duplicates == 2
    assert buffer._wait == MIN_WAIT


def test_nack_asks_and_waits_for_a_round_trip() -> None:
    buffer, packets = FrameBuffer(starts, nack=True), stream(2, 2)
    buffer.measured(0.04)
    feed(buffer, [packets[0], packets[3]], 1.0)
    assert buffer.take_nacks(1.0) == ()
    deadline = buffer.next_deadline()
    assert deadline is not None
    assert buffer.take_nacks(deadline) == (1, 2)
    feed(buffer, [packets[1]], 1.05)
    buffer.handle_timer(1.1)
    assert buffer.next_frame() is None
    assert shape(feed(buffer, [packets[2]], 1.11)) == [(2, True, True)]
    assert buffer.next_deadline() is None


def test_nack_does_not_wait_for_ever() -> None:
    buffer, packets = FrameBuffer(starts, nack=True), stream(1, 1, 1)
    buffer.measured(5.0)
    feed(buffer, [packets[0], packets[2]], 1.0)
    buffer.handle_timer(1.0 + MAX_NACK_WAIT)
    assert shape(frames(buffer)) == [(1, True, False)]
    assert buffer.next_deadline() is None


def test_without_nack_nothing_is_asked() -> None:
    buffer, packets = FrameBuffer(starts), stream(1, 1, 1)
    buffer.measured(0.1)
    feed(buffer, [packets[0], packets[2]], 1.0)
    assert buffer.take_nacks(2.0) == ()


@pytest.mark.parametrize("nack", [False, True])
def test_another_source_begins_anew(nack: bool) -> None:
    buffer = FrameBuffer(starts, nack)
    feed(buffer, stream(3)[:2] + stream(3)[2:1:-1])
    found = feed(buffer, stream(2, 2, first=7000, ssrc=2))
    assert shape(found) == [(2, True, False), (2, True, True)]


def test_a_jump_of_the_sequence_begins_anew() -> None:
    buffer = FrameBuffer(starts)
    feed(buffer, stream(2))
    assert shape(feed(buffer, stream(2, first=30_000))) == [(2, True, False)]


def test_what_is_held_is_bounded() -> None:
    buffer = FrameBuffer(starts)
    packets = stream(1, 1, MAX_HELD + 10)
    feed(buffer, [packets[0]])
    for packet in packets[2:]:
        buffer.receive(packet, 0.0)
        assert len(buffer._held) <= MAX_HELD
    assert shape(frames(buffer)) == [(MAX_HELD + 10, True, False)]


def test_a_frame_without_end_is_bounded() -> None:
    buffer = FrameBuffer(starts)
    found = feed(buffer, stream(MAX_FRAME + 5, marker=False))
    assert shape(found) == [(MAX_FRAME, False, False)]


def test_frames_that_nobody_takes_are_bounded_and_break_the_sequence() -> None:
    buffer = FrameBuffer(starts)
    found = feed(buffer, stream(*[1] * (MAX_READY + 3)))
    assert len(found) == MAX_READY
    assert shape(feed(buffer, stream(1, 1, first=MAX_READY + 3))) == [(1, True, False), (1, True, True)]
