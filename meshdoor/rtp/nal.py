"""H.264 NAL units: Annex B byte streams, key frames, parameter sets (ITU-T H.264 §7.3, Annex B)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from meshdoor.errors import RtpError

START_CODE = b"\0\0\0\1"

# nal_unit_type, H.264 table 7-1.
SLICE, IDR, SEI, SPS, PPS, DELIMITER, FILLER = 1, 5, 6, 7, 8, 9, 12

MAX_SPROP = 4096  # ours: characters of sprop-parameter-sets


def nal_type(nal: bytes) -> int:
    return nal[0] & 0x1F


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream, without start codes; what stands before the first one is dropped.

    A NAL unit never ends in a zero byte (§7.4.1), so zeros at an end belong to the next start code."""
    units = bytes(data).split(b"\0\0\1")[1:]
    return [nal for nal in (unit.rstrip(b"\0") for unit in units) if nal]


def split_avcc(data: bytes, length_size: int = 4) -> list[bytes]:
    """The NAL units of a sample as MP4 files store it: each behind its length (ISO/IEC 14496-15).
    Raises RtpError when a length does not fit."""
    units, at = [], 0
    while at < len(data):
        start = at + length_size
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or at == start:
            raise RtpError("an MP4 sample whose NAL unit lengths do not fit")
        units.append(data[start:at])
    return units


def join_annex_b(nals: Iterable[bytes]) -> bytes:
    return b"".join(START_CODE + nal for nal in nals)


def is_key_frame(nals: Iterable[bytes]) -> bool:
    return any(nal_type(nal) == IDR for nal in nals)


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """SPS and PPS, as `sprop-parameter-sets` carries them (RFC 6184 §8.1)."""

    nals: tuple[bytes, ...]

    @classmethod
    def parse(cls, text: str) -> ParameterSets:
        """Raises RtpError when it is no comma list of base64 parameter sets."""
        if len(text) > MAX_SPROP:
            raise RtpError("sprop-parameter-sets is too long")
        try:
            nals = tuple(base64.b64decode(part, validate=True) for part in text.split(","))
        except (binascii.Error, ValueError) as error:
            raise RtpError(f"sprop-parameter-sets is not base64: {error}") from None
        if not all(nals) or not {nal_type(nal) for nal in nals} <= {SPS, PPS}:
            raise RtpError("sprop-parameter-sets holds something else")
        return cls(nals)

    @classmethod
    def of(cls, nals: Iterable[bytes]) -> ParameterSets | None:
        """Those among the NAL units of an access unit; None unless there are both kinds."""
        found = tuple(nal for nal in nals if nal_type(nal) in {SPS, PPS})
        return cls(found) if {nal_type(nal) for nal in found} == {SPS, PPS} else None

    @property
    def profile_level_id(self) -> str:
        """The six hex digits of the first SPS, or "" without one."""
        return next((nal[1:4].hex() for nal in self.nals if nal_type(nal) == SPS), "")

    def __str__(self) -> str:
        return ",".join(base64.b64encode(nal).decode() for nal in self.nals)
