"""What leaves an encoder is what every peer can show at once."""

from __future__ import annotations

import av
import pytest
from av.stream import Stream
from av.video.frame import PictureType

from meshdoor.errors import EngineError
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.plans import VideoFormat
from meshdoor.rtp.nal import IDR, PPS, SPS, ParameterSets, join_annex_b, nal_type, split_annex_b
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


class Hardware:
    """Stands in for a context of h264_v4l2m2m: parameter sets come once and alone, and each picture one call late."""

    def __init__(self) -> None:
        self._inner = Encoder("H264", VIDEO, 320, 192)
        self._waiting: list[av.Packet[Stream]] = []
        self._told = False

    def encode(self, frame: av.VideoFrame) -> list[av.Packet[Stream]]:
        assert frame.pts is not None
        coded = self._inner.encode(Picture(frame, frame.pts / 90_000), frame.pict_type == PictureType.I)
        assert coded is not None
        nals = split_annex_b(coded.data)
        due, self._waiting = self._waiting, [packet(nals, {1, IDR}, frame.pts)]
        if not self._told:
            self._told = True
            return [packet(nals, {SPS, PPS}, None)]
        return due


def packet(nals: list[bytes], kinds: set[int], pts: int | None) -> av.Packet[Stream]:
    made = av.Packet(join_annex_b(nal for nal in nals if nal_type(nal) in kinds))
    made.pts = pts
    return made


def test_an_encoder_of_a_pi_gives_what_every_peer_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "_open", lambda self, video: None)
    encoder = Encoder("H264", VIDEO, 320, 192, hardware=True)
    monkeypatch.undo()
    monkeypatch.setattr(encoder, "_context", Hardware(), raising=False)
    units = [encoder.encode(Picture(CARD.draw(at, "12:00"), at / 30), at == 3) for at in range(6)]
    assert units[0] is None  # parameter sets alone are no picture
    given = [unit for unit in units if unit is not None]
    assert [unit.key for unit in given] == [True, False, False, True, False]
    assert [round(unit.captured * 30) for unit in given] == [0, 1, 2, 3, 4]  # not when it came out
    for unit in given:
        assert ({SPS, PPS, IDR} <= set(kinds(unit))) == unit.key


def test_an_encoder_of_a_pi_that_is_not_there() -> None:
    with pytest.raises(EngineError, match="cannot encode H264"):
        Encoder("H264", VIDEO, 320, 192, hardware=True)
    assert not Encoder("VP8", VIDEO, 320, 192, hardware=True).hardware
