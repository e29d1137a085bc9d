"""RTCP (RFC 3550 §6) with the feedback of RFC 4585 (PLI, NACK) and RFC 5104 (FIR).

`parse_compound` takes compound and reduced-size (RFC 5506) datagrams alike. A packet of a type or format that
is not known here becomes `Unknown` and keeps its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from meshdoor.errors import RtpError

# Packet types, RFC 3550 §12.1 and RFC 4585 §6.1.
SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
# Feedback message types, RFC 4585 §6.2, §6.3 and RFC 5104 §4.3.
_NACK, _PLI, _FIR = 1, 1, 4
_CNAME = 1

MAX_DATAGRAM = 8192  # ours
MAX_PACKETS = 32  # ours, in one datagram
MAX_REPORTS = 31  # the count has five bits

_HEADER = struct.Struct("!BBH")
_WORD = struct.Struct("!I")
_TWO_WORDS = struct.Struct("!II")
_SENDER_INFO = struct.Struct("!IQIII")
_REPORT = struct.Struct("!IIIIII")
_NACK_ITEM = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source is received (§6.4.1). `fraction_lost` in 256ths, `jitter` in timestamp units,
    `last_sr` and `delay_since_last_sr` in 65536ths of a second."""

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int

    @classmethod
    def parse(cls, data: bytes) -> ReportBlock:
        ssrc, loss, *rest = _REPORT.unpack(data)
        lost = loss & 0xFFFFFF
        return cls(ssrc, loss >> 24, lost - (lost >> 23 << 24), *rest)

    def __bytes__(self) -> bytes:
        lost = max(-0x800000, min(0x7FFFFF, self.cumulative_lost)) & 0xFFFFFF
        rest = (self.highest_sequence, self.jitter, self.last_sr, self.delay_since_last_sr)
        return _REPORT.pack(self.ssrc, self.fraction_lost << 24 | lost, *rest)


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR (§6.4.1). `ntp_time` is 64-bit fixed point."""

    ssrc: int
    ntp_time: int
    rtp_time: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> SenderReport:
        if len(body) < _SENDER_INFO.size:
            raise RtpError("RTCP SR is cut short")
        ssrc, ntp_time, rtp_time, packets, octets = _SENDER_INFO.unpack_from(body)
        reports = _reports(body[_SENDER_INFO.size :], count)
        return cls(ssrc, ntp_time, rtp_time, packets, octets, reports)

    def __bytes__(self) -> bytes:
        info = (self.ssrc, self.ntp_time, self.rtp_time, self.packet_count, self.octet_count)
        body = _SENDER_INFO.pack(*info) + b"".join(map(bytes, self.reports))
        return _packet(SR, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR (§6.4.2)."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> ReceiverReport:
        if len(body) < 4:
            raise RtpError("RTCP RR is cut short")
        return cls(_WORD.unpack_from(body)[0], _reports(body[4:], count))

    def __bytes__(self) -> bytes:
        return _packet(RR, len(self.reports), _WORD.pack(self.ssrc) + b"".join(map(bytes, self.reports)))


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES (§6.5): the CNAME of each source; other items are not kept."""

    names: tuple[tuple[int, str], ...]

    @classmethod
    def parse(cls, count: int, body: bytes) -> SourceDescription:
        names, at = [], 0
        for _ in range(count):
            if len(body) < at + 4:
                raise RtpError("RTCP SDES is cut short")
            ssrc = _WORD.unpack_from(body, at)[0]
            name, at = _items(body, at + 4)
            names.append((ssrc, name))
        return cls(tuple(names))

    def __bytes__(self) -> bytes:
        return _packet(SDES, len(self.names), b"".join(_chunk(ssrc, name) for ssrc, name in self.names))


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE (§6.6)."""

    sources: tuple[int, ...]
    reason: str = ""

    @classmethod
    def parse(cls, count: int, body: bytes) -> Goodbye:
        end = 4 * count
        if len(body) < end:
            raise RtpError("RTCP BYE is cut short")
        length = body[end] if len(body) > end else 0
        reason = body[end + 1 : end + 1 + length].decode("utf-8", "replace")
        return cls(tuple(source for (source,) in _WORD.iter_unpack(body[:end])), reason)

    def __bytes__(self) -> bytes:
        text = self.reason.encode()[:255]
        body = b"".join(map(_WORD.pack, self.sources)) + (bytes((len(text),)) + text if text else b"")
        return _packet(BYE, len(self.sources), body + bytes(-len(body) % 4))


@dataclass(frozen=True, slots=True)
class PictureLossIndication:
    """PLI (RFC 4585 §6.3.1): `media` has lost a picture."""

    sender: int
    media: int

    def __bytes__(self) -> bytes:
        return _packet(PSFB, _PLI, _TWO_WORDS.pack(self.sender, self.media))


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """FIR (RFC 5104 §4.3.1): (SSRC, command sequence number) for each source that shall send a key frame."""

    sender: int
    entries: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, sender: int, items: bytes) -> FullIntraRequest:
        if not items or len(items) % 8:
            raise RtpError("RTCP FIR does not fit its length")
        entries = _TWO_WORDS.iter_unpack(items)
        return cls(sender, tuple((ssrc, command >> 24) for ssrc, command in entries))

    def __bytes__(self) -> bytes:
        items = b"".join(_TWO_WORDS.pack(ssrc, number << 24) for ssrc, number in self.entries)
        return _packet(PSFB, _FIR, _TWO_WORDS.pack(self.sender, 0) + items)


@dataclass(frozen=True, slots=True)
class GenericNack:
    """NACK (RFC 4585 §6.2.1): these sequence numbers of `media` did not arrive."""

    MAX_ITEMS: ClassVar[int] = 64  # ours: words of 17 sequence numbers

    sender: int
    media: int
    lost: tuple[int, ...]

    @classmethod
    def parse(cls, sender: int, media: int, items: bytes) -> GenericNack:
        if not items or len(items) > 4 * cls.MAX_ITEMS:
            raise RtpError("RTCP NACK does not fit its length")
        lost: list[int] = []
        for first, mask in _NACK_ITEM.iter_unpack(items):
            lost.append(first)
            lost.extend((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        return cls(sender, media, tuple(lost))

    def __bytes__(self) -> bytes:
        items: list[list[int]] = []
        for number in self.lost:
            ahead = (number - items[-1][0] - 1) & 0xFFFF if items else 16
            if ahead < 16:
                items[-1][1] |= 1 << ahead
            else:
                items.append([number, 0])
        body = b"".join(_NACK_ITEM.pack(*item) for item in items[: self.MAX_ITEMS])
        return _packet(RTPFB, _NACK, _TWO_WORDS.pack(self.sender, self.media) + body)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Any other RTCP packet: the count or format of its header, its type, and what follows."""

    kind: int
    count: int
    body: bytes

    def __bytes__(self) -> bytes:
        return _packet(self.kind, self.count, self.body)


