"""The H.264 payload format, receiving side (RFC 6184 §7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshdoor.rtp.h264 import FU_A, FU_END, FU_START, STAP_A
from meshdoor.rtp.nal import IDR, SPS, is_key_frame, join_annex_b
from meshdoor.rtp.packet import RtpPacket


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture as an Annex B byte stream. `intact` is False when something of it was lost."""

    data: bytes
    timestamp: int
    key: bool
    intact: bool


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
    """Whether an access unit may begin with this payload: any but a later fragment."""
    if not payload:
        return False
    return payload[0] & 0x1F != FU_A or (len(payload) > 1 and bool(payload[1] & FU_START))


def starts_key_frame(payload: bytes) -> bool:
    """Whether this payload begins a key frame: it holds an SPS or begins an IDR slice."""
    if len(payload) < 2:
        return False
    kind = payload[0] & 0x1F
    if kind == STAP_A:
        kind = payload[3] & 0x1F if len(payload) > 3 else 0
    elif kind == FU_A:
        kind = payload[1] & 0x1F if payload[1] & FU_START else 0
    return kind in {IDR, SPS}


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
