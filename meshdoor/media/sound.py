"""Sound inside the engine: one channel, 48 kHz, signed 16 bits, in pieces of 20 ms.

Samples are little-endian, as in a WAV file and as on every machine that this runs on.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

RATE = 48_000  # Hz
INTERVAL = 0.02  # s of a piece
SAMPLES = 960  # of a piece
PIECE = 2 * SAMPLES  # bytes of a piece
SILENCE = bytes(PIECE)

_LOWEST, _HIGHEST = -0x8000, 0x7FFF


def mix(pieces: Sequence[bytes]) -> bytes:
    """All pieces at once; what is too loud is clipped. One piece stays as it is, none is silence."""
    if len(pieces) < 2:
        return pieces[0] if pieces else SILENCE
    voices = [array("h", piece) for piece in pieces]
    return array("h", [max(_LOWEST, min(_HIGHEST, sum(values))) for values in zip(*voices, strict=True)]).tobytes()


def fade(samples: bytes, begin: float, end: float) -> bytes:
    """The samples at a volume that goes evenly from `begin` to `end`."""
    values = array("h", samples)
    step = (end - begin) / max(1, len(values))
    return array("h", [int(value * (begin + step * number)) for number, value in enumerate(values)]).tobytes()
