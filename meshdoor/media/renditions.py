"""One codec's picture in two sizes: the house's, and a smaller one for those whose links carry less."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshdoor.errors import EngineError
from meshdoor.media.adapting import LinkClass
from meshdoor.media.channel import Channel, Sent
from meshdoor.media.sink import Sink
from meshdoor.media.video_stream import VideoStream
from meshdoor.rtp.session import Measured


class Renditions:
    """Both have one SSRC and one clock, so that a peer is moved between them in the middle of its stream. `shrink` is
    told how small the small one is to be: as the worst link of those who look at it needs it."""

    def __init__(self, full: VideoStream, small: VideoStream, shrink: Callable[[int], None], *, adapt: bool) -> None:
        self.adapt = adapt
        self.full = full
        self._small = small
        self._shrink = shrink
        self._levels: dict[VideoSender, int] = {}

    def place(self, sender: VideoSender, level: int) -> VideoStream:
        """Where a peer of this level looks."""
        self._levels[sender] = level
        self._tell()
        return self._small if level else self.full

    def leave(self, sender: VideoSender) -> None:
        self._levels.pop(sender, None)
        self._tell()

    def _tell(self) -> None:
        worst = max(self._levels.values(), default=0)
        if worst:
            self._shrink(worst)


class VideoSender:
    """A channel's sink at one of both: a `channel.Sender`."""

    def __init__(
        self, channel: Channel, renditions: Renditions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        assert channel.sink is not None
        self._sink: Sink = channel.sink
        self._renditions = renditions
        self._clock = clock
        self._link = LinkClass()
        self._overflows = self._sink.counters.overflows
        self._stream = renditions.full
        self._stream.outlet.add(self._sink, clock())
        self._channel = channel
        if renditions.adapt:
            channel.judge = self._judge

    def gate(self, open_: bool) -> None:
        if open_ == self._sink.open:
            return
        self._sink.gate(open_)
        self._stream.outlet.welcome(self._sink, self._clock())
        self._stream.check()

    def key_frame_requested(self, now: float) -> None:
        self._stream.outlet.want_key_frame()

    def packets_requested(self, numbers: tuple[int, ...], now: float) -> None:
        self._stream.outlet.resend(self._sink, numbers, now)

    def dtmf(self, digits: str) -> Sent:
        raise EngineError("digits go with sound")

    def close(self) -> None:
        self._channel.judge = None
        self._sink.gate(False)
        self._stream.outlet.remove(self._sink)
        self._stream.check()
        self._renditions.leave(self)

    def _judge(self, report: Measured, now: float) -> None:
        """What the peer reports, and what did not even fit into our socket."""
        overflows, self._overflows = self._overflows, self._sink.counters.overflows
        lost = 1.0 if self._overflows > overflows else report.fraction_lost
        if self._sink.open and self._link.measured(lost, report.round_trip, now):
            self._move(now)

    def _move(self, now: float) -> None:
        self._sink.counters.level = self._link.level
        stream = self._renditions.place(self, self._link.level)
        before, self._stream = self._stream, stream
        if stream is before:
            return
        before.outlet.remove(self._sink)
        self._sink.changes_outlet()
        stream.outlet.add(self._sink, now)
        before.check()
        stream.check()
