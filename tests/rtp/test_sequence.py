from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.sequence import SourceSwitch, extend


@given(st.integers(0, 1 << 40), st.integers(-0x8000, 0x7FFF))
def test_extend_finds_the_nearest(near: int, away: int) -> None:
    assert extend((near + away) & 0xFFFF, near) == near + away


@pytest.mark.parametrize(("value", "near", "found"), [(0, 0xFFFF, 0x10000), (0xFFFF, 0, -1), (5, 5, 5)])
def test_extend_over_the_edge(value: int, near: int, found: int) -> None:
    assert extend(value, near) == found


def packet(ssrc: int, number: int) -> RtpPacket:
    return RtpPacket(96, number, 0, ssrc, b"x")


def test_the_first_source_is_taken_at_once() -> None:
    switch = SourceSwitch()
    assert switch.admit(packet(1, 7)) == (packet(1, 7),)
    assert switch.ssrc == 1


def test_another_source_takes_over_with_its_second_packet_in_a_row() -> None:
    switch = SourceSwitch()
    switch.admit(packet(1, 7))
    assert switch.admit(packet(2, 0xFFFF)) == ()
    assert switch.admit(packet(2, 0)) == (packet(2, 0xFFFF), packet(2, 0))
    assert switch.ssrc == 2


def test_single_strangers_never_take_over() -> None:
    switch = SourceSwitch()
    switch.admit(packet(1, 7))
    assert switch.admit(packet(2, 5)) == ()
    assert switch.admit(packet(2, 9)) == ()
    assert switch.admit(packet(3, 10)) == ()
    assert switch.admit(packet(1, 8)) == (packet(1, 8),)
    assert switch.admit(packet(3, 11)) == ()
