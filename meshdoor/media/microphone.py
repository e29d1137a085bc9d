"""Where sound comes from: the interface of microphones, and those that need no hardware."""

from __future__ import annotations

import math
import zlib
from array import array
from pathlib import Path
from typing import Protocol

import av
from av.error import FFmpegError

from meshdoor.errors import EngineError
from meshdoor.media.sound import PIECE, RATE, SILENCE

AMPLITUDE = 8000  # of a tone; a quarter of the loudest
MAX_SECONDS = 600  # of a file
_LOWEST_TONE, _TONE_STEP, _TONES = 300, 50, 25  # Hz; well told apart by ear and by `analysis`


class Microphone(Protocol):
    """Opened when somebody may listen, closed when nobody may any more; in between it gives a piece at each beat."""

    def open(self) -> None:
        """Raises EngineError when there is no sound to be had."""
        ...

    def read(self) -> bytes | None:
        """The next piece, or None when there is none at this beat. Does not wait: a device whose clock is not ours
        leaves out a piece now and then, or gives None."""
        ...

    def close(self) -> None: ...


class SilentMicrophone:
    def open(self) -> None: ...

    def read(self) -> bytes | None:
        return SILENCE

    def close(self) -> None: ...


class LoopMicrophone:
    """The same sound again and again; each `open` goes on where the last one stopped."""

    def __init__(self, samples: bytes) -> None:
        """Any number of samples, at least one."""
        # Behind the end comes as much of the beginning as a piece may need.
        self._length = len(samples)
        self._samples = samples + (samples * (PIECE // self._length + 1))[:PIECE]
        self._at = 0

    def open(self) -> None: ...

    def read(self) -> bytes | None:
        at = self._at
        self._at = (at + PIECE) % self._length
        return self._samples[at : at + PIECE]

    def close(self) -> None: ...


class ToneMicrophone(LoopMicrophone):
    """A sine of `frequency` whole Hz."""

    def __init__(self, frequency: int) -> None:
        angle = 2 * math.pi * frequency / RATE
        super().__init__(array("h", [round(AMPLITUDE * math.sin(angle * at)) for at in range(RATE)]).tobytes())


class WavMicrophone(LoopMicrophone):
    """A sound file, of any format that FFmpeg reads."""

    def __init__(self, path: Path) -> None:
        """Reads the file. Raises EngineError."""
        samples = read_file(path)
        if not samples:
            raise EngineError(f"{path}: there is no sound in it")
        super().__init__(samples)


def named(text: str, name: str) -> Microphone | None:
    """What the settings call `tone`, `tone:HERTZ`, `silence`, `none`, or a file. A tone without a frequency has one of
    25 that follows from the name of the node. Raises EngineError."""
    kind, _, value = text.partition(":")
    if kind == "none":
        return None
    if kind == "silence":
        return SilentMicrophone()
    if kind == "tone":
        return ToneMicrophone(_frequency(value) if value else tone_of(name))
    return WavMicrophone(Path(text))


def tone_of(name: str) -> int:
    """The frequency (Hz) of the tone that stands for this node."""
    return _LOWEST_TONE + _TONE_STEP * (zlib.crc32(name.encode()) % _TONES)


def _frequency(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value[:6]) < RATE // 2:
        raise EngineError(f"{value!r} is no frequency of a tone")
    return int(value)


def read_file(path: Path) -> bytes:
    """The sound in a file, ten minutes of it at most. Raises EngineError."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    samples = bytearray()
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    samples += bytes(part.planes[0])[: 2 * part.samples]
                if len(samples) > 2 * RATE * MAX_SECONDS:
                    break
    except (FFmpegError, OSError, IndexError) as error:
        raise EngineError(f"{path}: {error}") from None
    return bytes(samples)


