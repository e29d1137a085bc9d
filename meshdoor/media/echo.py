"""What keeps a house from hearing itself: the sound of a peer, played by our speaker, must not go back to it through
our microphone.

With `livekit` (the extra `aec`) WebRTC's audio processing takes it out, and noise with it, and evens the volume; both
sides can talk at once. Without, one side talks at a time (`floor`). This is the one place that imports livekit.
"""

from __future__ import annotations

import importlib.util
import logging
from functools import cache
from typing import TYPE_CHECKING, Protocol

from meshdoor.errors import EngineError
from meshdoor.media.floor import HalfDuplex
from meshdoor.media.sound import PIECE, RATE

if TYPE_CHECKING:
    from livekit import rtc

log = logging.getLogger(__name__)

AUTO, CANCEL, HALF_DUPLEX, OFF = "auto", "aec", "half-duplex", "off"
DESCRIBED = {
    CANCEL: "echo is cancelled: both sides can talk at once",
    HALF_DUPLEX: "half duplex: one side talks at a time; pip install meshdoor[aec] for both at once",
    OFF: "off: what the speaker plays must not reach the microphone",
}
DELAY = 80  # ms from the speaker's queue to the microphone's: a hint, the rest is found out. Ours

_FRAME = PIECE // 2  # bytes; WebRTC works in pieces of 10 ms


class Duplex(Protocol):
    """Both ways of sound pass through it, a piece each at a beat."""

    name: str

    def heard(self, piece: bytes) -> bytes:
        """What came from the peers; returns what is to be played."""
        ...

    def said(self, piece: bytes) -> bytes:
        """What was captured; returns what is to be sent."""
        ...


class Open:
    """For a headset or a handset, whose microphone does not hear the speaker, and for what is no real device."""

    name = OFF

    def heard(self, piece: bytes) -> bytes:
        return piece

    def said(self, piece: bytes) -> bytes:
        return piece


class EchoCanceller:
    """AEC3, noise suppression, high-pass filter and gain control of WebRTC."""

    name = CANCEL

    def __init__(self) -> None:
        """Loads the library, which takes a while. Raises EngineError."""
        try:
            from livekit import rtc
        except (ImportError, OSError) as error:
            raise EngineError(f"no echo cancellation ({error}): pip install meshdoor[aec]") from None
        self._module = rtc.AudioProcessingModule(
            echo_cancellation=True, noise_suppression=True, high_pass_filter=True, auto_gain_control=True
        )
        self._frame = rtc.AudioFrame
        self._module.set_stream_delay_ms(DELAY)

    def heard(self, piece: bytes) -> bytes:
        for at in range(0, len(piece), _FRAME):
            self._module.process_reverse_stream(self._of(piece[at : at + _FRAME]))
        return piece

    def said(self, piece: bytes) -> bytes:
        clean = bytearray()
        for at in range(0, len(piece), _FRAME):
            frame = self._of(piece[at : at + _FRAME])
            self._module.process_stream(frame)
            clean += bytes(frame.data.cast("B"))
        return bytes(clean)

    def _of(self, samples: bytes) -> rtc.AudioFrame:
        return self._frame(bytearray(samples), RATE, 1, len(samples) // 2)


@cache
def is_installed() -> bool:
    """Does not load it."""
    return importlib.util.find_spec("livekit") is not None


def chosen(wish: str) -> str:
    """What `auto` means here."""
    if wish != AUTO:
        return wish
    return CANCEL if is_installed() else HALF_DUPLEX


def named(name: str) -> Duplex:
    """Of what `chosen` gave. Where echo cannot be cancelled after all, one side talks at a time."""
    if name == CANCEL:
        try:
            return EchoCanceller()
        except EngineError as error:
            log.error("%s", error)
            return HalfDuplex()
    return HalfDuplex() if name == HALF_DUPLEX else Open()
