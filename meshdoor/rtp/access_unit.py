"""What a video depacketizer makes of the packets of one RTP timestamp."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture: of H.264 an Annex B byte stream, of VP8 a frame.
    `intact` is False when something of it was lost."""

    data: bytes = field(repr=False)
    timestamp: int
    key: bool
    intact: bool
