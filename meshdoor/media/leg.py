"""One peer's share of the media: a channel each for sound and pictures, and what is attached to them.

A channel (`channel`) has the path to the peer, the keys and RTCP. To it are attached a `Sender`, which brings what goes
out, and a `Receiver`, which takes what comes in. A leg knows them by the interfaces below only; the studio makes them,
since it has the devices that all legs share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from meshdoor.errors import EngineError
from meshdoor.media.channel import Channel, Receiver, Sender, Sent
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import Gates, StreamPlan
from meshdoor.media.reports import Event, LegOpened, LegStatistics, Seen

Emit = Callable[[Event], None]


class Studio(Protocol):
    """The devices of this node, as legs see them. Each method makes one end of one channel, or None if there is no
    such device; the end is closed with `close()` by the leg. Raises EngineError for a codec that is not known.

    The events of an end go to the `emit` that comes with it: FirstPicture, FirstSound, PictureLost, DtmfReceived."""

    def audio_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None: ...

    def video_sender(self, channel: Channel, plan: StreamPlan) -> Sender | None: ...

    def audio_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None: ...

    def video_receiver(self, leg: str, channel: Channel, plan: StreamPlan, emit: Emit) -> Receiver | None: ...


class Leg:
    """Opened with its sockets; started, and started again, with plans."""

    def __init__(self, name: str, audio: Channel, video: Channel, studio: Studio, emit: Emit) -> None:
        self.name = name
        self.audio = audio
        self.video = video
        self.studio = studio
        self.seen: tuple[Seen, ...] = ()  # how audio and video look from outside, if that is known
        self._emit = emit

    @property
    def opened(self) -> LegOpened:
        return LegOpened(self.audio.port, self.video.port, self.audio.ssrc, self.video.ssrc, seen=self.seen)

    def start(self, start: StartLeg) -> None:
        """A medium whose plan stays the same goes on undisturbed."""
        if start.audio is None or not self.audio.follows(start.audio):
            self._start_audio(start.audio)
        if start.video is None or not self.video.follows(start.video):
            self._start_video(start.video)
        self.gate(start.gates)

    def gate(self, gates: Gates) -> None:
        self.audio.gate(sending=gates.microphone, receiving=gates.speaker)
        self.video.gate(sending=gates.picture, receiving=gates.picture)

    def dtmf(self, digits: str) -> Sent:
        """Sends digits, one after the other: done when they have left, cancelled when they never will. Raises
        EngineError when nothing is sent to the peer."""
        if self.audio.sender is None:
            raise EngineError("no sound goes to this peer")
        return self.audio.sender.dtmf(digits)

    def snapshot(self, path: Path) -> None:
        """Writes the last picture of the peer. Raises EngineError when there is none."""
        if self.video.receiver is None:
            raise EngineError("no pictures come from this peer")
        self.video.receiver.snapshot(path)

    def tick(self, now: float) -> None:
        """What is due: RTCP reports, and word of silence."""
        for channel in (self.audio, self.video):
            channel.tick(now)

    def statistics(self) -> LegStatistics:
        return LegStatistics(self.name, self.audio.statistics(), self.video.statistics())

    def close(self) -> LegStatistics:
        """Says goodbye, gives the sockets back. The last statistics."""
        last = self.statistics()
        self.audio.close()
        self.video.close()
        return last

    def _start_audio(self, plan: StreamPlan | None) -> None:
        if plan is None:
            self.audio.stop()
            return
        self.audio.start(plan)
        self.audio.attach(
            self.studio.audio_sender(self.audio, plan) if plan.sends else None,
            self.studio.audio_receiver(self.name, self.audio, plan, self._emit) if plan.receives else None,
        )

    def _start_video(self, plan: StreamPlan | None) -> None:
        if plan is None:
            self.video.stop()
            return
        self.video.start(plan)
        self.video.attach(
            self.studio.video_sender(self.video, plan) if plan.sends else None,
            self.studio.video_receiver(self.name, self.video, plan, self._emit) if plan.receives else None,
        )
