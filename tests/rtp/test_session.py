from __future__ import annotations

import pytest

from meshdoor.errors import RtpError
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.rtcp import (
    FullIntraRequest,
    GenericNack,
    Goodbye,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    build_compound,
    parse_compound,
)
from meshdoor.rtp.session import (
    FIRST_INTERVAL,
    INTERVAL,
    Collided,
    Event,
    KeyFrameRequested,
    Left,
    Measured,
    PacketsRequested,
    RtcpSession,
)

RATE = 90_000
DOOR, SCREEN = 0xD0, 0x5C


def session(ssrc: int) -> RtcpSession:
    return RtcpSession(ssrc, "a door", RATE, random=lambda: 0.5)


def packet(number: int, timestamp: int = 0, ssrc: int = DOOR) -> RtpPacket:
    return RtpPacket(96, number & 0xFFFF, timestamp, ssrc, b"x")


def events(found: RtcpSession) -> list[Event]:
    return list(iter(found.next_event, None))


def told(ssrc: int, *packets: PictureLossIndication | FullIntraRequest | GenericNack | Goodbye) -> list[Event]:
    found = session(ssrc)
    found.receive_rtcp(build_compound(packets), 0)
    return events(found)


def block_of(datagram: bytes | None) -> ReportBlock:
    assert datagram is not None
    report = parse_compound(datagram)[0]
    assert isinstance(report, SenderReport | ReceiverReport)
    return report.reports[0]


def test_the_round_trip_is_measured_both_ways() -> None:
    door, screen = session(DOOR), session(SCREEN)
    door.sent(10, 12_000, 90, 1000.0)
    screen.received(packet(0), 1000.02)
    report = door.take_report(1000.2)
    assert report is not None
    screen.receive_rtcp(report, 1000.22)
    answer = screen.take_report(1000.7)
    assert answer is not None
    door.receive_rtcp(answer, 1000.73)
    (measured,) = events(door)
    assert isinstance(measured, Measured)
    assert measured.round_trip == pytest.approx(0.05, abs=0.001)


def test_a_sender_report_tells_the_rtp_time_of_now() -> None:
    door = session(DOOR)
    door.sent(3, 3600, 0xFFFFFFFF, 10.0)
    datagram = door.take_report(11.0)
    assert datagram is not None
    report = parse_compound(datagram)[0]
    assert report == SenderReport(DOOR, 11 << 32, RATE - 1, 3, 3600)


def test_who_sent_nothing_since_reports_only_what_it_receives() -> None:
    door = session(DOOR)
    door.sent(1, 1, 0, 0.0)
    door.take_report(1.0)
    again = door.take_report(3.0)
    assert again is not None
    assert parse_compound(again)[0] == ReceiverReport(DOOR)


def test_reports_come_soon_and_then_regularly() -> None:
    screen = session(SCREEN)
    assert screen.next_deadline() is None
    assert screen.take_report(0.0) is None
    screen.received(packet(0), 5.0)
    screen.received(packet(1), 5.1)
    assert screen.next_deadline() == 5.0 + FIRST_INTERVAL
    assert screen.take_report(5.1) is None
    assert screen.take_report(5.3) is not None
    assert screen.next_deadline() == 5.3 + INTERVAL


