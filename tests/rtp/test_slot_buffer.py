from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import RtpError
from meshdoor.rtp import opus
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.slot_buffer import MAX_CONCEALED, MAX_DELAY, MAX_HELD, MIN_DELAY, Slot, SlotBuffer, Sound

RATE, SLOT = 8000, 160


def packet(number: int, timestamp: int | None = None, ssrc: int = 1, length: int = SLOT) -> RtpPacket:
    """Packet `number` of a talker who began at 0; its payload is full of its number."""
    time = SLOT * number if timestamp is None else timestamp
    payload = bytes((number & 0xFF,)) * length
    return RtpPacket(0, number & 0xFFFF, time & 0xFFFFFFFF, ssrc, payload)


def buffer(*packets: RtpPacket, now: float = 0.0) -> SlotBuffer:
    made = SlotBuffer(RATE, SLOT, len)
    for each in packets:
        made.receive(each, now)
    return made


def pulled(made: SlotBuffer, count: int, now: float = 0.0) -> str:
    """One sign a slot: the number of its packet, ? for concealed, + with correction, . for silence."""
    return "".join(sign(made.pull(now)) for _ in range(count))


def sign(slot: Slot) -> str:
    if slot.sound is Sound.PACKET:
        return str(slot.payload[0] % 10)
    if slot.sound is Sound.LOST:
        return "+" if slot.payload else "?"
    return "."


def test_sound_comes_out_in_order() -> None:
    assert pulled(buffer(packet(0), packet(2), packet(1), packet(3)), 4) == "0123"


def test_waits_for_two_packets_or_the_delay() -> None:
    made = buffer(packet(0))
    assert pulled(made, 1) == "."
    assert pulled(made, 1, MIN_DELAY) == "0"
    made = buffer(packet(0))
    made.receive(packet(1), 0.02)
    assert pulled(made, 1, 0.02) == "0"


def test_nothing_yet() -> None:
    assert buffer().pull(9.0) == Slot(Sound.SILENCE, SLOT)


def test_a_lost_packet_is_concealed_with_the_next_one_at_hand() -> None:
    made = buffer(packet(0), packet(1), packet(3))
    assert pulled(made, 4) == "01+3"
    assert made.lost == 1


def test_two_lost_packets() -> None:
    assert pulled(buffer(packet(0), packet(1), packet(4)), 5) == "01?+4"


def test_a_pause_of_the_sender_is_silence() -> None:
    assert pulled(buffer(packet(0), packet(1), packet(2, 5 * SLOT)), 6) == "01...2"


def test_a_long_pause_is_not_filled() -> None:
    assert pulled(buffer(packet(0), packet(1), packet(2, 70 * SLOT)), 3) == "012"


def test_the_clock_wraps() -> None:
    made = buffer(*(packet(number, 0xFFFFFFFF - SLOT + SLOT * number) for number in range(4)))
    assert pulled(made, 4) == "0123"


def test_running_dry_conceals_skips_nothing_and_ends_in_silence() -> None:
    made = buffer(packet(0), packet(1))
    assert pulled(made, 4) == "01??"
    made.receive(packet(2), 0.1)
    assert pulled(made, MAX_CONCEALED + 3) == "2" + "?" * MAX_CONCEALED + ".."
    for number in range(3, 7):
        made.receive(packet(number), 1.0)
    assert pulled(made, 4, 1.0) == "3456"


def test_latecomers_and_duplicates_are_dropped() -> None:
    made = buffer(packet(0), packet(1), packet(3), packet(3))
    pulled(made, 3)
    made.receive(packet(2), 0.1)
    assert pulled(made, 1) == "3"
    assert (made.late, made.duplicates) == (1, 1)


def test_the_delay_follows_the_jitter() -> None:
    chance, made = random.Random(3), buffer()
    assert made.delay == MIN_DELAY
    for number in range(300):
        made.receive(packet(number), 0.02 * number + chance.uniform(0, 0.06))
        pulled(made, 1, 0.02 * number)
    assert 0.05 < made.delay < MAX_DELAY
    for number in range(300, 500):
        made.receive(packet(number), 0.02 * number + chance.uniform(0, 2.0))
    assert made.delay == MAX_DELAY


def test_too_much_in_store_is_left_out_bit_by_bit() -> None:
    made = buffer(*(packet(number) for number in range(10)))
    for number in range(10, 500):
        pulled(made, 1, 0.02 * number)
        made.receive(packet(number), 0.02 * number)
    assert 4 <= made.skipped <= 8
    assert made._end - made._position <= made.delay * RATE + 3 * SLOT


def test_another_source_begins_anew() -> None:
    made = buffer(packet(0), packet(1), packet(7, ssrc=2), packet(8, ssrc=2))
    assert pulled(made, 2) == "78"


def test_a_jump_of_the_clock_begins_anew() -> None:
    made = buffer(packet(0), packet(1), packet(5, 1 << 30), packet(6, (1 << 30) + SLOT))
    assert pulled(made, 2) == "56"


def test_other_packet_lengths() -> None:
    made = buffer(packet(0, 0, length=240), packet(1, 240, length=240), packet(3, 720, length=240))
    slots = [made.pull(0.0) for _ in range(5)]
    assert [slot.duration for slot in slots] == [240, 240, 160, 80, 240]
    assert "".join(map(sign, slots)) == "01?+3"


def test_what_is_held_is_bounded() -> None:
    made = buffer(*(packet(number) for number in range(200)))
    assert len(made._held) == MAX_HELD
    assert made.skipped == 200 - MAX_HELD
    assert made.pull(0.0).payload[0] == 200 - MAX_HELD


def test_a_packet_without_sound_is_refused() -> None:
    with pytest.raises(RtpError):
        buffer(packet(0, length=0))
    with pytest.raises(RtpError):
        SlotBuffer(48_000, 960, opus.duration).receive(packet(0, length=0), 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 80), st.floats(0, 0.3), st.integers(0, 2)), max_size=80),
)
def test_whatever_comes_time_goes_on(arrivals: list[tuple[int, float, int]]) -> None:
    made, played, now = buffer(), [], 0.0
    for number, wait, pulls in arrivals:
        now += wait
        made.receive(packet(number), now)
        for _ in range(pulls):
            slot = made.pull(now)
            assert slot.duration > 0
            if slot.sound is Sound.PACKET:
                played.append(slot.payload[0])
    assert played == sorted(set(played))
