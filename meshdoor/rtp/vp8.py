"""The VP8 payload format (RFC 7741), for peers without H.264."""

from __future__ import annotations

from collections.abc import Sequence

from meshdoor.rtp.access_unit import AccessUnit
from meshdoor.rtp.packet import RtpPacket

CLOCK_RATE = 90_000  # Hz, §6.1
MAX_PAYLOAD = 1200  # ours, as for H.264

# The payload descriptor, §4.2.
_EXTENDED, _START, _PARTITION = 0x80, 0x10, 0x07
_PICTURE_ID, _TL0PICIDX, _TID, _KEYIDX = 0x80, 0x40, 0x20, 0x10
_LONG_PICTURE_ID = 0x80
_NOT_KEY = 0x01  # the P bit of the frame itself, §4.3


def payloads(frame: bytes, max_payload: int = MAX_PAYLOAD) -> list[bytes]:
    """One frame cut into payloads of equal size (the last may be smaller), under the shortest descriptor."""
    if not frame:
        return []
    count = -(-len(frame) // (max_payload - 1))
    size = -(-len(frame) // count)
    parts = [b"\0" + frame[at : at + size] for at in range(0, len(frame), size)]
    parts[0] = bytes((_START,)) + parts[0][1:]
    return parts


def depacketize(packets: Sequence[RtpPacket]) -> AccessUnit:
    """The packets of one RTP timestamp in order of sequence. A frame with a hole is given up whole."""
    parts, intact = [], starts_frame(packets[0].payload)
    first = packets[0].sequence_number
    for number, packet in enumerate(packets, first):
        length = _descriptor_length(packet.payload)
        intact = intact and length > 0 and packet.sequence_number == number & 0xFFFF
        parts.append(packet.payload[length:])
    data = b"".join(parts) if intact else b""
    return AccessUnit(data, packets[0].timestamp, starts_key_frame(packets[0].payload), intact)


def starts_frame(payload: bytes) -> bool:
    return bool(payload) and payload[0] & (_START | _PARTITION) == _START and _descriptor_length(payload) > 0


def starts_key_frame(payload: bytes) -> bool:
    return starts_frame(payload) and not payload[_descriptor_length(payload)] & _NOT_KEY


def _descriptor_length(payload: bytes) -> int:
    """Bytes before the VP8 data; 0 when there is no VP8 data."""
    length = 1
    if payload and payload[0] & _EXTENDED:
        flags = payload[1] if len(payload) > 1 else 0
        length = 2
        if flags & _PICTURE_ID:
            length += 2 if len(payload) > 2 and payload[2] & _LONG_PICTURE_ID else 1
        length += bool(flags & _TL0PICIDX) + bool(flags & (_TID | _KEYIDX))
    return length if length < len(payload) else 0
