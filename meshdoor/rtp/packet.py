"""The RTP data packet (RFC 3550 §5.1) and telling it from RTCP on one port (RFC 5761 §4)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from meshdoor.errors import LocalProtocolError, RtpError

HEADER_LENGTH = 12
MAX_CSRC = 15
HEADER = struct.Struct("!BBHII")
_WORD = struct.Struct("!I")
_EXTENSION = struct.Struct("!HH")

_PLAIN = 0x80  # version 2, no padding, no extension, no CSRC: what nearly every packet starts with
_PADDING, _EXTENDED = 0x20, 0x10


class Extension(NamedTuple):
    """A header extension (§5.3.1); `data` is whole 32-bit words."""

    profile: int
    data: bytes


class RtpPacket(NamedTuple):
    """One RTP packet. A named tuple, since it is made once for each packet that arrives."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: Extension | None = None
    padding: int = 0

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Raises RtpError for what is not RTP version 2 or is cut short."""
        if len(data) < HEADER_LENGTH:
            raise RtpError(f"RTP packet of {len(data)} bytes")
        first, second, sequence_number, timestamp, ssrc = HEADER.unpack_from(data)
        if first == _PLAIN:
            return cls(second & 0x7F, sequence_number, timestamp, ssrc, data[12:], second > 0x7F)
        if first >> 6 != 2:
            raise RtpError(f"RTP version {first >> 6}")
        csrc, extension, start = _header_rest(data)
        padding = _padding_length(data, start) if first & _PADDING else 0
        payload = data[start : len(data) - padding]
        head = (second & 0x7F, sequence_number, timestamp, ssrc)
        return cls(*head, payload, second > 0x7F, csrc, extension, padding)

    def __bytes__(self) -> bytes:
        first = _PLAIN | len(self.csrc)
        first |= _EXTENDED if self.extension is not None else 0
        first |= _PADDING if self.padding else 0
        head = HEADER.pack(
            first, self.marker << 7 | self.payload_type, self.sequence_number, self.timestamp, self.ssrc
        )
        tail = bytes(self.padding - 1) + bytes((self.padding,)) if self.padding else b""
        return b"".join((head, *map(_WORD.pack, self.csrc), self._extension_bytes(), self.payload, tail))

    def _extension_bytes(self) -> bytes:
        if self.extension is None:
            return b""
        profile, data = self.extension
        if len(data) % 4:
            raise LocalProtocolError("an RTP header extension is whole 32-bit words")
        return _EXTENSION.pack(profile, len(data) // 4) + data


def header_length(data: bytes) -> int:
    """Bytes before the payload, without looking at padding (which SRTP encrypts). Raises RtpError."""
    if len(data) < HEADER_LENGTH or data[0] >> 6 != 2:
        raise RtpError("not an RTP packet")
    length = HEADER_LENGTH + 4 * (data[0] & 0x0F)
    if data[0] & _EXTENDED:
        if len(data) < length + 4:
            raise RtpError("RTP header extension is cut short")
        length += 4 + 4 * _EXTENSION.unpack_from(data, length)[1]
    if length > len(data):
        raise RtpError("RTP header is cut short")
    return length


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram of a port shared by both is RTCP (RFC 5761 §4: packet types 192 to 223)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def _header_rest(data: bytes) -> tuple[tuple[int, ...], Extension | None, int]:
    start = header_length(data)
    end_of_csrc = HEADER_LENGTH + 4 * (data[0] & 0x0F)
    csrc = tuple(_WORD.unpack_from(data, at)[0] for at in range(HEADER_LENGTH, end_of_csrc, 4))
    if not data[0] & _EXTENDED:
        return csrc, None, start
    profile = _EXTENSION.unpack_from(data, end_of_csrc)[0]
    return csrc, Extension(profile, data[end_of_csrc + 4 : start]), start


def _padding_length(data: bytes, start: int) -> int:
    padding = data[-1]
    if not 0 < padding <= len(data) - start:
        raise RtpError(f"RTP padding of {padding} bytes does not fit")
    return padding
