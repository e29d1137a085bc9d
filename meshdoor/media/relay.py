"""The media of one leg, sent on to others: a door station that somebody owned already takes the place of this node's
own camera and microphone, and of its speaker.

What comes is decrypted once. Pictures are put together, so that only whole ones go on and each sink can begin with a
key frame, and cut into packets anew; sound goes on packet by packet. Nothing is decoded, nothing is encoded: the node
makes sure that all legs agree on the codecs. Each of those who look has a sink of its own, under its own key.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from meshdoor.errors import EngineError, RtpError
from meshdoor.media import still
from meshdoor.media.audio_receiver import carries
from meshdoor.media.background import Background
from meshdoor.media.camera import decoded
from meshdoor.media.channel import Channel, Receiver, Sender
from meshdoor.media.encoder import CLOCK_RATE, Coded
from meshdoor.media.leg import Emit
from meshdoor.media.line import Line, LineReceiver, LineSender
from meshdoor.media.outlet import KEY_FRAME_INTERVAL
from meshdoor.media.plans import StreamPlan
from meshdoor.media.renditions import Renditions, VideoSender
from meshdoor.media.reports import Event
from meshdoor.media.timeline import Timeline
from meshdoor.media.video_receiver import FORMATS, Feedback
from meshdoor.media.video_stream import VideoStream, packetizer
from meshdoor.rtp import video_receiver as rtp
from meshdoor.rtp.nal import ParameterSets
from meshdoor.rtp.packet import RtpPacket

log = logging.getLogger(__name__)

SPROP = "sprop-parameter-sets"


class Pictures:
    """Those of the source, as a stream for all who look. It goes on while nobody does: who comes later is given what
    followed the last key frame."""

    def __init__(self, plan: StreamPlan, ssrc: int, clock: Callable[[], float]) -> None:
        """Raises EngineError for a codec that is not known."""
        if plan.codec not in FORMATS:
            raise EngineError(f"pictures cannot be sent on as {plan.codec}")
        self.codec = plan.codec
        sets, offset = _parameter_sets(plan.fmtp), secrets.randbits(32)
        cut = packetizer(plan.codec, sets)
        self.stream = VideoStream(cut, ssrc, self.want_key_frame, lambda on: None, offset, lasting=True)
        self.renditions = Renditions(self.stream, self.stream, lambda level: None, adapt=False)
        self.ask: Callable[[], None] = lambda: None
        self.last_key: Coded | None = None
        self._clock = clock
        self._asked = float("-inf")
        self._timeline = Timeline(CLOCK_RATE)

    def want_key_frame(self) -> None:
        """At most one request in the interval: who still waits then asks again."""
        now = self._clock()
        if now - self._asked >= KEY_FRAME_INTERVAL:
            self._asked = now
            self.ask()

    def push(self, data: bytes, timestamp: int, key: bool) -> None:
        """One access unit."""
        at = self._timeline.at(timestamp, self._clock())
        if at is None:
            return
        # Who asks a door station for key frames cannot count on them: as with a camera that is passed through.
        coded = Coded(data, key, at, passed_through=True)
        self.last_key = coded if key else self.last_key
        self.stream.deliver(coded)


class PictureRelay:
    """What comes from the source: a `channel.Receiver`."""

    pictures_shown = 0

    def __init__(self, pictures: Pictures, channel: Feedback, plan: StreamPlan) -> None:
        self.pictures_lost = 0
        self._pictures = pictures
        self._channel = channel
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._machine = rtp.VideoReceiver(FORMATS[plan.codec], "nack" in plan.feedback)
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        pictures.ask = channel.request_key_frame

    def receive(self, packet: RtpPacket, now: float) -> None:
        if self._open and carries(self._plan, packet):
            self._machine.receive(packet, now)
            self._work(now)

    def gate(self, open_: bool) -> None:
        self._open = open_
        if not open_:
            self._set_timer(None)

    def measured(self, round_trip: float) -> None:
        self._machine.buffer.measured(round_trip)

    def snapshot(self, path: Path) -> None:
        """Writes the last key frame, in the background. Raises EngineError when there is none."""
        last = self._pictures.last_key
        if last is None or self._plan.codec != "H264":
            raise EngineError("no picture has come yet")
        files = Background("snapshot")
        files.do(lambda: still.write(decoded(last), path))
        files.close()

    def close(self) -> None:
        self.gate(False)
        self._pictures.ask = lambda: None

    def _work(self, now: float) -> None:
        """Hands over what is complete, asks for what is missing."""
        while (unit := self._machine.next_unit()) is not None:
            self._pictures.push(unit.data, unit.timestamp, unit.key)
        if missing := self._machine.take_nacks(now):
            self._channel.request_packets(missing)
        if self._machine.take_key_frame_request(now):
            self._pictures.want_key_frame()
        self.pictures_lost = self._machine.pictures_lost
        self._set_timer(self._machine.next_deadline())

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._due) if deadline is not None else None

    def _due(self) -> None:
        self._timer = None
        now = self._channel.clock()
        self._machine.handle_timer(now)
        self._work(now)


class Relay:
    """One source and those who are given its media. `source` and `branch` make the ends of its leg and of theirs (see
    `leg.Studio`); the leg of the source is started first."""

    def __init__(self, ssrcs: tuple[int, int], clock: Callable[[], float]) -> None:
        """`ssrcs`: what all legs of this engine send under, sound and pictures."""
        self.source = SourceStudio(self)
        self.branch = BranchStudio(self)
        self.pictures: Pictures | None = None
        self.out: Line | None = None  # from the source
        self.back: Line | None = None  # and to it
        self._ssrcs = ssrcs
        self._clock = clock

    def hear(self, plan: StreamPlan) -> tuple[Line, Line]:
        """The source speaks and hears by this plan: the lines out and back. Those of a codec last."""
        if self.out is None or self.back is None or self.out.codec != plan.codec:
            self.out, self.back = (Line(plan, self._ssrcs[0], self._clock) for _ in range(2))
        return self.out, self.back

    def see(self, plan: StreamPlan) -> Pictures:
        """The source is seen by this plan. Raises EngineError for a codec that is not known."""
        if self.pictures is None or self.pictures.codec != plan.codec:
            self.pictures = Pictures(plan, self._ssrcs[1], self._clock)
        return self.pictures


class SourceStudio:
    """The ends of the leg of the source."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def audio_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        return LineSender(self._relay.hear(plan)[1], channel)

    def video_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        return None

    def audio_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return LineReceiver(self._relay.hear(plan)[0], leg, plan, _untold)

    def video_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return PictureRelay(self._relay.see(plan), channel, plan)


