from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.rtp.g711 import decode_pcma, decode_pcmu, encode_pcma, encode_pcmu

LAWS = pytest.mark.parametrize(
    ("encode", "decode"), [(encode_pcmu, decode_pcmu), (encode_pcma, decode_pcma)], ids=["mu", "A"]
)
Codec = Callable[[bytes], bytes]


@LAWS
def test_each_code_survives(encode: Codec, decode: Codec) -> None:
    codes = bytes(range(256))
    assert decode(encode(decode(codes))) == decode(codes)


@LAWS
@given(st.integers(-0x8000, 0x7FFF))
def test_the_error_is_small_beside_the_sample(encode: Codec, decode: Codec, sample: int) -> None:
    (back,) = struct.unpack("<h", decode(encode(struct.pack("<h", sample))))
    assert abs(back - sample) <= max(8, abs(sample) / 16, 32_767 - 32_124)


@pytest.mark.parametrize(
    ("encode", "sample", "code"),
    [
        (encode_pcmu, 0, 0xFF),
        (encode_pcmu, -1, 0x7F),
        (encode_pcmu, 32_767, 0x80),
        (encode_pcmu, -32_768, 0x00),
        (encode_pcma, 0, 0xD5),
        (encode_pcma, -1, 0x55),
        (encode_pcma, 32_767, 0xAA),
        (encode_pcma, -32_768, 0x2A),
    ],
)
def test_vectors(encode: Codec, sample: int, code: int) -> None:
    assert encode(struct.pack("<h", sample)) == bytes((code,))


@LAWS
def test_a_half_sample_is_left_out(encode: Codec, decode: Codec) -> None:
    assert len(encode(b"\0\0\0")) == 1
    assert decode(b"") == b""