def test_loss_is_counted_since_the_last_report_and_in_all() -> None:
    screen = session(SCREEN)
    for number in range(0xFFF0, 0x10010):
        if number % 4:
            screen.received(packet(number), 0.0)
    screen.received(packet(0x10010), 0.0)
    first = block_of(screen.take_report(1.0))
    assert (first.fraction_lost, first.cumulative_lost) == (7 * 256 // 32, 7)
    assert first.highest_sequence == 0x10010
    screen.received(packet(0x10011), 1.0)
    second = block_of(screen.take_report(3.0))
    assert (second.fraction_lost, second.cumulative_lost) == (0, 7)


def test_duplicates_are_less_than_no_loss() -> None:
    screen = session(SCREEN)
    for number in (1, 1, 1):
        screen.received(packet(number), 0.0)
    assert block_of(screen.take_report(1.0)).cumulative_lost == -2
    assert block_of(screen.take_report(3.0)).fraction_lost == 0


def test_jitter_of_even_arrivals_is_nothing() -> None:
    screen = session(SCREEN)
    for number in range(50):
        screen.received(packet(number, 0xFFFFF000 + 3000 * number & 0xFFFFFFFF), number / 30)
    assert block_of(screen.take_report(5.0)).jitter == 0


def test_jitter_of_uneven_arrivals() -> None:
    screen = session(SCREEN)
    for number in range(200):
        screen.received(packet(number, 3000 * number), number / 30 + 0.01 * (number % 2))
    assert block_of(screen.take_report(9.0)).jitter == pytest.approx(900, abs=5)


def test_a_source_that_jumps_begins_anew() -> None:
    screen = session(SCREEN)
    for number in (1, 2, 20_000, 20_001):
        screen.received(packet(number), 0.0)
    assert block_of(screen.take_report(1.0)).cumulative_lost == 0


def test_another_source_is_counted_by_itself() -> None:
    screen = session(SCREEN)
    screen.received(packet(1), 0.0)
    screen.received(packet(9, ssrc=0xE0), 0.0)
    assert block_of(screen.take_report(1.0)).ssrc == 0xE0


def test_reports_of_others_are_not_for_us() -> None:
    door, block = session(DOOR), ReportBlock(0x77, 0, 0, 0, 0, 0, 0)
    door.receive_rtcp(bytes(SenderReport(SCREEN, 0, 0, 0, 0, (block,))), 0)
    assert events(door) == []


@pytest.mark.parametrize(
    ("last_sr", "delay", "trip"),
    [(0, 0, None), (100 << 16, 0, 0.0), (100 << 16, 9, 0.0), (99 << 16, 1 << 15, 0.5), (1 << 16, 0, None)],
)
def test_round_trips_that_make_sense(last_sr: int, delay: int, trip: float | None) -> None:
    door, block = session(DOOR), ReportBlock(DOOR, 64, 5, 0, 9000, last_sr, delay)
    door.receive_rtcp(bytes(ReceiverReport(SCREEN, (block,))), 100.0)
    assert events(door) == [Measured(trip, 0.25, 5, 0.1)]


def test_what_feedback_asks() -> None:
    assert told(DOOR, PictureLossIndication(1, DOOR)) == [KeyFrameRequested()]
    assert told(DOOR, PictureLossIndication(1, 0)) == [KeyFrameRequested()]
    assert told(DOOR, PictureLossIndication(1, 2)) == []
    assert told(DOOR, GenericNack(1, DOOR, (4, 5))) == [PacketsRequested((4, 5))]
    assert told(DOOR, GenericNack(1, 2, (4, 5))) == []
    assert told(DOOR, Goodbye((3,))) == [Left(3)]


def test_a_repeated_fir_is_one_request() -> None:
    first, second, other = ((FullIntraRequest(1, ((ssrc, number),))) for ssrc, number in ((DOOR, 1), (DOOR, 2), (9, 3)))
    assert told(DOOR, first, first, second, other) == [KeyFrameRequested(), KeyFrameRequested()]


def test_two_sessions_understand_each_other() -> None:
    door, screen = session(DOOR), session(SCREEN)
    screen.received(packet(1), 0.0)
    for datagram in (
        screen.picture_loss(),
        screen.full_intra_request(),
        screen.full_intra_request(),
        screen.nack((7, 9)),
        screen.goodbye(1.0),
    ):
        door.receive_rtcp(datagram, 1.0)
    wanted = [KeyFrameRequested()] * 3 + [PacketsRequested((7, 9))]
    assert [event for event in events(door) if not isinstance(event, Measured)] == [*wanted, Left(SCREEN)]


def test_feedback_before_anything_came() -> None:
    door = session(DOOR)
    door.receive_rtcp(session(SCREEN).picture_loss(), 0.0)
    assert events(door) == [KeyFrameRequested()]


def test_a_collision_of_ssrcs_is_told() -> None:
    screen = session(DOOR)
    screen.received(packet(1), 0.0)
    assert events(screen) == [Collided()]


def test_a_sender_report_of_a_stranger_is_not_kept() -> None:
    screen = session(SCREEN)
    screen.receive_rtcp(bytes(SenderReport(0x77, 1 << 32, 0, 0, 0)), 0.0)
    screen.received(packet(1), 0.0)
    screen.receive_rtcp(bytes(SenderReport(0x77, 1 << 32, 0, 0, 0)), 0.0)
    assert block_of(screen.take_report(1.0)).last_sr == 0


def test_junk_raises() -> None:
    with pytest.raises(RtpError):
        session(DOOR).receive_rtcp(b"junk", 0.0)
