"""Sound inside the engine: one channel, 48 kHz, signed 16 bits, in pieces of 20 ms.

Samples are little-endian, as in a WAV file and as on every machine that this runs on.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache

RATE = 48_000  # Hz
INTERVAL = 0.02  # s of a piece
SAMPLES = 960  # of a piece
PIECE = 2 * SAMPLES  # bytes of a piece
SILENCE = bytes(PIECE)

_LOWEST, _HIGHEST = -0x8000, 0x7FFF


def mix(pieces: Sequence[bytes]) -> bytes:
    """All pieces, of one length, at once; what is too loud is clipped. One piece stays as it is, none is silence."""
    if len(pieces) < 2:
        return pieces[0] if pieces else SILENCE
    quiet = _added(pieces)
    if quiet is not None:
        return quiet
    voices = [array("h", piece) for piece in pieces]
    return array("h", [max(_LOWEST, min(_HIGHEST, sum(values))) for values in zip(*voices, strict=True)]).tobytes()


def _added(pieces: Sequence[bytes]) -> bytes | None:
    """The sums where none can be too loud, a fiftieth of the work: all samples at once, as digits of one long number.

    With 0x8000 more (its highest bit turned) a sample is a digit from 0 on, and so is a sum with all but one of these
    taken away again. It cannot be too loud where the bits below the sign are as the sign is, one for each doubling.
    """
    signs = _signs(len(pieces[0]))
    total = (1 - len(pieces)) * signs
    for piece in pieces:
        number = int.from_bytes(piece, "little")
        for doubling in range(1, (len(pieces) - 1).bit_length() + 1):
            if (number ^ number << doubling) & signs:
                return None
        total += number ^ signs
    return (total ^ signs).to_bytes(len(pieces[0]), "little")


@lru_cache(maxsize=4)
def _signs(length: int) -> int:
    """The sign bits of as many samples as are so many bytes."""
    return int.from_bytes(b"\x00\x80" * (length // 2), "little")


def fade(samples: bytes, begin: float, end: float) -> bytes:
    """The samples at a volume that goes evenly from `begin` to `end`."""
    values = array("h", samples)
    step = (end - begin) / max(1, len(values))
    return array("h", [int(value * (begin + step * number)) for number, value in enumerate(values)]).tobytes()
