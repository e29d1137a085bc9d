"""libswresample itself, for what PyAV does not pass on: sound that is made a few parts in a million longer or shorter
while it flows.

It is the library that PyAV brings along, or that of the system; without it, clocks that differ are heard as a click
every few minutes.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from pathlib import Path

import av

from meshdoor.media.sound import RATE

_SYSTEM = tuple(f"libswresample.so.{version}" for version in (6, 5, 4))  # FFmpeg 5.1 and later have what is needed
_DISTANCE = 20 * RATE  # samples over which a change is spread: 1 ppm is one sample in that
_SPARE = 64  # samples more than what goes in; more than the filter holds back
_S16 = 1  # AV_SAMPLE_FMT_S16


class _Layout(ctypes.Structure):
    """AVChannelLayout: one channel, in the middle."""

    _fields_ = (
        ("order", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("opaque", ctypes.c_void_p),
    )


_MONO = _Layout(1, 1, 4, None)


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None where there is none."""
    bundled = Path(av.__file__).parent.parent / "av.libs"
    for name in (*map(str, sorted(bundled.glob("libswresample-*"))), *_SYSTEM):
        try:
            return _declared(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return None


def _declared(found: ctypes.CDLL) -> ctypes.CDLL:
    number, pointer = ctypes.c_int, ctypes.c_void_p
    layout, handle = ctypes.POINTER(_Layout), ctypes.POINTER(ctypes.c_void_p)
    found.swr_alloc_set_opts2.argtypes = (handle, layout, number, number, layout, number, number, number, pointer)
    found.swr_init.argtypes = (pointer,)
    found.swr_free.argtypes = (handle,)
    found.swr_free.restype = None
    found.swr_set_compensation.argtypes = (pointer, number, number)
    found.swr_convert.argtypes = (pointer, handle, number, handle, number)
    return found


class Stretcher:
    """48 kHz in, 48 kHz and a little more or less out."""

    def __init__(self, found: ctypes.CDLL) -> None:
        self._library = found
        self._state = ctypes.c_void_p()
        mono = ctypes.byref(_MONO)
        found.swr_alloc_set_opts2(ctypes.byref(self._state), mono, _S16, RATE, mono, _S16, RATE, 0, None)
        if found.swr_init(self._state) < 0:
            raise MemoryError("libswresample does not begin")
        weakref.finalize(self, found.swr_free, ctypes.byref(ctypes.c_void_p(self._state.value)))
        self._ppm: int | None = None
        self.stretch(0.0)

    def stretch(self, ppm: float) -> None:
        """From now on a million samples become so many more."""
        whole = round(ppm)
        if whole != self._ppm:
            self._ppm = whole
            self._library.swr_set_compensation(self._state, whole * _DISTANCE // 1_000_000, _DISTANCE)

    def convert(self, samples: bytes) -> bytes:
        count = len(samples) // 2
        room = count + count // 256 + _SPARE
        out = ctypes.create_string_buffer(2 * room)
        made = self._library.swr_convert(self._state, _pointer(out), room, _pointer(samples), count)
        return out.raw[: 2 * max(0, made)]


class Unstretched:
    """Where there is no library."""

    def stretch(self, ppm: float) -> None: ...

    def convert(self, samples: bytes) -> bytes:
        return samples


def stretcher() -> Stretcher | Unstretched:
    found = library()
    return Unstretched() if found is None else Stretcher(found)


def _pointer(data: bytes | ctypes.Array[ctypes.c_char]) -> ctypes.Array[ctypes.c_void_p]:
    """One plane."""
    at = ctypes.cast(ctypes.c_char_p(data) if isinstance(data, bytes) else data, ctypes.c_void_p)
    return (ctypes.c_void_p * 1)(at)
