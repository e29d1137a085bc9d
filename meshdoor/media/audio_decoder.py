"""Decoders of sound: the payload of an RTP packet in, 48 kHz out; and something in the place of one that was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av
from av.error import FFmpegError

from meshdoor.errors import EngineError, RtpError
from meshdoor.media import libopus
from meshdoor.media.resampler import Resampler, samples_of
from meshdoor.media.sound import RATE, fade
from meshdoor.rtp import g711, opus

FADE = 0.6  # of the volume that a repetition keeps; ours
MAX_OCTETS = 1600  # of G.711 or G.722: 200 ms, RFC 3551 §4.2
_G722_RATE = 16_000  # Hz of sampling; RTP counts 8000 (RFC 3551 §4.5.2)


class AudioDecoder(Protocol):
    """`clock_rate` is that of RTP; `duration_of` counts in its units, and raises RtpError for what it cannot count."""

    clock_rate: int

    def duration_of(self, payload: bytes) -> int: ...

    def decode(self, payload: bytes) -> bytes:
        """Raises RtpError for what cannot be decoded."""
        ...

    def conceal(self, duration: int, following: bytes) -> bytes:
        """Sound for `duration` that was lost. `following`: the payload of the packet after it, if that is there."""
        ...


class Repetition:
    """The last sound again and again, more quietly each time."""

    def __init__(self) -> None:
        self._last = b""

    def heard(self, samples: bytes) -> bytes:
        self._last = samples or self._last
        return samples

    def conceal(self, samples: int) -> bytes:
        """So many samples."""
        repeated = self._last * (2 * samples // len(self._last) + 1) if self._last else bytes(2 * samples)
        self._last = fade(repeated[: 2 * samples], 1.0, FADE)
        return self._last


class OpusDecoder:
    """With forward error correction and the concealment of libopus."""

    clock_rate = RATE  # RFC 7587 §4.1

    def __init__(self, decoder: libopus.Decoder) -> None:
        self._decoder = decoder

    def duration_of(self, payload: bytes) -> int:
        return opus.duration(payload)

    def decode(self, payload: bytes) -> bytes:
        return self._decoder.decode(payload)

    def conceal(self, duration: int, following: bytes) -> bytes:
        if following and opus.has_fec(following):
            return self._decoder.recover(following, duration)
        return self._decoder.conceal(duration)


class _LibavDecoder:
    """A decoder of libav, which knows nothing of loss."""

    clock_rate = g711.CLOCK_RATE

    def __init__(self, codec: str, rate: int) -> None:
        decoder = av.CodecContext.create(codec, "r")
        assert isinstance(decoder, av.AudioCodecContext)
        decoder.sample_rate, decoder.layout = rate, "mono"
        self._decoder = decoder
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._repetition = Repetition()

    def decode(self, payload: bytes) -> bytes:
        try:
            frames = self._decoder.decode(av.Packet(payload))
            parts = [part for frame in frames for part in self._resampler.resample(frame)]
        except FFmpegError as error:
            raise RtpError(f"sound that cannot be decoded: {error.strerror}") from None
        return self._repetition.heard(b"".join(map(samples_of, parts)))

    def conceal(self, duration: int, following: bytes) -> bytes:
        return self._repetition.conceal(duration * RATE // self.clock_rate)


class LibavOpusDecoder(_LibavDecoder):
    """Where libopus itself is not found."""

    clock_rate = RATE

    def __init__(self) -> None:
        super().__init__("opus", RATE)

    def duration_of(self, payload: bytes) -> int:
        return opus.duration(payload)


class G722Decoder(_LibavDecoder):
    def __init__(self) -> None:
        super().__init__("g722", _G722_RATE)

    def duration_of(self, payload: bytes) -> int:
        return _octets(payload)


class G711Decoder:
    clock_rate = g711.CLOCK_RATE

    def __init__(self, decode: Callable[[bytes], bytes]) -> None:
        self._decode = decode
        self._resampler = Resampler(g711.CLOCK_RATE, RATE)
        self._repetition = Repetition()

    def duration_of(self, payload: bytes) -> int:
        return _octets(payload)

    def decode(self, payload: bytes) -> bytes:
        return self._repetition.heard(self._resampler.convert(self._decode(payload)))

    def conceal(self, duration: int, following: bytes) -> bytes:
        return self._repetition.conceal(duration * RATE // self.clock_rate)


def _octets(payload: bytes) -> int:
    """The duration of a payload of which each octet is one unit (RFC 3551 §4.5)."""
    if len(payload) > MAX_OCTETS:
        raise RtpError(f"an audio packet of {len(payload)} octets")
    return len(payload)


def _opus() -> AudioDecoder:
    found = libopus.library()
    return LibavOpusDecoder() if found is None else OpusDecoder(libopus.Decoder(found))


_DECODERS: dict[str, Callable[[], AudioDecoder]] = {
    "OPUS": _opus,
    "PCMU": lambda: G711Decoder(g711.decode_pcmu),
    "PCMA": lambda: G711Decoder(g711.decode_pcma),
    "G722": G722Decoder,
}


def decoder(codec: str) -> AudioDecoder:
    """Raises EngineError for a codec that is not known."""
    make = _DECODERS.get(codec)
    if make is None:
        raise EngineError(f"sound cannot be heard as {codec}")
    return make()
