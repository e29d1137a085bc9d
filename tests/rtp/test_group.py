from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.rtp.group import MAX_BYTES, MAX_PACKETS, MAX_SEGMENT, Group, RtpStream
from meshdoor.rtp.packet import RtpPacket


def groups(*sizes: int, sequence_number: int = 0) -> list[Group]:
    return RtpStream(7, 96, sequence_number).groups([bytes(size) for size in sizes], 1000)


def sizes(found: list[Group]) -> list[list[int]]:
    return [[len(payload) for payload in group.payloads] for group in found]


def test_a_picture_of_equal_fragments_is_one_group() -> None:
    assert sizes(groups(1100, 1100, 1100, 1090)) == [[1100, 1100, 1100, 1090]]


def test_only_the_last_may_be_smaller() -> None:
    assert sizes(groups(30, 900, 900, 800, 900, 850)) == [[30], [900, 900, 800], [900, 850]]


def test_a_group_ends_where_the_kernel_would_refuse() -> None:
    assert [len(group.payloads) for group in groups(*[100] * 120)] == [50, 50, 20]
    assert sizes(groups(5000, 5000, 10)) == [[5000], [5000], [10]]
    assert max(len(group.payloads) for group in groups(*[1400] * 60)) == MAX_BYTES // 1412


def test_a_shorter_packet_does_not_exceed_the_limit() -> None:
    assert sizes(groups(*[100] * 50, 90)) == [[100] * 50, [90]]


@given(st.lists(st.sampled_from([1, 500, 1200, 1424, 1425, 60_000]), max_size=130), st.integers(0, 0xFFFF))
def test_groups_hold_all_packets_in_order(wanted: list[int], first: int) -> None:
    found = groups(*wanted, sequence_number=first)
    packets = [RtpPacket.parse(data) for group in found for data in group.packets]
    assert [len(packet.payload) for packet in packets] == wanted
    assert [packet.sequence_number for packet in packets] == [(first + step) & 0xFFFF for step in range(len(wanted))]
    assert [packet.marker for packet in packets] == [False] * (len(wanted) - 1) + [True] * bool(wanted)
    for group in found:
        *most, last = (len(packet) for packet in group.packets)
        assert set(most) <= {group.packet_size}
        assert last <= group.packet_size
        assert len(group.payloads) == 1 or (group.packet_size <= MAX_SEGMENT and len(most) < MAX_PACKETS)


def test_numbers_go_on_from_one_access_unit_to_the_next() -> None:
    stream = RtpStream(7, 96, 0xFFFF)
    first, second = stream.groups([b"a"], 1), stream.groups([b"b", b"c"], 2, marker=False)
    assert [group.sequence_number for group in first + second] == [0xFFFF, 0]
    assert [RtpPacket.parse(data).marker for data in second[0].packets] == [False, False]
    assert stream.sequence_number == 2


def test_spaced_is_made_once() -> None:
    (group,) = groups(3, 2)
    first, second = group.packets
    assert group.spaced(10) == first + bytes(10) + second + bytes(10)
    assert group.spaced(10) is group.spaced(10)


def test_another_payload_type_keeps_all_else() -> None:
    (group,) = groups(3, 2)
    group.spaced(0)
    changed = group.with_payload_type(102)
    assert [RtpPacket.parse(data)._replace(payload_type=96) for data in changed.packets] == [
        RtpPacket.parse(data) for data in group.packets
    ]
    assert changed.spaced(0) == b"".join(changed.packets)


def test_another_numbering_keeps_all_else() -> None:
    (group,) = groups(3, 2)
    changed = group.renumbered(0xFFFF)
    numbers = [RtpPacket.parse(data).sequence_number for data in changed.packets]
    assert changed.sequence_number == 0xFFFF
    assert numbers == [(0xFFFF + step) & 0xFFFF for step in range(len(numbers))]
    assert changed.renumbered(group.sequence_number) == group
