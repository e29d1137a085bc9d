"""Sound that is sent: captured once, encoded once for each codec, sent to all whose gate is open.

While all gates are shut, the microphone is closed. Nothing that was captured for one leg reaches another that opens
later: nothing is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from secrets import randbits

from meshdoor.errors import EngineError
from meshdoor.media.audio_encoder import AudioEncoder, encoder
from meshdoor.media.channel import Channel, Sent
from meshdoor.media.digits import DigitSender
from meshdoor.media.echo import Duplex, Open
from meshdoor.media.metronome import Metronome
from meshdoor.media.microphone import Microphone
from meshdoor.media.outlet import Outlet
from meshdoor.media.plans import StreamPlan
from meshdoor.media.reports import Device
from meshdoor.media.sink import Unit
from meshdoor.rtp.group import RtpStream

log = logging.getLogger(__name__)


class Track:
    """The sound of the microphone in one codec, with the sinks that take it."""

    def __init__(self, codec: str, ssrc: int, payload_type: int) -> None:
        """Raises EngineError for a codec that is not known."""
        self.codec = codec
        self.outlet = Outlet(replay=0.0)
        self._encoder: AudioEncoder = encoder(codec)
        self._speaking = False
        self._origin = randbits(32)
        self._stream = RtpStream(ssrc, payload_type, randbits(15))
        self.timestamp = self._origin

    def push(self, beat: int, piece: bytes, captured: float) -> None:
        """The timestamps go on while nobody listens; who then begins to speak sets the marker (RFC 3551 §4.1)."""
        self.timestamp = (self._origin + beat * self._encoder.duration) & 0xFFFFFFFF
        payload = self._encoder.encode(piece)
        groups = self._stream.groups([payload], self.timestamp, not self._speaking)
        self._speaking = True
        self.outlet.deliver(Unit.of(groups, True, self.timestamp, captured))

    def rest(self) -> None:
        """Forgets what the encoder has heard."""
        if self._speaking:
            self._speaking = False
            self.outlet.history.clear()
            self._encoder = encoder(self.codec)


class Talk:
    """The microphone and its tracks."""

    def __init__(
        self,
        microphone: Microphone | None,
        clock: Callable[[], float],
        tell: Callable[[Device], None] = lambda _: None,
    ) -> None:
        self.metronome = Metronome(self._beat)
        self.duplex: Duplex = Open()
        self.muted = False  # what is sent is silence
        self._microphone = microphone
        self._clock = clock
        self._tell = tell
        self._open = False
        self._tracks: dict[tuple[str, int], Track] = {}

    def sender(self, channel: Channel, plan: StreamPlan) -> AudioSender:
        """Raises EngineError for a codec that is not known."""
        key = plan.codec, channel.ssrc
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = Track(plan.codec, channel.ssrc, plan.payload_type)
        return AudioSender(self, track, channel)

    def changed(self) -> None:
        """A gate was opened or shut, or a sender has left."""
        if any(track.outlet.watched for track in self._tracks.values()):
            self._start()
        else:
            self.close()
        self._tracks = {key: track for key, track in self._tracks.items() if len(track.outlet)}

    def close(self) -> None:
        self.metronome.stop()
        for track in self._tracks.values():
            track.rest()
        if self._open and self._microphone is not None:
            self._open = False
            self._microphone.close()
            self._tell(Device("microphone", "idle"))

    def _start(self) -> None:
        if self._open or self._microphone is None:
            return
        try:
            self._microphone.open()
        except EngineError as error:
            log.error("nothing can be said: %s", error)
            self._tell(Device("microphone", "failed", str(error)))
            return
        self._open = True
        self._tell(Device("microphone", "ok"))
        self.metronome.start()

    def _beat(self, number: int) -> None:
        assert self._microphone is not None
        piece = self._microphone.read()
        if piece is None:
            return
        piece = self.duplex.said(bytes(len(piece)) if self.muted else piece)
        now = self._clock()
        for track in tuple(self._tracks.values()):
            if track.outlet.watched:
                track.push(number, piece, now)
            else:
                track.rest()


class AudioSender:
    """See `channel.Sender`."""

    def __init__(self, talk: Talk, track: Track, channel: Channel) -> None:
        assert channel.sink is not None
        self._talk = talk
        self._track = track
        self._sink = channel.sink
        self._digits = DigitSender(channel, lambda: track.timestamp)
        track.outlet.add(self._sink, channel.clock())

    def gate(self, open_: bool) -> None:
        self._sink.gate(open_)
        self._talk.changed()

    def dtmf(self, digits: str) -> Sent:
        """Sends them one after the other. Raises EngineError for what cannot be sent."""
        return self._digits.send(digits)

    def key_frame_requested(self, now: float) -> None:
        """Each piece of sound is a beginning."""

    def packets_requested(self, numbers: tuple[int, ...], now: float) -> None:
        self._track.outlet.resend(self._sink, numbers, now)

    def close(self) -> None:
        self._digits.close()
        self._sink.gate(False)
        self._track.outlet.remove(self._sink)
        self._talk.changed()
