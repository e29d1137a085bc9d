"""What came out at the other end: the pitch and loudness of a sound file, the frame numbers of pictures."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import av
from av.error import FFmpegError

from meshdoor.media import card

_STEP, _LOWEST, _HIGHEST = 10, 100, 2000  # Hz that `pitch` tells apart
_LOW_RATE = 8000  # Hz that are enough for that
_AUDIBLE = 0.5  # of the power that the strongest frequency must hold, to be a pitch
_CLEAR = 0.98  # of it, so that no clearer one need be looked for
_PIECES = 20  # of a quarter of a second, in which a pitch is looked for
_WINDOW = 0.02  # s of a piece that is sound or silence


def read_wav(path: Path) -> tuple[int, array[int]]:
    """The sampling rate and the samples of a file with one channel of 16 bits."""
    with closing(wave.open(str(path), "rb")) as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise ValueError(f"{path}: more than one channel of 16 bits")
        return file.getframerate(), array("h", file.readframes(file.getnframes()))


def rms(samples: Sequence[int]) -> float:
    """Loudness; the loudest sine has 23170."""
    return math.sqrt(math.fsum(value * value for value in samples) / len(samples)) if samples else 0.0


def power(samples: Sequence[int], rate: int, frequency: float) -> float:
    """The part (0 to 1) of the power of the samples that is at one frequency (Goertzel)."""
    coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
    before = last = 0.0
    for value in samples:
        before, last = last, value + coefficient * last - before
    total = math.fsum(value * value for value in samples) * len(samples) / 2
    return (last * last + before * before - coefficient * last * before) / total if total else 0.0


def pitch(samples: Sequence[int], rate: int) -> int | None:
    """The frequency (Hz, to 10) of a tone, of the quarter of a second in which it is clearest: where buffers ran out it
    jumps. None for silence, noise and voices."""
    size = rate // 4
    purity, tone = 0.0, 0
    for at in range(0, max(1, min(len(samples) - size + 1, _PIECES * size)), size):
        purity, tone = max((purity, tone), _purest(samples[at : at + size], rate))
        if purity >= _CLEAR:
            break
    return tone if purity >= _AUDIBLE else None


def sound(samples: Sequence[int], rate: int, threshold: float = 100.0) -> list[int]:
    """The samples without the silence: the pieces of 20 ms that are louder than the threshold."""
    size = int(_WINDOW * rate)
    pieces = (samples[at : at + size] for at in range(0, len(samples), size))
    return [value for piece in pieces if rms(piece) > threshold for value in piece]


def heard(path: Path) -> int | None:
    """The pitch of the tone in a file, whatever silence or noise there is around it."""
    rate, samples = read_wav(path)
    return pitch(sound(samples, rate), rate)


def _purest(samples: Sequence[int], rate: int) -> tuple[float, int]:
    """The strongest frequency (Hz) of the first quarter of a second, after the part of the power that it holds."""
    factor = max(1, rate // _LOW_RATE)
    few = [sum(samples[at : at + factor]) for at in range(0, len(samples) - factor + 1, factor)]
    few = few[: _LOW_RATE // 4]
    return max((power(few, rate // factor, tone), tone) for tone in range(_LOWEST, _HIGHEST + 1, _STEP))


def frame_number(path: Path) -> int | None:
    """The number on the test card in a picture file; None when there is none."""
    try:
        with av.open(str(path)) as container:
            return card.read(next(container.decode(video=0)))
    except (FFmpegError, OSError, StopIteration):
        return None


def frame_numbers(directory: Path, leg: str = "") -> list[int | None]:
    """Of all pictures that a `PngDisplay` numbered, of one leg or of all, in their order."""
    return [frame_number(path) for path in sorted(directory.glob(f"{leg}*-[0-9][0-9][0-9][0-9][0-9][0-9].png"))]
