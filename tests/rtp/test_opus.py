from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import RtpError
from meshdoor.rtp.opus import duration, has_fec, is_dtx, is_stereo


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (b"\x08", 960),  # SILK narrow band, 20 ms
        (b"\x18", 2880),  # 60 ms
        (b"\x60", 480),  # hybrid, 10 ms
        (b"\xf8", 960),  # CELT full band, 20 ms
        (b"\xe0", 120),  # 2.5 ms
        (b"\xf9", 1920),  # two frames
        (b"\xfb\x03", 2880),  # three, as the next byte says
    ],
)
def test_duration(payload: bytes, samples: int) -> None:
    assert duration(payload) == samples


@pytest.mark.parametrize("payload", [b"", b"\xfb", b"\xfb\x00", b"\x1b\x03"])
def test_refused(payload: bytes) -> None:
    with pytest.raises(RtpError):
        duration(payload)


@given(st.binary(max_size=4))
def test_any_bytes(payload: bytes) -> None:
    has_fec(payload)
    with contextlib.suppress(RtpError):
        assert 0 < duration(payload) <= 5760


def test_flags_of_the_first_byte() -> None:
    assert is_stereo(b"\xfc")
    assert not is_stereo(b"\xf8")
    assert not is_stereo(b"")
    assert is_dtx(b"\xf8")
    assert not is_dtx(b"\xf8\xff\xfe")


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b"\x08\x40", True),  # SILK 20 ms: the second bit
        (b"\x08\x80", False),
        (b"\x10\x20", True),  # 40 ms: two VAD bits before it
        (b"\x10\x40", False),
        (b"\xf8\x40", False),  # CELT
        (b"\x09\x40", False),  # two frames
        (b"\x08", False),
    ],
)
def test_forward_error_correction(payload: bytes, answer: bool) -> None:
    assert has_fec(payload) is answer
