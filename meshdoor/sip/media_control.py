"""The request for a key frame by INFO (RFC 5168), of clients whose RTCP has no feedback."""

from __future__ import annotations

from typing import Final

MEDIA_CONTROL: Final = "application/media_control+xml"
MAX_BODY: Final = 2048  # bytes; ours
_FAST_UPDATE: Final = b"picture_fast_update"


def asks_for_key_frame(content_type: str | None, body: bytes) -> bool:
    """`content_type` is type/subtype in lower case. No XML is parsed for a word that has one meaning."""
    return content_type == MEDIA_CONTROL and len(body) <= MAX_BODY and _FAST_UPDATE in body
