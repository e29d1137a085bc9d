"""Sound cards as SDL sees them: which there are, and one that is open.

SDL has a thread of its own for each open card, in C; between it and us lies a queue on either way. Here nothing is done
for a single sample.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from meshdoor.errors import EngineError
from meshdoor.media import sdl
from meshdoor.media.sound import RATE

# Ours, in samples: what a card gives or takes at once. A sound server that is late for a smaller one plays silence, and
# then all is later by that much, which no echo canceller foresees.
CAPTURED, PLAYED = 480, 960
MAX_READ = RATE  # bytes; half a second. Ours
_S16 = 0x8010  # AUDIO_S16LSB
_LOUDEST = 128  # SDL_MIX_MAXVOLUME
_PLAYING = 1  # SDL_AUDIO_PLAYING


@dataclass(frozen=True, slots=True)
class Way:
    """Into which direction, and which card: a name or a part of one; "" is the one that the system prefers."""

    capture: bool
    name: str = ""


class OpenCard(Protocol):
    """A card that is open. `read` and `write` do not wait, and may be called in any thread; of a card that is gone they
    give and take nothing."""

    name: str

    def alive(self) -> bool: ...

    def queued(self) -> int:
        """Samples that have been captured, or are still to be played."""
        ...

    def read(self) -> bytes: ...

    def write(self, samples: bytes, volume: float = 1.0) -> None: ...

    def clear(self) -> None: ...

    def close(self) -> None: ...


class Driver(Protocol):
    """What knows the cards. All its methods may take long."""

    def open(self, way: Way) -> OpenCard:
        """Raises EngineError."""
        ...

    def restart(self) -> None:
        """While no card is open: look anew what there is. Raises EngineError."""
        ...

    def close(self) -> None: ...


class SdlDriver:
    """Begins with the first use."""

    def __init__(self, rate: int = RATE) -> None:
        """Another `rate` makes a card whose clock is off, for tests."""
        self._rate = rate
        self._begun = False

    def begin(self) -> None:
        """Raises EngineError."""
        if not self._begun:
            _hint()
            sdl.begin(sdl.Part.AUDIO)
            self._begun = True

    def names(self, capture: bool) -> tuple[str, ...]:
        """Of all cards there are. Raises EngineError."""
        self.begin()
        library = sdl.library()
        count = max(0, library.SDL_GetNumAudioDevices(int(capture)))
        found = (library.SDL_GetAudioDeviceName(number, int(capture)) for number in range(count))
        return tuple(name.decode(errors="replace") for name in found if name)

    def server(self) -> str:
        """What SDL plays through: `pulseaudio`, `pipewire`, `alsa`."""
        self.begin()
        return (sdl.library().SDL_GetCurrentAudioDriver() or b"").decode()

    def open(self, way: Way) -> OpenCard:
        name = self._matching(way)
        library = sdl.library()
        wanted = library.SDL_AudioSpec(self._rate, _S16, 1, CAPTURED if way.capture else PLAYED)
        got = library.SDL_AudioSpec(0, 0, 0, 0)
        device = library.SDL_OpenAudioDevice(
            name.encode() or None, int(way.capture), ctypes.byref(wanted), ctypes.byref(got), 0
        )
        if not device:
            raise sdl.failed(f"the {_kind(way)} does not open")
        library.SDL_PauseAudioDevice(device, 0)
        return SdlCard(device, name or f"{self.server()}'s own choice")

    def restart(self) -> None:
        self.close()
        self.begin()

    def close(self) -> None:
        if self._begun:
            self._begun = False
            sdl.end(sdl.Part.AUDIO)

    def _matching(self, way: Way) -> str:
        names = self.names(way.capture)
        if not names:
            raise EngineError(f"there is no {_kind(way)}")
        if not way.name:
            return ""
        wanted = way.name.casefold()
        alike = [name for name in names if wanted in name.casefold()]
        exact = [name for name in alike if wanted == name.casefold()]
        if not alike:
            raise EngineError(f"there is no {_kind(way)} {way.name!r}; there are: {', '.join(names)}")
        return (exact or alike)[0]


class SdlCard:
    """See `OpenCard`."""

    def __init__(self, device: int, name: str) -> None:
        self.name = name
        self._library = sdl.library()
        self._device = device  # 0 when it is closed, which is no device of SDL's
        self._using = Lock()  # SDL does not bear to have a card closed while another thread uses it
        self._buffer = ctypes.create_string_buffer(MAX_READ)

    def alive(self) -> bool:
        with self._using:
            return bool(self._library.SDL_GetAudioDeviceStatus(self._device) == _PLAYING)

    def queued(self) -> int:
        with self._using:
            return int(self._library.SDL_GetQueuedAudioSize(self._device)) // 2

    def read(self) -> bytes:
        with self._using:
            size = self._library.SDL_DequeueAudio(self._device, self._buffer, MAX_READ)
            return self._buffer.raw[:size] if size else b""

    def write(self, samples: bytes, volume: float = 1.0) -> None:
        if volume < 1.0:
            samples = _turned_down(samples, volume)
        with self._using:
            self._library.SDL_QueueAudio(self._device, samples, len(samples))

    def clear(self) -> None:
        with self._using:
            self._library.SDL_ClearQueuedAudio(self._device)

    def close(self) -> None:
        with self._using:
            device, self._device = self._device, 0
        self._library.SDL_CloseAudioDevice(device)


def _turned_down(samples: bytes, volume: float) -> bytes:
    """As we hear: half of the volume sounds half as loud, which is a quarter of the amplitude."""
    loud = (ctypes.c_ubyte * len(samples)).from_buffer_copy(samples)
    quiet = (ctypes.c_ubyte * len(samples))()
    sdl.library().SDL_MixAudioFormat(quiet, loud, _S16, len(samples), round(_LOUDEST * volume * volume))
    return bytes(quiet)


def is_likely(capture: bool, root: Path = Path("/")) -> bool:
    """Whether it is worth asking SDL, which takes a while: is there a sound server, or a card?"""
    if driver := os.environ.get("SDL_AUDIODRIVER"):
        return driver != "dummy"
    if os.environ.get("PULSE_SERVER"):
        return True
    runtime = os.environ.get("XDG_RUNTIME_DIR", "").lstrip("/") or "run"
    sockets = (f"{runtime}/pulse/native", f"{runtime}/pipewire-0", "run/pulse/native", "run/pipewire/pipewire-0")
    if any((root / path).exists() for path in sockets):
        return True
    return any((root / "dev/snd").glob("pcmC*c" if capture else "pcmC*p"))


def _hint() -> None:
    library = sdl.library()
    library.SDL_SetHint(b"SDL_AUDIO_DEVICE_APP_NAME", b"Meshdoor")
    library.SDL_SetHint(b"SDL_AUDIO_DEVICE_STREAM_NAME", b"Intercom")
    library.SDL_SetHint(b"SDL_AUDIO_DEVICE_STREAM_ROLE", b"phone")


def _kind(way: Way) -> str:
    return "microphone" if way.capture else "speaker"
