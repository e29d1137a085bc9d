"""What leaves an encoder is what every peer can show at once."""

from __future__ import annotations

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.messages import VideoFormat
from meshdoor.rtp.nal import IDR, PPS, SPS, ParameterSets, nal_type, split_annex_b
from meshdoor.rtp.vp8 import starts_key_frame

VIDEO = VideoFormat(320, 192, 30, 300_000)
CARD = Card(320, 192)


def encode(codec: str, *keys: bool) -> list[Coded]:
    encoder = Encoder(codec, VIDEO, 320, 192)
    coded = [encoder.encode(Picture(CARD.draw(at, "12:00"), at / 30), key) for at, key in enumerate(keys)]
    return [unit for unit in coded if unit is not None]


def kinds(coded: Coded) -> list[int]:
    return [nal_type(nal) for nal in split_annex_b(coded.data)]


def test_each_picture_comes_out_at_once() -> None:
    assert [unit.captured for unit in encode("H264", False, False, False)] == [0.0, 1 / 30, 2 / 30]


def test_key_frames_on_request_with_their_parameter_sets() -> None:
    units = encode("H264", False, False, True, False)
    assert [unit.key for unit in units] == [True, False, True, False]
    for unit in units:
        assert ({SPS, PPS, IDR} <= set(kinds(unit))) == unit.key
        assert len([kind for kind in kinds(unit) if kind in {1, IDR}]) == 1  # one slice


def test_constrained_baseline() -> None:
    sets = ParameterSets.of(split_annex_b(encode("H264", True)[0].data))
    assert sets is not None
    assert sets.profile_level_id.startswith("42c0")


def test_vp8() -> None:
    units = encode("VP8", False, False, True)
    assert [unit.key for unit in units] == [True, False, True]
    assert starts_key_frame(b"\x10" + units[0].data)


def test_a_clock_that_stands_still_or_goes_back() -> None:
    encoder = Encoder("H264", VIDEO, 320, 192)
    for captured in (5.0, 5.0, 4.0):
        assert encoder.encode(Picture(CARD.draw(1, "12:00"), captured)) is not None


def test_timestamps_are_those_of_rtp() -> None:
    assert Coded(b"", True, 2.0).timestamp == 180_000
    assert Coded(b"", True, (1 << 32) / 90_000 + 1).timestamp == 90_000


def test_a_codec_that_is_not_there() -> None:
    with pytest.raises(EngineError, match="cannot encode H265"):
        Encoder("H265", VIDEO, 320, 192)
