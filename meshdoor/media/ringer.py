"""What rings here, and the short sounds: heard together with the voices.

All of it is as loud as tones are made; how loud it is in the room is the volume of the speaker, which is theirs while
they sound, and that of speech else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from meshdoor.media.playout import Stage
from meshdoor.media.sound import PIECE, mix


@dataclass(frozen=True, slots=True)
class Ringing:
    """A tone that is repeated; after `louder_after` seconds, if there are any, it is as loud as `louder`."""

    samples: bytes
    volume: float
    louder: float
    louder_after: float


@dataclass(frozen=True, slots=True)
class _Chime:
    samples: bytes
    volume: float
    yields: bool

    @property
    def lasts(self) -> bool:
        """After the next piece."""
        return len(self.samples) > PIECE


class Ringer:
    """A `playout.Voice` while there is something to hear."""

    def __init__(self, playout: Stage, set_volume: Callable[[float], None]) -> None:
        self._playout = playout
        self._set_volume = set_volume
        self._speech = 1.0
        self._ringing: Ringing | None = None
        self._began: float | None = None
        self._at = 0
        self._chimes: list[_Chime] = []

    def ring(self, ringing: Ringing) -> None:
        """Until `hush`. Ringing that changes goes on, and grows no younger."""
        if self._ringing is None:
            self._began = None
        if self._ringing is None or self._ringing.samples != ringing.samples:
            self._at = 0
        self._ringing = ringing
        self._playout.add(self)

    def hush(self) -> None:
        self._ringing = None
        self._rest()

    def chime(self, samples: bytes, volume: float, yields: bool = False) -> None:
        """Once; `yields`: until a voice is to be heard."""
        self._chimes.append(_Chime(samples, volume, yields))
        self._playout.add(self)

    def speak(self, volume: float) -> None:
        """How loud voices are."""
        self._speech = volume
        if self._ringing is None and not self._chimes:
            self._set_volume(volume)

    def pull(self, now: float) -> bytes | None:
        """See `playout.Voice`."""
        self._set_volume(self._loudness(now))
        if self._playout.has_others(self):
            self._chimes = [chime for chime in self._chimes if not chime.yields]
        pieces = [chime.samples[:PIECE].ljust(PIECE, b"\0") for chime in self._chimes]
        self._chimes = [replace(chime, samples=chime.samples[PIECE:]) for chime in self._chimes if chime.lasts]
        if self._ringing is not None:
            pieces.append(self._next(self._ringing.samples))
        elif not self._chimes:
            self._rest()
        return mix(pieces)

    def _next(self, samples: bytes) -> bytes:
        begin, self._at = self._at, self._at + PIECE
        piece = samples[begin : self._at]
        if self._at >= len(samples):
            self._at = 0
        return piece.ljust(PIECE, b"\0")

    def _loudness(self, now: float) -> float:
        """The loudest of what sounds now: there is one volume."""
        volumes = [chime.volume for chime in self._chimes]
        ringing = self._ringing
        if ringing is not None:
            self._began = now if self._began is None else self._began
            grown = 0.0 < ringing.louder_after <= now - self._began
            volumes.append(ringing.louder if grown else ringing.volume)
        return max(volumes, default=self._speech)

    def _rest(self) -> None:
        if self._ringing is None and not self._chimes:
            self._playout.remove(self)
            self._set_volume(self._speech)
