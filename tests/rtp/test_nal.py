from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import RtpError
from meshdoor.rtp.nal import ParameterSets, is_key_frame, join_annex_b, split_annex_b, split_avcc

SPS, PPS, IDR = b"\x67\x42\xc0\x1f\xaa", b"\x68\xce\x3c\x80", b"\x65\x88\x84"


def nal_units() -> st.SearchStrategy[list[bytes]]:
    byte = st.integers(1, 255)  # no zeros, so no start code within
    return st.lists(st.lists(byte, min_size=1, max_size=20).map(bytes), max_size=5)


@given(nal_units())
def test_annex_b_round_trip(nals: list[bytes]) -> None:
    assert split_annex_b(join_annex_b(nals)) == nals


def test_both_start_codes_and_trailing_zeros() -> None:
    assert split_annex_b(b"\0\0\1" + SPS + b"\0\0\0\1" + PPS + b"\0\0\0\0\0\1" + IDR + b"\0") == [SPS, PPS, IDR]


def test_what_stands_before_the_first_start_code_is_dropped() -> None:
    assert split_annex_b(b"junk\0\0\1" + IDR) == [IDR]
    assert split_annex_b(b"junk") == []


def test_avcc() -> None:
    assert split_avcc(b"\0\0\0\5" + SPS + b"\0\0\0\3" + IDR) == [SPS, IDR]
    assert split_avcc(b"\0\3" + IDR, 2) == [IDR]


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\0\0\0\4abc", b"\0\0"])
def test_avcc_that_does_not_fit(data: bytes) -> None:
    with pytest.raises(RtpError):
        split_avcc(data)


def test_key_frame() -> None:
    assert is_key_frame([SPS, PPS, IDR])
    assert not is_key_frame([SPS, PPS, b"\x41\x9a"])


def test_parameter_sets_round_trip() -> None:
    sets = ParameterSets.of([SPS, PPS, IDR])
    assert sets is not None
    assert sets == ParameterSets((SPS, PPS)) == ParameterSets.parse(str(sets))
    assert sets.profile_level_id == "42c01f"


def test_parameter_sets_need_both_kinds() -> None:
    assert ParameterSets.of([SPS, IDR]) is None
    assert ParameterSets((PPS,)).profile_level_id == ""


@pytest.mark.parametrize("text", ["", "Z0LAH6o=,", "?", "ZYiE", "Z0LAH6o=," * 1000, "Zé=="])
def test_sprop_refused(text: str) -> None:
    with pytest.raises(RtpError):
        ParameterSets.parse(text)
