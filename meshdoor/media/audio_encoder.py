"""Encoders of sound: a piece of 20 ms in, the payload of one RTP packet out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av

from meshdoor.errors import EngineError
from meshdoor.media.resampler import Downward, frame_of
from meshdoor.media.sound import RATE, SAMPLES
from meshdoor.rtp import g711

OPUS_BIT_RATE = 32_000  # bit/s; ours
# Voice with in-band FEC for a lossy radio; the sender never falls silent by itself (no DTX).
_OPUS = {"application": "voip", "fec": "1", "packet_loss": "10", "frame_duration": "20", "vbr": "constrained"}
_G722_RATE = 16_000  # Hz of sampling; RTP counts 8000 (RFC 3551 §4.5.2)


class AudioEncoder(Protocol):
    """`duration` is that of a payload in units of its RTP clock."""

    duration: int

    def encode(self, piece: bytes) -> bytes: ...


class OpusEncoder:
    duration = SAMPLES  # RFC 7587 §4.1

    def __init__(self) -> None:
        self._encoder = av.AudioCodecContext.create("libopus", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = RATE, "mono", "s16"
        self._encoder.bit_rate = OPUS_BIT_RATE
        self._encoder.options = _OPUS

    def encode(self, piece: bytes) -> bytes:
        return b"".join(map(bytes, self._encoder.encode(frame_of(piece, RATE))))


class G711Encoder:
    duration = g711.CLOCK_RATE // 50

    def __init__(self, encode: Callable[[bytes], bytes]) -> None:
        self._encode = encode
        self._resampler = Downward(g711.CLOCK_RATE)

    def encode(self, piece: bytes) -> bytes:
        return self._encode(self._resampler.convert(piece))


class G722Encoder:
    duration = 8000 // 50

    def __init__(self) -> None:
        self._resampler = Downward(_G722_RATE)
        self._encoder = av.AudioCodecContext.create("g722", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = _G722_RATE, "mono", "s16"

    def encode(self, piece: bytes) -> bytes:
        frame = frame_of(self._resampler.convert(piece), _G722_RATE)
        return b"".join(map(bytes, self._encoder.encode(frame)))


_ENCODERS: dict[str, Callable[[], AudioEncoder]] = {
    "OPUS": OpusEncoder,
    "PCMU": lambda: G711Encoder(g711.encode_pcmu),
    "PCMA": lambda: G711Encoder(g711.encode_pcma),
    "G722": G722Encoder,
}


def encoder(codec: str) -> AudioEncoder:
    """Raises EngineError for a codec that is not known."""
    make = _ENCODERS.get(codec)
    if make is None:
        raise EngineError(f"sound cannot be sent as {codec}")
    return make()
