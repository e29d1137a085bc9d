"""Pictures of one peer: from RTP packets to the display, each the moment that it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import av

from meshdoor.errors import EngineError
from meshdoor.media import card, still
from meshdoor.media.audio_receiver import carries
from meshdoor.media.background import Background
from meshdoor.media.display import Display
from meshdoor.media.plans import StreamPlan
from meshdoor.media.reports import Event, FirstPicture, PictureLost
from meshdoor.media.video_decoder import DecoderOwner, DecoderThread, VideoDecoder
from meshdoor.rtp import video_receiver as rtp
from meshdoor.rtp.packet import RtpPacket

LOST_AFTER = 1.0  # s without a picture; ours

FORMATS = {"H264": rtp.H264, "VP8": rtp.VP8}


class Feedback(Protocol):
    """What a `channel.Channel` offers to ask the peer for."""

    clock: Callable[[], float]

    def request_key_frame(self) -> None: ...

    def request_packets(self, numbers: tuple[int, ...]) -> None: ...


class VideoReceiver:
    """See `channel.Receiver`. While its gate is shut, it decodes nothing and has no thread."""

    def __init__(
        self, leg: str, channel: Feedback, plan: StreamPlan, display: Display, emit: Callable[[Event], None]
    ) -> None:
        """Raises EngineError for a codec that is not known."""
        if plan.codec not in FORMATS:
            raise EngineError(f"pictures cannot be seen as {plan.codec}")
        self.pictures_shown = self.pictures_lost = 0
        self.last_picture: av.VideoFrame | None = None
        self._leg = leg
        self._channel = channel
        self._plan = plan
        self._display = display
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._round_trip: float | None = None
        self._machine = self._new_machine()
        self._lost_before = 0
        self._decoder: DecoderThread | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    def receive(self, packet: RtpPacket, now: float) -> None:
        if self._decoder is not None and carries(self._plan, packet):
            self._machine.receive(packet, now)
            self._work(now)

    def gate(self, open_: bool) -> None:
        if open_ and self._decoder is None:
            self._machine = self._new_machine()
            self._decoder = self._new_decoder()
        elif not open_ and self._decoder is not None:
            self._decoder.close()
            self._decoder = None
            self._lost_before = self.pictures_lost
            self._stop_timers()

    def measured(self, round_trip: float) -> None:
        self._round_trip = round_trip
        self._machine.buffer.measured(round_trip)

    def snapshot(self, path: Path) -> None:
        """Writes the picture that was shown last, in the background. Raises EngineError when there is none."""
        if self.last_picture is None:
            raise EngineError("no picture has come yet")
        files = Background("snapshot")
        files.do(partial(still.write, self.last_picture, path))
        files.close()

    def close(self) -> None:
        self.gate(False)

    def _new_machine(self) -> rtp.VideoReceiver:
        machine = rtp.VideoReceiver(FORMATS[self._plan.codec], "nack" in self._plan.feedback)
        if self._round_trip is not None:
            machine.buffer.measured(self._round_trip)
        return machine

    def _new_decoder(self) -> DecoderThread:
        """What it says counts only while it is the decoder of this receiver."""
        leg, display, clock = self._leg, self._display, self._channel.clock
        first = True

        def show(frame: av.VideoFrame) -> None:
            nonlocal first
            display.show(leg, frame)
            at = clock()
            number, first = card.read(frame) if first else None, False
            self._call(self._shown, decoder, frame, at, number)

        owner = DecoderOwner(show, lambda: self._call(self._failed, decoder), lambda: display.hide(leg))
        decoder = DecoderThread(VideoDecoder(self._plan.codec, self._plan.fmtp), owner, f"decoder of {leg}")
        return decoder

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """From the thread of the decoder into the loop, which may be gone."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _shown(self, decoder: DecoderThread, frame: av.VideoFrame, at: float, number: int | None) -> None:
        if decoder is not self._decoder:
            return
        self.pictures_shown += 1
        self.last_picture = frame
        if self._watch is None:
            number = card.read(frame) if number is None else number
            self._emit(FirstPicture(self._leg, at, frame.width, frame.height, number))
            self._watch = self._loop.call_later(LOST_AFTER, self._look, self.pictures_shown)

    def _look(self, shown: int) -> None:
        """Tells when no picture was shown since it looked last."""
        if shown == self.pictures_shown:
            self._watch = None
            self._emit(PictureLost(self._leg, self._channel.clock()))
        else:
            self._watch = self._loop.call_later(LOST_AFTER, self._look, self.pictures_shown)

    def _failed(self, decoder: DecoderThread) -> None:
        if decoder is self._decoder:
            now = self._channel.clock()
            self._lost_before += 1
            self._machine.decoder_failed(now)
            self._work(now)

    def _work(self, now: float) -> None:
        """Hands over what is complete, asks for what is missing."""
        machine, decoder = self._machine, self._decoder
        assert decoder is not None
        while (unit := machine.next_unit()) is not None:
            if not decoder.submit(unit):
                self._lost_before += 1
                machine.decoder_failed(now)
        if missing := machine.take_nacks(now):
            self._channel.request_packets(missing)
        if machine.take_key_frame_request(now):
            self._channel.request_key_frame()
        self.pictures_lost = self._lost_before + machine.pictures_lost
        self._set_timer(machine.next_deadline())

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

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
        self._timer = self._watch = None
