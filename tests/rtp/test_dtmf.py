from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.dtmf import DIGITS, DtmfEvent, DtmfReceiver, digit_payloads
from meshdoor.rtp.packet import RtpPacket


def packets(digit: str, timestamp: int, ssrc: int = 1) -> list[RtpPacket]:
    return [
        RtpPacket(101, number, timestamp, ssrc, timed.payload, timed.marker)
        for number, timed in enumerate(digit_payloads(digit))
    ]


def heard(receiver: DtmfReceiver, some: list[RtpPacket]) -> str:
    return "".join(filter(None, map(receiver.receive, some)))


@given(st.builds(DtmfEvent, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF)))
def test_round_trip(event: DtmfEvent) -> None:
    assert DtmfEvent.parse(bytes(event)) == event


def test_a_digit_grows_and_ends_three_times() -> None:
    events = [DtmfEvent.parse(timed.payload) for timed in digit_payloads("5", 8000, 0.1)]
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert {event.event for event in events} == {5}


def test_only_the_first_packet_is_marked() -> None:
    timed = digit_payloads("#", 48_000)
    assert [part.marker for part in timed] == [True] + [False] * (len(timed) - 1)
    assert [round(part.delay, 3) for part in timed][:3] == [0.0, 0.02, 0.04]


def test_long_digits_stay_within_16_bits() -> None:
    assert DtmfEvent.parse(digit_payloads("1", 48_000, 3.0)[-1].payload).duration == 0xFFFF


@pytest.mark.parametrize("digit", ["", "12", "x", "é"])
def test_no_digit(digit: str) -> None:
    with pytest.raises(LocalProtocolError):
        digit_payloads(digit)


@given(st.text(DIGITS, max_size=6), st.data())
def test_each_digit_is_heard_once_whatever_is_lost(digits: str, data: st.DataObject) -> None:
    receiver, text = DtmfReceiver(), ""
    for number, digit in enumerate(digits):
        sent = packets(digit, 0xFFFFF000 + 1600 * number & 0xFFFFFFFF)
        kept = data.draw(st.lists(st.sampled_from(sent), min_size=1, max_size=12))
        text += heard(receiver, kept)
    assert text == digits


def test_stragglers_are_not_heard() -> None:
    receiver, one, two = DtmfReceiver(), packets("1", 1000), packets("2", 3000)
    assert heard(receiver, one[:3] + two + one[3:] + two) == "12"


def test_a_long_event_that_goes_on_is_one_digit() -> None:
    receiver = DtmfReceiver()
    first = RtpPacket(101, 0, 1000, 1, bytes(DtmfEvent(7, False, 10, 0xFFFF)), True)
    rest = RtpPacket(101, 1, 1000 + 0xFFFF, 1, bytes(DtmfEvent(7, True, 10, 800)))
    assert heard(receiver, [first, rest]) == "7"


def test_the_same_digit_again_is_another() -> None:
    assert heard(DtmfReceiver(), packets("7", 1000) + packets("7", 1800)) == "77"


def test_another_source_begins_anew() -> None:
    assert heard(DtmfReceiver(), packets("7", 1000) + packets("8", 1, ssrc=2)) == "78"


def test_other_events_are_no_digits() -> None:
    flash = RtpPacket(101, 0, 0, 1, bytes(DtmfEvent(16, False, 0, 160)), True)
    assert DtmfReceiver().receive(flash) is None


def test_cut_short() -> None:
    with pytest.raises(RtpError):
        DtmfReceiver().receive(RtpPacket(101, 0, 0, 1, b"abc"))
