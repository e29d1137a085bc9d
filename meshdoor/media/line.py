"""Sound of some legs that is sent on to others as it is, packet by packet: nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from secrets import randbits

from meshdoor.errors import EngineError
from meshdoor.media.audio_receiver import carries
from meshdoor.media.channel import Channel, Sent
from meshdoor.media.digits import DigitSender
from meshdoor.media.outlet import Outlet
from meshdoor.media.plans import StreamPlan
from meshdoor.media.reports import DtmfReceived, Event
from meshdoor.media.sink import Unit
from meshdoor.media.timeline import Timeline
from meshdoor.rtp.dtmf import DtmfReceiver
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.packet import RtpPacket

PAYLOAD_TYPE = 96  # in the packets as they are made; each sink puts in what its peer wants


class Line:
    """One codec, one stream: those who speak into it take turns."""

    def __init__(self, plan: StreamPlan, ssrc: int, clock: Callable[[], float]) -> None:
        self.codec = plan.codec
        self.outlet = Outlet(replay=0.0)
        self._rate = plan.clock_rate
        self._clock = clock
        self._timeline = Timeline(plan.clock_rate)
        self._stream = RtpStream(ssrc, PAYLOAD_TYPE, randbits(15))
        self._origin = randbits(32)
        self._speaker: int | None = None

    def timestamp(self) -> int:
        """The RTP time of now."""
        return self._of(self._clock())

    def push(self, packet: RtpPacket, now: float) -> None:
        """Sends it on at once. What was overtaken is left out."""
        changed, self._speaker = packet.ssrc != self._speaker, packet.ssrc
        if changed:
            self._timeline = Timeline(self._rate)
        at = self._timeline.at(packet.timestamp, now)
        if at is None or not packet.payload:
            return
        groups = self._stream.groups([packet.payload], self._of(at), packet.marker or changed)
        self.outlet.deliver(Unit.of(groups, True, self._of(at), at))

    def _of(self, at: float) -> int:
        return (self._origin + round(at * self._rate)) & 0xFFFFFFFF


class LineSender:
    """See `channel.Sender`."""

    def __init__(self, line: Line, channel: Channel) -> None:
        assert channel.sink is not None
        self._line = line
        self._sink = channel.sink
        self._digits = DigitSender(channel, line.timestamp)
        line.outlet.add(self._sink, channel.clock())

    def gate(self, open_: bool) -> None:
        self._sink.gate(open_)

    def dtmf(self, digits: str) -> Sent:
        """Sends them one after the other. Raises EngineError for what cannot be sent."""
        return self._digits.send(digits)

    def key_frame_requested(self, now: float) -> None:
        """Each piece of sound is a beginning."""

    def packets_requested(self, numbers: tuple[int, ...], now: float) -> None:
        self._line.outlet.resend(self._sink, numbers, now)

    def close(self) -> None:
        self._digits.close()
        self._sink.gate(False)
        self._line.outlet.remove(self._sink)


class LineReceiver:
    """See `channel.Receiver`. Digits are told, and not sent on."""

    pictures_shown = pictures_lost = 0

    def __init__(self, line: Line, leg: str, plan: StreamPlan, emit: Callable[[Event], None]) -> None:
        self._line = line
        self._leg = leg
        self._plan = plan
        self._emit = emit
        self._digits, self._digit_types = DtmfReceiver(), plan.digits
        self._open = False

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Raises RtpError for a digit that makes no sense."""
        if not self._open:
            return
        if packet.payload_type in self._digit_types:
            digit = self._digits.receive(packet)
            if digit is not None:
                self._emit(DtmfReceived(self._leg, digit))
        elif carries(self._plan, packet):
            self._line.push(packet, now)

    def gate(self, open_: bool) -> None:
        self._open = open_

    def measured(self, round_trip: float) -> None:
        """Sound is too short-lived to ask for it again."""

    def snapshot(self, path: Path) -> None:
        raise EngineError("sound has no picture")

    def close(self) -> None:
        self.gate(False)
