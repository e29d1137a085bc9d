"""G.711 (RFC 3551 §4.5.14): PCMU and PCMA to and from 16-bit little-endian linear samples, by tables.

20 ms of telephone sound are 160 samples: one `bytes.translate` pair to decode, one table look-up each to
encode. (The standard library's audioop is gone from Python 3.13.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

CLOCK_RATE = 8000  # Hz
PCMU, PCMA = 0, 8  # payload types, RFC 3551 §6

_BIAS = 132  # G.711 table 2, on the scale of 16 bits
_CLIP = 32635


def decode_pcmu(payload: bytes) -> bytes:
    return _expand(payload, *_pcmu_tables())


def decode_pcma(payload: bytes) -> bytes:
    return _expand(payload, *_pcma_tables())


def encode_pcmu(samples: bytes) -> bytes:
    return _compress(samples, _pcmu_codes())


def encode_pcma(samples: bytes) -> bytes:
    return _compress(samples, _pcma_codes())


def _expand(payload: bytes, low: bytes, high: bytes) -> bytes:
    samples = bytearray(2 * len(payload))
    samples[::2] = payload.translate(low)
    samples[1::2] = payload.translate(high)
    return bytes(samples)


def _compress(samples: bytes, codes: bytes) -> bytes:
    count = len(samples) // 2
    return bytes(map(codes.__getitem__, struct.unpack_from(f"<{count}H", samples)))


def _tables(values: Iterable[int]) -> tuple[bytes, bytes]:
    """The low and the high bytes of the sample that each code stands for."""
    words = [value & 0xFFFF for value in values]
    return bytes(word & 0xFF for word in words), bytes(word >> 8 for word in words)


@cache
def _pcmu_tables() -> tuple[bytes, bytes]:
    return _tables(map(_pcmu_sample, range(256)))


@cache
def _pcma_tables() -> tuple[bytes, bytes]:
    return _tables(map(_pcma_sample, range(256)))


def _pcmu_sample(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + _BIAS << (code >> 4 & 7)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


def _pcma_sample(code: int) -> int:
    code ^= 0x55
    segment, step = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = step + 8 if not segment else step + 0x108 << segment - 1
    return magnitude if code & 0x80 else -magnitude


def _pcmu_code(sample: int) -> int:
    magnitude = min(abs(sample), _CLIP) + _BIAS
    segment = magnitude.bit_length() - 8
    sign = 0x80 if sample < 0 else 0
    return ~(sign | segment << 4 | magnitude >> segment + 3 & 0x0F) & 0xFF


def _pcma_code(sample: int) -> int:
    sign, magnitude = (0x80, sample >> 4) if sample >= 0 else (0, ~sample >> 4)
    segment = max(magnitude.bit_length() - 4, 1) if magnitude > 15 else 0
    step = magnitude >> max(segment - 1, 0) & 0x0F
    return (sign | segment << 4 | step) ^ 0x55


def _signed(word: int) -> int:
    return word - ((word & 0x8000) << 1)


@cache
def _pcmu_codes() -> bytes:
    """The code of each 16-bit word; made at the first use (some 20 ms)."""
    return bytes(_pcmu_code(_signed(word)) for word in range(1 << 16))


@cache
def _pcma_codes() -> bytes:
    return bytes(_pcma_code(_signed(word)) for word in range(1 << 16))
