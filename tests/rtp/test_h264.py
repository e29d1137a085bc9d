from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError
from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.h264 import H264Packetizer
from meshdoor.rtp.h264_depacketizer import depacketize, starts_frame, starts_key_frame, starts_stream
from meshdoor.rtp.nal import ParameterSets, join_annex_b, split_annex_b
from meshdoor.rtp.packet import RtpPacket

SPS, PPS = b"\x67\x42\xc0\x1f\xaa", b"\x68\xce\x3c\x80"
SEI, DELIMITER = b"\x06\x05\x04text\x80", b"\x09\xf0"


def idr(length: int) -> bytes:
    return b"\x65\x88" + b"\x5a" * (length - 2)


def picture(length: int) -> bytes:
    return b"\x41\x9a" + b"\xa5" * (length - 2)


def packets(payloads: list[bytes], first: int = 0) -> list[RtpPacket]:
    groups = RtpStream(1, 96, first).groups(payloads, 3000)
    return [RtpPacket.parse(data) for group in groups for data in group.packets]


def received(payloads: list[bytes], *dropped: int) -> AccessUnit:
    return depacketize([packet for at, packet in enumerate(packets(payloads)) if at not in dropped])


def test_a_key_frame_is_two_groups() -> None:
    payloads = H264Packetizer().payloads(join_annex_b([DELIMITER, SPS, PPS, SEI, idr(5000)]))
    groups = RtpStream(1, 96).groups(payloads, 0)
    assert [len(group.payloads) for group in groups] == [1, 5]
    assert payloads[0][0] & 0x1F == 24
    assert len({len(payload) for payload in payloads[1:-1]}) == 1


def test_a_picture_is_one_group() -> None:
    payloads = H264Packetizer().payloads(join_annex_b([picture(5000)]))
    assert len(RtpStream(1, 96).groups(payloads, 0)) == 1


@given(st.integers(1199, 9000), st.integers(100, 1300))
def test_fragments_are_equal_but_the_last(length: int, max_payload: int) -> None:
    payloads = H264Packetizer(max_payload).payloads(join_annex_b([picture(length)]))
    *most, last = map(len, payloads)
    assert len(set(most)) <= 1
    assert last <= max([*most, last]) <= max_payload
    assert max([*most, last]) - last < len(payloads)


nal_units = st.lists(
    st.builds(lambda kind, body: bytes((0x60 | kind,)) + body, st.sampled_from([1, 5, 6, 7, 8]),
              st.integers(1, 400).map(lambda length: b"\xab" * length)),
    min_size=1, max_size=8,
)  # fmt: skip


@given(nal_units, st.integers(20, 300), st.integers(0, 0xFFFF))
def test_round_trip(nals: list[bytes], max_payload: int, first: int) -> None:
    packetizer = H264Packetizer(max_payload)
    payloads = packetizer.payloads(join_annex_b(nals))
    assert all(0 < len(payload) <= max_payload for payload in payloads)
    unit = depacketize(packets(payloads, first))
    assert unit.intact
    assert split_annex_b(unit.data) == nals


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6))
def test_any_payloads_give_whole_nal_units(payloads: list[bytes]) -> None:
    received(payloads)
    for payload in payloads:
        assert starts_frame(payload) or not starts_key_frame(payload)


def test_mode_0_sends_nal_units_whole() -> None:
    packetizer = H264Packetizer(packetization_mode=0)
    nals = [SPS, PPS, idr(5000)]
    assert packetizer.payloads(join_annex_b(nals)) == nals
    with pytest.raises(LocalProtocolError):
        packetizer.payloads_of([picture(70_000)])


def test_there_is_no_mode_2() -> None:
    with pytest.raises(LocalProtocolError):
        H264Packetizer(packetization_mode=2)


def test_parameter_sets_are_repeated_with_each_key_frame() -> None:
    packetizer = H264Packetizer()
    packetizer.payloads(join_annex_b([SPS, PPS, idr(100)]))
    unit = received(packetizer.payloads(join_annex_b([idr(100)])))
    assert split_annex_b(unit.data) == [SPS, PPS, idr(100)]


def test_parameter_sets_may_be_given() -> None:
    packetizer = H264Packetizer(parameter_sets=ParameterSets((SPS, PPS)))
    unit = received(packetizer.payloads_of([SPS, idr(100)]))
    assert split_annex_b(unit.data) == [SPS, PPS, idr(100)]
    assert split_annex_b(received(packetizer.payloads_of([picture(100)])).data) == [picture(100)]


def test_nothing_to_send() -> None:
    assert H264Packetizer().payloads(join_annex_b([DELIMITER])) == []


def test_small_units_share_packets_until_one_is_full() -> None:
    payloads = H264Packetizer(100).payloads_of([picture(45), picture(45), picture(45), picture(100)])
    assert [len(payload) for payload in payloads] == [95, 45, 100]


def test_key_and_timestamp() -> None:
    key = received(H264Packetizer().payloads_of([SPS, PPS, idr(50)]))
    assert key.key
    assert key.timestamp == 3000
    assert not received([picture(50)]).key


@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_a_lost_fragment_takes_its_nal_unit(dropped: int) -> None:
    payloads = [SEI, *H264Packetizer(100).payloads_of([picture(290)])]
    unit = received(payloads, dropped + 1)
    assert not unit.intact
    assert split_annex_b(unit.data) == [SEI]


def test_what_is_whole_is_kept() -> None:
    payloads = [*H264Packetizer(100).payloads_of([picture(290)])[:2], picture(20)]
    assert received(payloads) == AccessUnit(join_annex_b([picture(20)]), 3000, key=False, intact=False)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x18\x00",  # STAP-A that ends within a length
        b"\x18\x00\x00",  # of nothing
        b"\x18\x00\x09abc",  # longer than the packet
        b"\x1c\x85",  # FU-A without data
        b"\x1d\x85\x00\x00\xff",  # FU-B, mode 2 only
        b"\x1e\xff",
    ],
)
def test_malformed_counts_as_lost(payload: bytes) -> None:
    assert received([payload]).intact is False


def test_two_starts_without_an_end() -> None:
    payloads = H264Packetizer(100).payloads_of([picture(290)])
    unit = received([payloads[0], *payloads])
    assert not unit.intact
    assert split_annex_b(unit.data) == [picture(290)]


@pytest.mark.parametrize(
    ("payload", "frame", "key"),
    [
        (b"", False, False),
        (SPS, True, True),
        (PPS, True, False),
        (b"\x65\x88\x01", True, True),
        (b"\x65\x08\x01", False, False),  # a later slice
        (b"\x41", False, False),
        (b"\x41\x9a", True, False),
        (b"\x18\x00\x05" + SPS, True, True),
        (b"\x18\x00\x02\x65\x08", False, False),
        (b"\x18\x00", False, False),
        (b"\x7c\x85\x88", True, True),
        (b"\x7c\x05\x88", False, False),
        (b"\x7c\x85", False, False),
        (b"\x7c\x81\x9a", True, False),
    ],
)
def test_what_starts_a_frame(payload: bytes, frame: bool, key: bool) -> None:
    assert (starts_frame(payload), starts_key_frame(payload)) == (frame, key)


@pytest.mark.parametrize(
    ("payload", "first"),
    [(SPS, True), (b"\x18\x00\x05" + SPS, True), (b"\x41\x9a", True), (PPS, False), (b"\x7c\x85\x88", False)],
)
def test_what_a_stream_may_begin_with(payload: bytes, first: bool) -> None:
    assert starts_stream(payload) is first
