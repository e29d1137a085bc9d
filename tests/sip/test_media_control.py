"""The request for a key frame by INFO."""

from __future__ import annotations

import pytest

from meshdoor.sip.media_control import MAX_BODY, MEDIA_CONTROL, asks_for_key_frame

ASKS = (
    b'<?xml version="1.0" encoding="utf-8" ?>\r\n<media_control>\r\n <vc_primitive>\r\n  <to_encoder>\r\n'
    b"   <picture_fast_update></picture_fast_update>\r\n  </to_encoder>\r\n </vc_primitive>\r\n</media_control>\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (MEDIA_CONTROL, ASKS, True),
        (MEDIA_CONTROL, b"<media_control/>", False),
        (MEDIA_CONTROL, ASKS + bytes(MAX_BODY), False),
        ("application/dtmf-relay", ASKS, False),
        (None, ASKS, False),
    ],
)
def test_who_asks_for_a_key_frame(content_type: str | None, body: bytes, expected: bool) -> None:
    assert asks_for_key_frame(content_type, body) is expected
