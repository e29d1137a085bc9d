"""Each track that somebody looks at, from pictures or from a stream that is passed through."""

from __future__ import annotations

import av
import pytest

from meshdoor.errors import EngineError
from meshdoor.media import card, tracks
from meshdoor.media.adapting import smaller
from meshdoor.media.camera import decoded
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.plans import VideoFormat
from meshdoor.media.tracks import Tracks

VIDEO = VideoFormat(320, 192, 30, 300_000)
CARD = Card(320, 192)


class Rig:
    def __init__(self, *wanted: str, hardware: bool = False) -> None:
        self.units: dict[str, list[Coded]] = {name: [] for name in tracks.TRACKS}
        self.now = 0.0
        self.tracks = Tracks(VIDEO, self._deliver, lambda: self.now, hardware=hardware)
        for name in wanted:
            self.tracks.want(name, True)

    def _deliver(self, name: str, unit: Coded) -> None:
        self.units[name].append(unit)

    def show(self, *numbers: int) -> None:
        for number in numbers:
            self.now += 1
            self.tracks.take(Picture(CARD.draw(number, "12:00"), number / 30))

    def size(self, name: str) -> tuple[int, int]:
        frame = decoded(next(unit for unit in reversed(self.units[name]) if unit.key))
        return frame.width, frame.height


def stream(count: int, gop: int = 100) -> list[Coded]:
    """As a camera codes it."""
    encoder = Encoder("H264", VIDEO, 320, 192)
    units = [encoder.encode(Picture(CARD.draw(at, "12:00"), at / 30), at % gop == 0) for at in range(count)]
    return [Coded(unit.data, unit.key, unit.captured, passed_through=True) for unit in units if unit is not None]


def vp8_numbers(units: list[Coded]) -> list[int | None]:
    decoder = av.VideoCodecContext.create("vp8", "r")
    return [card.read(frame) for unit in units for frame in decoder.decode(av.Packet(unit.data))]


def test_nothing_is_made_that_nobody_looks_at() -> None:
    rig = Rig()
    rig.show(1, 2)
    assert not any(rig.units.values())
    assert not rig.tracks.active
    assert rig.tracks.last is not None


def test_the_small_one_is_smaller_and_rarer() -> None:
    rig = Rig("H264", "H264-small")
    rig.show(*range(60))
    assert len(rig.units["H264"]) == 60
    assert len(rig.units["H264-small"]) == pytest.approx(30, abs=2)
    assert (rig.size("H264"), rig.size("H264-small")) == ((320, 192), (160, 96))
    assert rig.tracks.counters.frames == len(rig.units["H264"]) + len(rig.units["H264-small"])


def test_it_shrinks_further_with_a_key_frame_and_the_house_does_not() -> None:
    rig = Rig("H264", "H264-small")
    rig.show(*range(10))
    rig.tracks.shrink("H264", 3)
    rig.show(*range(10, 40))
    assert rig.size("H264-small") == (80, 48)
    assert [unit.key for unit in rig.units["H264"]] == [True] + [False] * 39
    assert smaller(VIDEO, 3).fps == 8


def test_a_camera_that_gives_another_size_than_asked_for_keeps_its_shape() -> None:
    rig = Rig("H264-small")
    rig.tracks.take(Picture(Card(640, 480).draw(1, "12:00"), 0.0))
    assert rig.size("H264-small") == (128, 96)


def test_a_late_picture_is_not_made_up_for() -> None:
    rig = Rig("H264-small")
    rig.show(0, 2, 90, 91, 92, 93, 94)
    assert len(rig.units["H264-small"]) == pytest.approx(5, abs=1)


def test_a_key_frame_for_one_track_is_none_for_the_other() -> None:
    rig = Rig("H264", "VP8")
    rig.show(0, 1)
    rig.tracks.request_key_frame("VP8")
    rig.show(2)
    assert [unit.key for unit in rig.units["VP8"]] == [True, False, True]
    assert [unit.key for unit in rig.units["H264"]] == [True, False, False]


def test_what_is_passed_through_is_decoded_for_the_others_alone() -> None:
    rig = Rig("H264")
    units = stream(30)
    for unit in units[:10]:
        rig.tracks.take(unit)
    assert rig.units["H264"] == units[:10]
    rig.tracks.want("VP8", True)
    rig.tracks.want("H264-small", True)
    for unit in units[10:]:
        rig.tracks.take(unit)
    assert rig.units["H264"] == units
    assert vp8_numbers(rig.units["VP8"]) == list(range(10, 30))  # at once, though there was no key frame meanwhile
    assert rig.size("H264-small") == (160, 96)
    rig.tracks.want("VP8", False)
    rig.tracks.want("H264-small", False)
    before = len(rig.units["VP8"])
    rig.tracks.take(units[-1])
    assert len(rig.units["VP8"]) == before


def test_a_broken_unit_costs_the_others_the_pictures_until_the_next_key_frame() -> None:
    rig = Rig("VP8")
    units = stream(20, gop=10)
    units[4] = Coded(b"\0\0\0\1\x65broken", False, units[4].captured, passed_through=True)
    for unit in units:
        rig.tracks.take(unit)
    assert vp8_numbers(rig.units["VP8"]) == [0, 1, 2, 3, *range(10, 20)]


def test_without_a_key_frame_there_is_nothing_to_decode() -> None:
    rig = Rig("VP8")
    for unit in stream(5)[1:]:
        rig.tracks.take(unit)
    assert rig.units["VP8"] == []


def test_an_encoder_of_the_machine_that_does_not_work_is_replaced_in_the_same_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There is none here, so this is what happens with FFmpeg's own h264_v4l2m2m."""
    rig = Rig("H264", hardware=True)
    rig.show(0, 1)
    assert [unit.key for unit in rig.units["H264"]] == [True, False]
    assert [record.message for record in caplog.records if "this machine" in record.message]
    assert len(caplog.records) == 1


def test_a_codec_that_fails_without_a_replacement_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **more: object) -> Encoder:
        raise EngineError("no memory")

    monkeypatch.setattr(tracks, "Encoder", fails)
    with pytest.raises(EngineError, match="no memory"):
        Rig("VP8", hardware=True).show(0)