class BranchStudio:
    """The ends of the leg of one who looks. What does not agree with the source is not there."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def audio_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        line = _agreeing(self._relay.out, plan)
        return LineSender(line, channel) if line is not None else None

    def video_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None:
        pictures = self._relay.pictures
        if pictures is None or pictures.codec != plan.codec:
            return None
        return VideoSender(channel, pictures.renditions)

    def audio_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        line = _agreeing(self._relay.back, plan)
        return LineReceiver(line, leg, plan, emit) if line is not None else None

    def video_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None:
        return None


def _agreeing(line: Line | None, plan: StreamPlan) -> Line | None:
    if line is not None and line.codec == plan.codec:
        return line
    log.warning("sound in %s cannot be sent on as %s", plan.codec, line.codec if line else "nothing")
    return None


def _untold(event: Event) -> None:
    """Digits of a door station mean nothing here."""


def _parameter_sets(fmtp: str) -> ParameterSets | None:
    """What a source says of its pictures in its SDP, and perhaps nowhere else."""
    parameters = dict(part.strip().partition("=")[::2] for part in fmtp.split(";"))
    try:
        return ParameterSets.parse(parameters[SPROP]) if parameters.get(SPROP) else None
    except RtpError as error:
        log.warning("of the pictures that come: %s", error)
        return None
