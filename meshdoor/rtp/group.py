"""Packets that leave in one call: the shape that UDP_SEGMENT (Linux GSO) wants.

The kernel cuts the bytes of one send into datagrams of one size, and only the last may be smaller. So the
packets of an access unit are kept as few runs of equal size, each a `Group`. Headers and payloads are made
once; all sinks share them, and each sink encrypts them under its own key.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from meshdoor.rtp.packet import HEADER, HEADER_LENGTH

# Ours: the kernel takes 64 segments and 65,507 bytes; some drivers take less.
MAX_PACKETS = 50
MAX_BYTES = 60_000
# IPv6 over Ethernet: 1500 - 40 - 8 bytes, less the longest SRTP tag. What is larger is fragmented by IP,
# which the kernel refuses to do within a group.
MAX_SEGMENT = 1436

_NUMBER = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive packets of one stream, equal in size except that the last may be smaller."""

    ssrc: int
    sequence_number: int
    headers: tuple[bytes, ...]
    payloads: tuple[bytes, ...] = field(repr=False)
    _spaced: dict[int, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def packet_size(self) -> int:
        """Bytes of the first packet in the clear; add the SRTP tag to get the UDP_SEGMENT size."""
        return HEADER_LENGTH + len(self.payloads[0])

    @property
    def packets(self) -> tuple[bytes, ...]:
        return tuple(header + payload for header, payload in zip(self.headers, self.payloads, strict=True))

    def spaced(self, trailer: int) -> bytes:
        """The packets joined, each followed by `trailer` zero bytes; made once for all who ask."""
        known = self._spaced.get(trailer)
        if known is None:
            gap = bytes(trailer)
            known = self._spaced[trailer] = b"".join(packet + gap for packet in self.packets)
        return known

    def with_payload_type(self, payload_type: int) -> Group:
        """The same packets for a peer that gave this format another number in its answer."""
        headers = tuple(
            header[:1] + bytes((header[1] & 0x80 | payload_type,)) + header[2:] for header in self.headers
        )
        return replace(self, headers=headers, _spaced={})

    def renumbered(self, sequence_number: int) -> Group:
        """The same packets for a sink whose own numbering differs, the first as `sequence_number`."""
        numbers = range(sequence_number, sequence_number + len(self.headers))
        headers = tuple(
            header[:2] + _NUMBER.pack(number & 0xFFFF) + header[4:]
            for number, header in zip(numbers, self.headers, strict=True)
        )
        return replace(self, sequence_number=sequence_number & 0xFFFF, headers=headers, _spaced={})


class RtpStream:
    """Numbers the payloads of one SSRC.

    Start `sequence_number` below 2**15: who joins late then guesses the rollover counter right even if the
    first packets are lost (RFC 3711 §3.3.1)."""

    def __init__(self, ssrc: int, payload_type: int, sequence_number: int = 0) -> None:
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.sequence_number = sequence_number & 0xFFFF

    def groups(self, payloads: Sequence[bytes], timestamp: int, marker: bool = True) -> list[Group]:
        """Packets of one RTP timestamp; `marker` is for the last of them (RFC 6184 §5.1, RFC 3551 §4.1)."""
        groups = []
        left = len(payloads)
        for run in _runs(payloads):
            left -= len(run)
            groups.append(self._group(run, timestamp & 0xFFFFFFFF, marker and not left))
        return groups

    def _group(self, payloads: Sequence[bytes], timestamp: int, marker: bool) -> Group:
        first, kind = self.sequence_number, self.payload_type
        headers = [
            HEADER.pack(0x80, kind, number & 0xFFFF, timestamp, self.ssrc)
            for number in range(first, first + len(payloads))
        ]
        self.sequence_number = (first + len(payloads)) & 0xFFFF
        if marker:
            last = (self.sequence_number - 1) & 0xFFFF
            headers[-1] = HEADER.pack(0x80, kind | 0x80, last, timestamp, self.ssrc)
        return Group(self.ssrc, first, tuple(headers), tuple(payloads))


def _runs(payloads: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cuts where a payload is larger than the first of its run, or follows a smaller one."""
    start = 0
    while start < len(payloads):
        size = len(payloads[start])
        limit = _most_packets(size + HEADER_LENGTH)
        end = start + 1
        while end < len(payloads) and end - start < limit and len(payloads[end]) == size:
            end += 1
        if end < len(payloads) and end - start < limit and len(payloads[end]) < size:
            end += 1
        yield payloads[start:end]
        start = end


def _most_packets(size: int) -> int:
    return min(MAX_PACKETS, MAX_BYTES // size) if size <= MAX_SEGMENT else 1
