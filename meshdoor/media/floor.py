"""Half duplex: whoever speaks holds the floor, and the other side is not heard until it was given up.

SANS-IO. It is fed with how loud both sides are at each beat. What a room adds of its own (a fan, rain, a street) is
learnt and is no speech; somebody who goes on without a pause is taken for such a noise in the end, so that nobody is
shut out for ever.
"""

from __future__ import annotations

from array import array
from enum import Enum, auto

from meshdoor.media.sound import INTERVAL, SILENCE, fade

# Ours.
RELEASE = 0.15  # s of quiet after which the floor is free
LOUD = 3.0  # times the noise of the room: 9.5 dB
QUIETEST = 300  # a peak below it is never speech: -41 dBFS
_RISE = 1.02  # of what is taken for noise, a beat: 8.6 dB a second
_SHIFT = 3  # bits by which a side without the floor is turned down while nobody has it: 18 dB
_RELEASE = round(RELEASE / INTERVAL)


class Floor(Enum):
    FREE = auto()
    OURS = auto()
    THEIRS = auto()


class Ear:
    """Tells speech from the noise of the room, by the peaks of pieces."""

    def __init__(self) -> None:
        self._noise = float(QUIETEST)

    def speaks(self, peak: int) -> bool:
        self._noise = max(float(QUIETEST) / LOUD, min(self._noise * _RISE, float(peak)))
        return peak >= max(QUIETEST, LOUD * self._noise)


class FloorControl:
    """Who may be heard."""

    def __init__(self) -> None:
        self.holder = Floor.FREE
        self._quiet = 0
        self._ours, self._theirs = Ear(), Ear()
        self._they_speak = False

    def theirs(self, peak: int) -> None:
        """How loud is what came from the peers, at each beat at which there was something."""
        self._they_speak = self._theirs.speaks(peak)
        if self._they_speak and self.holder is not Floor.OURS:
            self._take(Floor.THEIRS)

    def ours(self, peak: int) -> None:
        """How loud is what was captured; after `theirs` in each beat."""
        we_speak = self._ours.speaks(peak) if self.holder is not Floor.THEIRS else False
        if we_speak and self.holder is not Floor.THEIRS:
            self._take(Floor.OURS)
        elif not (self._they_speak and self.holder is Floor.THEIRS):
            self._rest()
        self._they_speak = False

    def _take(self, side: Floor) -> None:
        self.holder, self._quiet = side, 0

    def _rest(self) -> None:
        self._quiet += 1
        if self._quiet >= _RELEASE:
            self.holder = Floor.FREE


class HalfDuplex:
    """See `echo.Duplex`."""

    name = "half-duplex"

    def __init__(self) -> None:
        self.control = FloorControl()
        self._played = self._sent = 1.0

    def heard(self, piece: bytes) -> bytes:
        self.control.theirs(peak(piece))
        before, self._played = self._played, 0.0 if self.control.holder is Floor.OURS else 1.0
        return _faded(piece, before, self._played)

    def said(self, piece: bytes) -> bytes:
        """While nobody has the floor the microphone is turned down, so that two houses cannot begin to howl below what
        is taken for speech."""
        self.control.ours(peak(piece))
        holder = self.control.holder
        before, self._sent = self._sent, 0.0 if holder is Floor.THEIRS else 1.0
        piece = _faded(piece, before, self._sent)
        return _turned_down(piece) if holder is Floor.FREE else piece


def peak(piece: bytes) -> int:
    """0 to 32768."""
    samples = array("h", piece)
    high, low = max(samples, default=0), min(samples, default=0)
    return max(high, -low)


def _faded(piece: bytes, before: float, now: float) -> bytes:
    """A sound that begins or ends within a piece does not click."""
    if before == now:
        return piece if now else SILENCE
    return fade(piece, before, now)


def _turned_down(piece: bytes) -> bytes:
    return array("h", [sample >> _SHIFT for sample in array("h", piece)]).tobytes()
