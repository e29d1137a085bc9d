"""Pieces of sound from one sampling rate to another."""

from __future__ import annotations

import av

from meshdoor.media.sound import RATE


def frame_of(samples: bytes, rate: int) -> av.AudioFrame:
    """One channel of signed 16 bits."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    frame.sample_rate = rate
    frame.planes[0].update(samples)
    return frame


def samples_of(frame: av.AudioFrame) -> bytes:
    """Of a frame like those of `frame_of`. What libav allocated is longer."""
    return bytes(frame.planes[0])[: 2 * frame.samples]


class Resampler:
    """Between 48 kHz and the `rate` of a codec. The first piece comes out a little shorter than it went in."""

    def __init__(self, source: int, target: int) -> None:
        self._rate = source
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=target)

    def convert(self, samples: bytes) -> bytes:
        if not samples:
            return b""
        return b"".join(map(samples_of, self._resampler.resample(frame_of(samples, self._rate))))


class Downward:
    """To the `rate` of a codec, a whole piece each time: 2 ms late, which its first piece begins with."""

    DELAY = 0.002  # s, what the filter holds back

    def __init__(self, rate: int) -> None:
        self._resampler = Resampler(RATE, rate)
        self._rate = rate
        self._held = bytes(2 * round(rate * self.DELAY))

    def convert(self, piece: bytes) -> bytes:
        size = len(piece) * self._rate // RATE
        samples = self._held + self._resampler.convert(piece)
        self._held = samples[size:]
        return samples[:size]
