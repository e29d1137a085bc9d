"""Sequence number and timestamp arithmetic (RFC 3550 §5.1, RFC 3711 §3.3.1), and who may speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshdoor.rtp.packet import RtpPacket


def extend(value: int, near: int, bits: int = 16) -> int:
    """The number nearest to `near` whose low `bits` are `value`; may be negative next to zero."""
    half = 1 << (bits - 1)
    return near + ((value - near + half) & ((1 << bits) - 1)) - half


class SourceSwitch:
    """Which SSRC a buffer listens to. A new one takes over with its second packet in a row
    (RFC 3550 §A.1: a source is on probation until two packets are in sequence)."""

    def __init__(self) -> None:
        self.ssrc: int | None = None
        self._candidate: RtpPacket | None = None

    def admit(self, packet: RtpPacket) -> tuple[RtpPacket, ...]:
        """The packets to take in now: this one, none (on probation), or two (a new SSRC took over)."""
        if packet.ssrc == self.ssrc:
            self._candidate = None
            return (packet,)
        candidate, self._candidate = self._candidate, packet
        if self.ssrc is None:
            self.ssrc, self._candidate = packet.ssrc, None
            return (packet,)
        if candidate is None or not _follows(candidate, packet):
            return ()
        self.ssrc, self._candidate = packet.ssrc, None
        return (candidate, packet)


def _follows(first: RtpPacket, second: RtpPacket) -> bool:
    return first.ssrc == second.ssrc and second.sequence_number == (first.sequence_number + 1) & 0xFFFF
