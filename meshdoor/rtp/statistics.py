"""What one source sent us (RFC 3550 §A.1, §A.3, §A.8): loss and jitter, for report blocks."""

from __future__ import annotations

from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.rtcp import ReportBlock
from meshdoor.rtp.sequence import extend

MAX_DROPOUT = 3000  # §A.1: sequence numbers; farther away, the source has begun anew


def ntp_time(now: float) -> int:
    """64-bit fixed-point seconds of our own clock. Nothing but this process compares them (§4 allows any
    clock), so it needs not be the time of day."""
    return int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def compact(ntp: int) -> int:
    """The middle 32 bits, as LSR and DLSR count."""
    return ntp >> 16 & 0xFFFFFFFF


class SourceStatistics:
    """Counts the packets of one SSRC."""

    def __init__(self, first: RtpPacket, clock_rate: int) -> None:
        self.ssrc = first.ssrc
        self.received = 0
        self.jitter = 0.0  # timestamp units
        self._rate = clock_rate
        self._base = self._highest = first.sequence_number
        self._earlier_expected = self._earlier_received = 0
        self._transit: float | None = None
        self._timestamp = first.timestamp
        self._last_report: tuple[int, float] | None = None

    @property
    def expected(self) -> int:
        return self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """Less than nothing if packets came twice (§6.4.1)."""
        return self.expected - self.received

    def count(self, packet: RtpPacket, now: float) -> None:
        number = extend(packet.sequence_number, self._highest)
        if abs(number - self._highest) > MAX_DROPOUT:
            self._base = self._highest = number = packet.sequence_number
            self.received = self._earlier_expected = self._earlier_received = 0
            self._transit = None
        self._highest = max(self._highest, number)
        self.received += 1
        self._measure(packet.timestamp, now)

    def _measure(self, timestamp: int, now: float) -> None:
        self._timestamp = extend(timestamp, self._timestamp, 32)
        transit = now * self._rate - self._timestamp
        if self._transit is not None:
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit

    def sender_report(self, ntp: int, now: float) -> None:
        self._last_report = compact(ntp), now

    def report(self, now: float) -> ReportBlock:
        """The block for the next report; the fraction lost is that since the last one."""
        expected = self.expected - self._earlier_expected
        lost = expected - (self.received - self._earlier_received)
        self._earlier_expected, self._earlier_received = self.expected, self.received
        fraction = min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0
        last, delay = (0, 0)
        if self._last_report is not None:
            last = self._last_report[0]
            delay = min(0xFFFFFFFF, int((now - self._last_report[1]) * 65536))
        highest = self._highest & 0xFFFFFFFF
        return ReportBlock(self.ssrc, fraction, self.lost, highest, int(self.jitter), last, delay)
