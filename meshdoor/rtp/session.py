"""The RTCP side of one RTP session with one peer (RFC 3550 §6): reports both ways, and what feedback asks.

Verbs: sent, received, receive_rtcp, next_event, take_report, next_deadline; `feedback` makes what goes at once.
All `now` are of one monotonic clock, which also stands in the sender reports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import random as random_fraction

from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.rtcp import (
    Feedback,
    FullIntraRequest,
    GenericNack,
    Goodbye,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    build_compound,
    parse_compound,
    report_compound,
)
from meshdoor.rtp.statistics import SourceStatistics, compact, ntp_time

INTERVAL = 1.0  # s between reports, times 0.5 to 1.5 (§6.2 lets fast links go below its 5 s); ours
FIRST_INTERVAL = 0.2  # s; soon, since retransmissions wait for a round-trip time; ours
MAX_EVENTS = 64  # ours
MAX_ROUND_TRIP = 10.0  # s; more is a report of another clock; ours


@dataclass(frozen=True, slots=True)
class KeyFrameRequested:
    """PLI or FIR."""


@dataclass(frozen=True, slots=True)
class PacketsRequested:
    """NACK: sequence numbers to send again."""

    sequence_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """How the peer receives us. `round_trip` is None before our first report came back; s."""

    round_trip: float | None
    fraction_lost: float
    cumulative_lost: int
    jitter: float


@dataclass(frozen=True, slots=True)
class Left:
    """BYE: the source will send no more."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Collided:
    """The peer uses our SSRC (§8.2): say BYE, and go on with another."""


Event = KeyFrameRequested | PacketsRequested | Measured | Left | Collided


class RtcpSession:
    """One stream that we send and the one that we receive."""

    def __init__(
        self, ssrc: int, cname: str, clock_rate: int, random: Callable[[], float] = random_fraction
    ) -> None:
        self.ssrc = ssrc
        self.source: SourceStatistics | None = None
        self.packets_sent = self.octets_sent = 0
        self._cname = cname
        self._rate = clock_rate
        self._random = random
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._sent_at: tuple[int, float] | None = None
        self._sent_since_report = False
        self._next_report: float | None = None
        self._fir_seen: int | None = None
        self._fir_number = 0

    def sent(self, packets: int, octets: int, timestamp: int, now: float) -> None:
        """`octets` are those of the payloads alone (§6.4.1); `timestamp` is the RTP time of `now`."""
        self.packets_sent += packets
        self.octets_sent += octets
        self._sent_at, self._sent_since_report = (timestamp, now), True
        self._schedule_first(now)

    def received(self, packet: RtpPacket, now: float) -> None:
        if packet.ssrc == self.ssrc:
            self._events.append(Collided())
            return
        if self.source is None or self.source.ssrc != packet.ssrc:
            self.source = SourceStatistics(packet, self._rate)
        self.source.count(packet, now)
        self._schedule_first(now)

    def receive_rtcp(self, datagram: bytes, now: float) -> None:
        """A datagram in the clear. Raises RtpError."""
        for packet in parse_compound(datagram):
            self._handle(packet, now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """When to call `take_report`; None before anything was sent or received."""
        return self._next_report

    def take_report(self, now: float) -> bytes | None:
        """The compound packet that is due now, if one is."""
        if self._next_report is None or now < self._next_report:
            return None
        self._next_report = now + INTERVAL * (0.5 + self._random())
        return report_compound(self._report(now), self._cname)

    def picture_loss(self) -> bytes:
        """A compound packet with a PLI for the stream that we receive."""
        return self.feedback(PictureLossIndication(self.ssrc, self._remote()))

    def full_intra_request(self) -> bytes:
        """A compound packet with a FIR, for peers that know no PLI."""
        self._fir_number = (self._fir_number + 1) & 0xFF
        return self.feedback(FullIntraRequest(self.ssrc, ((self._remote(), self._fir_number),)))

    def nack(self, sequence_numbers: tuple[int, ...]) -> bytes:
        """A compound packet with a NACK."""
        return self.feedback(GenericNack(self.ssrc, self._remote(), sequence_numbers))

    def feedback(self, packet: Feedback) -> bytes:
        """Early feedback (RFC 4585 §3.5): an empty report leads, so that the next real one counts in full."""
        return report_compound(ReceiverReport(self.ssrc), self._cname, packet)

    def goodbye(self, now: float) -> bytes:
        """The last packet: a report and BYE."""
        return build_compound((self._report(now), Goodbye((self.ssrc,))))

    def _schedule_first(self, now: float) -> None:
        if self._next_report is None:
            self._next_report = now + FIRST_INTERVAL

    def _remote(self) -> int:
        return self.source.ssrc if self.source is not None else 0

    def _report(self, now: float) -> SenderReport | ReceiverReport:
        blocks = (self.source.report(now),) if self.source is not None else ()
        if not self._sent_since_report or self._sent_at is None:
            return ReceiverReport(self.ssrc, blocks)
        self._sent_since_report = False
        timestamp, at = self._sent_at
        rtp_time = (timestamp + int((now - at) * self._rate)) & 0xFFFFFFFF
        counts = (self.packets_sent & 0xFFFFFFFF, self.octets_sent & 0xFFFFFFFF)
        return SenderReport(self.ssrc, ntp_time(now), rtp_time, *counts, blocks)

    def _handle(self, packet: RtcpPacket, now: float) -> None:
        match packet:
            case SenderReport():
                if self.source is not None and packet.ssrc == self.source.ssrc:
                    self.source.sender_report(packet.ntp_time, now)
                self._measure(packet.reports, now)
            case ReceiverReport():
                self._measure(packet.reports, now)
            case Goodbye():
                self._events.extend(Left(source) for source in packet.sources)
            case PictureLossIndication() if packet.media in {self.ssrc, 0}:
                self._events.append(KeyFrameRequested())
            case FullIntraRequest():
                self._full_intra_requested(packet)
            case GenericNack() if packet.media == self.ssrc:
                self._events.append(PacketsRequested(packet.lost))
            case _:
                pass

    def _full_intra_requested(self, packet: FullIntraRequest) -> None:
        """A repeated command carries the same number and is one request (RFC 5104 §4.3.1.2)."""
        for ssrc, number in packet.entries:
            if ssrc == self.ssrc and number != self._fir_seen:
                self._fir_seen = number
                self._events.append(KeyFrameRequested())

    def _measure(self, reports: tuple[ReportBlock, ...], now: float) -> None:
        for block in reports:
            if block.ssrc == self.ssrc:
                jitter = block.jitter / self._rate
                trip = self._round_trip(block, now)
                self._events.append(Measured(trip, block.fraction_lost / 256, block.cumulative_lost, jitter))

    @staticmethod
    def _round_trip(block: ReportBlock, now: float) -> float | None:
        """§6.4.1, figure 2."""
        if not block.last_sr:
            return None
        units = (compact(ntp_time(now)) - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
        if units & 0x80000000:  # the peer rounded its delay up
            return 0.0
        return units / 65536 if units <= MAX_ROUND_TRIP * 65536 else None
