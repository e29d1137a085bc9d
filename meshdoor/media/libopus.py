"""libopus itself, for what PyAV does not pass on: forward error correction and concealment (RFC 6716 §4.4, §2.1.7).

It is the library that PyAV brings along, or that of the system; nothing is lost but these two where neither is found.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from pathlib import Path

import av

from meshdoor.errors import RtpError
from meshdoor.media.sound import RATE

MAX_SAMPLES = 5760  # 120 ms, RFC 6716 §2.1.4
_SYSTEM = "libopus.so.0"


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None where there is none."""
    bundled = Path(av.__file__).parent.parent / "av.libs"
    for name in (*map(str, sorted(bundled.glob("libopus-*"))), _SYSTEM):
        try:
            return _declared(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return None


def _declared(found: ctypes.CDLL) -> ctypes.CDLL:
    number, pointer = ctypes.c_int, ctypes.c_void_p
    found.opus_decoder_create.argtypes = (ctypes.c_int32, number, ctypes.POINTER(number))
    found.opus_decoder_create.restype = pointer
    found.opus_decoder_destroy.argtypes = (pointer,)
    found.opus_decoder_destroy.restype = None
    found.opus_decode.argtypes = (pointer, ctypes.c_char_p, ctypes.c_int32, pointer, number, number)
    found.opus_decode.restype = number
    return found


class Decoder:
    """One stream of Opus, to 48 kHz and one channel."""

    def __init__(self, found: ctypes.CDLL) -> None:
        failed = ctypes.c_int()
        self._decode = found.opus_decode
        self._state = ctypes.c_void_p(found.opus_decoder_create(RATE, 1, ctypes.byref(failed)))
        if failed.value or not self._state:
            raise MemoryError("libopus has no decoder")
        weakref.finalize(self, found.opus_decoder_destroy, self._state)
        self._samples = (ctypes.c_int16 * MAX_SAMPLES)()

    def decode(self, payload: bytes) -> bytes:
        """Raises RtpError for what is not Opus."""
        return self._run(payload, MAX_SAMPLES, 0)

    def recover(self, following: bytes, samples: int) -> bytes:
        """The packet that was lost before this one, out of this one. Raises RtpError."""
        return self._run(following, samples, 1)

    def conceal(self, samples: int) -> bytes:
        """What may have been in the packet that was lost."""
        return self._run(None, samples, 0)

    def _run(self, payload: bytes | None, samples: int, fec: int) -> bytes:
        length = len(payload) if payload is not None else 0
        room = min(samples, MAX_SAMPLES)
        count = self._decode(self._state, payload, length, ctypes.byref(self._samples), room, fec)
        if count < 0:
            raise RtpError(f"an Opus packet that cannot be decoded ({count})")
        return ctypes.string_at(self._samples, 2 * count)