Feedback = PictureLossIndication | FullIntraRequest | GenericNack
RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | Feedback | Unknown


def parse_compound(data: bytes) -> tuple[RtcpPacket, ...]:
    """All packets of a datagram. Raises RtpError when one does not fit."""
    if not 4 <= len(data) <= MAX_DATAGRAM:
        raise RtpError(f"RTCP datagram of {len(data)} bytes")
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data):
        if len(packets) == MAX_PACKETS or len(data) - at < 4:
            raise RtpError("RTCP datagram with too many packets or a rest")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise RtpError("RTCP packet does not fit its length")
        packets.append(_parse(kind, first & 0x1F, _unpadded(first, data[at + 4 : end])))
        at = end
    return tuple(packets)


def build_compound(packets: Iterable[RtcpPacket]) -> bytes:
    return b"".join(map(bytes, packets))


def _parse(kind: int, count: int, body: bytes) -> RtcpPacket:
    parse = _PARSERS.get(kind)
    return parse(count, body) if parse is not None else _feedback(kind, count, body)


_PARSERS: dict[int, Callable[[int, bytes], RtcpPacket]] = {
    SR: SenderReport.parse,
    RR: ReceiverReport.parse,
    SDES: SourceDescription.parse,
    BYE: Goodbye.parse,
}


def _feedback(kind: int, count: int, body: bytes) -> RtcpPacket:
    if len(body) < 8:
        return Unknown(kind, count, body)
    sender, media = _TWO_WORDS.unpack_from(body)
    if (kind, count) == (PSFB, _PLI):
        return PictureLossIndication(sender, media)
    if (kind, count) == (PSFB, _FIR):
        return FullIntraRequest.parse(sender, body[8:])
    if (kind, count) == (RTPFB, _NACK):
        return GenericNack.parse(sender, media, body[8:])
    return Unknown(kind, count, body)


def _unpadded(first: int, body: bytes) -> bytes:
    if not first & 0x20:
        return body
    padding = body[-1] if body else 0
    if not padding or padding % 4 or padding > len(body):
        raise RtpError("RTCP padding does not fit")
    return body[:-padding]


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _reports(data: bytes, count: int) -> tuple[ReportBlock, ...]:
    """What follows them is a profile's extension (§6.4.3) and is dropped."""
    size = _REPORT.size
    if len(data) < size * count:
        raise RtpError("RTCP report is cut short")
    return tuple(ReportBlock.parse(data[at : at + size]) for at in range(0, size * count, size))


def _items(body: bytes, at: int) -> tuple[str, int]:
    """The CNAME among the items of an SDES chunk, and where the next chunk begins."""
    name = ""
    while at < len(body) and body[at]:
        length = body[at + 1] if at + 1 < len(body) else 0
        if body[at] == _CNAME:
            name = body[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
    return name, (at // 4 + 1) * 4


def _chunk(ssrc: int, name: str) -> bytes:
    text = name.encode()[:255]
    item = bytes((_CNAME, len(text))) + text + b"\0"
    return _WORD.pack(ssrc) + item + bytes(-len(item) % 4)


def report_compound(report: SenderReport | ReceiverReport, cname: str, *extra: RtcpPacket) -> bytes:
    """What §6.1 wants: a report first, then SDES with the CNAME, then anything else."""
    packets: Sequence[RtcpPacket] = (report, SourceDescription(((report.ssrc, cname),)), *extra)
    return build_compound(packets)
