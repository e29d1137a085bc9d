"""Digits as telephone-events (RFC 4733): packets to send, and each digit received once."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from meshdoor.errors import LocalProtocolError, RtpError
from meshdoor.rtp.packet import RtpPacket

DIGITS = "0123456789*#ABCD"  # by event code, §3.2
END_PACKETS = 3  # §2.5.1.4
INTERVAL = 0.02  # s between packets of one event
DURATION = 0.1  # s; ours, what telephones send
VOLUME = 10  # -dBm0, §2.3.3

_EVENT = struct.Struct("!BBH")
_END, _VOLUME = 0x80, 0x3F
_MAX_DURATION = 0xFFFF


@dataclass(frozen=True, slots=True)
class DtmfEvent:
    """One telephone-event payload (§2.3); `duration` in timestamp units."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> DtmfEvent:
        if len(payload) < _EVENT.size:
            raise RtpError("a telephone-event that is cut short")
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, bool(flags & _END), flags & _VOLUME, duration)

    def __bytes__(self) -> bytes:
        return _EVENT.pack(self.event, self.end << 7 | self.volume, self.duration)


@dataclass(frozen=True, slots=True)
class TimedPayload:
    """A payload to send `delay` seconds after the first one, all under one RTP timestamp."""

    delay: float
    payload: bytes
    marker: bool


def digit_payloads(digit: str, clock_rate: int = 8000, duration: float = DURATION) -> tuple[TimedPayload, ...]:
    """The packets of one digit: the first is marked, the last is sent three times.
    Raises LocalProtocolError for what is no digit."""
    event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if event < 0:
        raise LocalProtocolError(f"{digit!r} is not a DTMF digit")
    steps = max(1, round(duration / INTERVAL))
    packets = []
    for step in range(1, steps + END_PACKETS):
        end = step >= steps
        units = min(round(min(step, steps) * INTERVAL * clock_rate), _MAX_DURATION)
        payload = bytes(DtmfEvent(event, end, VOLUME, units))
        packets.append(TimedPayload((step - 1) * INTERVAL, payload, step == 1))
    return tuple(packets)


class DtmfReceiver:
    """Gives each digit once, with its first packet, however many follow or are lost.
    Events are told apart by their timestamp (§2.5.1.2); a long one goes on under a new timestamp, unmarked."""

    def __init__(self) -> None:
        self._last: tuple[RtpPacket, DtmfEvent] | None = None

    def receive(self, packet: RtpPacket) -> str | None:
        """Raises RtpError for a payload that is no telephone-event."""
        event = DtmfEvent.parse(packet.payload)
        last = self._last
        if last is not None and last[0].ssrc == packet.ssrc:
            age = (packet.timestamp - last[0].timestamp) & 0xFFFFFFFF
            if age & 0x80000000:  # a straggler of an event before
                return None
            self._last = packet, event
            if age == 0 or (not packet.marker and _goes_on(last[1], event, age)):
                return None
        self._last = packet, event
        return DIGITS[event.event] if event.event < len(DIGITS) else None


def _goes_on(last: DtmfEvent, event: DtmfEvent, age: int) -> bool:
    return not last.end and last.event == event.event and age == last.duration
