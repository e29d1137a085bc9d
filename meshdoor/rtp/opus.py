"""Opus as RTP carries it (RFC 7587): what its first bytes tell (RFC 6716 §3)."""

from __future__ import annotations

from meshdoor.errors import RtpError

CLOCK_RATE = 48_000  # Hz, always (RFC 7587 §4.1)
MAX_DURATION = 5760  # samples: 120 ms, RFC 6716 §3.2.5

_SILK = (480, 960, 1920, 2880)  # samples at 48 kHz of configurations 0 to 11
_HYBRID = (480, 960)  # of 12 to 15
_CELT = (120, 240, 480, 960)  # of 16 to 31
_FRAME_SIZES = _SILK * 3 + _HYBRID * 2 + _CELT * 4
_DTX_LENGTH = 2  # bytes: a packet this short says nothing new (RFC 7587 §3.1.3)


def duration(payload: bytes) -> int:
    """Samples at 48 kHz in one packet. Raises RtpError for what cannot be Opus."""
    frames = _frame_count(payload)
    samples = frames * _FRAME_SIZES[payload[0] >> 3]
    if not 0 < samples <= MAX_DURATION:
        raise RtpError(f"an Opus packet of {samples} samples")
    return samples


def is_stereo(payload: bytes) -> bool:
    return bool(payload) and bool(payload[0] & 0x04)


def is_dtx(payload: bytes) -> bool:
    """Whether the packet only says that silence goes on."""
    return len(payload) <= _DTX_LENGTH


def has_fec(payload: bytes) -> bool:
    """Whether a single-frame packet carries its predecessor again at low rate (LBRR, RFC 6716 §4.2.4)."""
    if len(payload) < 2 or payload[0] & 0x03:
        return False
    config = payload[0] >> 3
    if config >= 16:  # CELT has none
        return False
    silk_frames = max(1, _FRAME_SIZES[config] // 960)
    return bool(payload[1] & 0x80 >> silk_frames)


def _frame_count(payload: bytes) -> int:
    if not payload:
        raise RtpError("an empty Opus packet")
    code = payload[0] & 0x03
    if code < 3:
        return 1 if code == 0 else 2
    if len(payload) < 2:
        raise RtpError("an Opus packet that is cut short")
    return payload[1] & 0x3F
