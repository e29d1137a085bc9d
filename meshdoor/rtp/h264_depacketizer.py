"""The H.264 payload format, receiving side (RFC 6184 §7)."""

from __future__ import annotations

from collections.abc import Sequence

from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.h264 import FU_A, FU_END, FU_START, STAP_A
from meshdoor.rtp.nal import IDR, PPS, SEI, SLICE, SPS, is_key_frame, join_annex_b, nal_type
from meshdoor.rtp.packet import RtpPacket


def depacketize(packets: Sequence[RtpPacket]) -> AccessUnit:
    """The packets of one RTP timestamp in order of sequence, with holes where some were lost.

    A fragmented NAL unit with a hole is left out whole; what is malformed counts as lost."""
    units = _Units()
    expected = packets[0].sequence_number
    for packet in packets:
        if packet.sequence_number != expected:
            units.hole()
        expected = (packet.sequence_number + 1) & 0xFFFF
        units.add(packet.payload)
    units.end()
    data = join_annex_b(units.nals)
    return AccessUnit(data, packets[0].timestamp, is_key_frame(units.nals), units.intact)


def starts_frame(payload: bytes) -> bool:
    """Whether an access unit begins with this payload: with parameter sets or such, or with the first slice."""
    nal = _first_nal(payload)
    if not nal:
        return False
    # first_mb_in_slice is 0 just when the first bit of the slice header is set (H.264 §7.3.3, §9.1).
    return nal_type(nal) not in {SLICE, IDR} or (len(nal) > 1 and nal[1] >= 0x80)


def starts_stream(payload: bytes) -> bool:
    """Whether nothing need go before this payload. Before an IDR slice go its parameter sets, and the SPS first."""
    return starts_frame(payload) and nal_type(_first_nal(payload)) not in {IDR, PPS, SEI}


def starts_key_frame(payload: bytes) -> bool:
    """Whether this payload begins a key frame: with an SPS or with the first IDR slice."""
    return starts_frame(payload) and nal_type(_first_nal(payload)) in {IDR, SPS}


def _first_nal(payload: bytes) -> bytes:
    """The beginning of the NAL unit that begins in this payload; empty when none does."""
    kind = payload[0] & 0x1F if payload else 0
    if kind == STAP_A:
        return payload[3:5]
    if kind != FU_A:
        return payload[:2]
    if len(payload) < 3 or not payload[1] & FU_START:
        return b""
    return bytes((payload[1] & 0x1F, payload[2]))


class _Units:
    """NAL units in the making, with the fragments of at most one."""

    def __init__(self) -> None:
        self.nals: list[bytes] = []
        self.intact = True
        self._fragments: list[bytes] = []

    def hole(self) -> None:
        self.intact = False
        self._fragments = []

    def end(self) -> None:
        if self._fragments:
            self.hole()

    def add(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F if payload else 0
        if kind == FU_A and len(payload) > 2:
            self._fragment(payload)
            return
        self.end()
        if 1 <= kind < STAP_A:
            self.nals.append(payload)
        elif kind == STAP_A:
            self._aggregate(payload)
        else:
            self.hole()

    def _fragment(self, payload: bytes) -> None:
        indicator, header = payload[0], payload[1]
        if header & FU_START:
            self.end()
            self._fragments = [bytes((indicator & 0xE0 | header & 0x1F,))]
        if not self._fragments:
            self.hole()
            return
        self._fragments.append(payload[2:])
        if header & FU_END:
            self.nals.append(b"".join(self._fragments))
            self._fragments = []

    def _aggregate(self, payload: bytes) -> None:
        at = 1
        while at < len(payload):
            start = at + 2
            at = start + int.from_bytes(payload[at:start], "big")
            if at > len(payload) or at == start:
                self.hole()
                return
            self.nals.append(payload[start:at])
