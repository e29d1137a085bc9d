"""Sources, each from something real: the card, files, a program."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from meshdoor.errors import EngineError
from meshdoor.media import card
from meshdoor.media.camera import decoded
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.opening import open_source
from meshdoor.media.plans import VideoFormat
from meshdoor.media.source import CardSource, Source, clock_text
from meshdoor.media.streams import StreamSource, fitting

VIDEO = VideoFormat(320, 192, 30, 300_000)


def film(path: Path, profile: str = "baseline", gop: int = 5, frames: int = 10) -> str:
    """A file of numbered cards at 30 pictures a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 30, {"profile": profile, "preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 30)
        if profile == "main":
            stream.codec_context.options = {**stream.codec_context.options, "bf": "2", "x264-params": "bframes=2"}
        for number in range(frames):
            frame = Card(320, 192).draw(number, "12:00")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


class Times:
    """A pause that only writes down."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def numbers(source: Source, count: int) -> list[int | None]:
    shown = []
    for _ in range(count):
        item = source.read()
        assert isinstance(item, Picture)
        shown.append(card.read(item.frame))
    return shown


def test_the_card_comes_at_its_beats() -> None:
    times = Times()
    source = CardSource(VIDEO, times.pause, times.clock)
    assert numbers(source, 3) == [3000, 3001, 3002]
    assert times.pauses == pytest.approx([1 / 30, 1 / 30])
    times.now += 1.0  # the encoder was slow: no card is made up for
    assert numbers(source, 1) == [3032]
    source.close()


def test_a_baseline_file_is_passed_through_again_and_again(tmp_path: Path) -> None:
    source = open_source(film(tmp_path / "a.mp4"), VIDEO, lambda seconds: None)
    units = [source.read() for _ in range(22)]
    assert all(isinstance(unit, Coded) for unit in units)
    assert [at for at, unit in enumerate(units) if isinstance(unit, Coded) and unit.key] == [0, 5, 10, 15, 20]
    assert isinstance(units[10], Coded)
    assert card.read(decoded(units[10])) == 0
    assert isinstance(units[5], Coded)
    assert card.read(decoded(units[5])) == 5
    source.close()


@pytest.mark.parametrize(("name", "profile", "gop"), [("rare.mp4", "baseline", 250), ("main.mkv", "main", 5)])
def test_other_files_are_decoded(tmp_path: Path, name: str, profile: str, gop: int) -> None:
    path = film(tmp_path / name, profile, gop, frames=70 if gop > 100 else 10)
    source = open_source(path, VIDEO, lambda seconds: None)
    assert numbers(source, 4) == [0, 1, 2, 3]
    source.close()


def test_a_file_is_played_at_its_speed(tmp_path: Path) -> None:
    pauses: list[float] = []
    source = open_source(film(tmp_path / "a.mp4"), VIDEO, pauses.append)
    for _ in range(5):
        source.read()
    assert pauses[-1] == pytest.approx(4 / 30, abs=0.1)
    source.close()


def test_what_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"hello" * 100)
    with pytest.raises(EngineError, match="cannot open"):
        open_source(str(tmp_path / "text.mp4"), VIDEO)
    with pytest.raises(EngineError, match="no camera or file"):
        open_source(str(tmp_path / "none.mp4"), VIDEO)
    with pytest.raises(EngineError, match="cannot open /dev/null"):
        open_source("/dev/null", VIDEO).read()


def test_sound_has_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame(format="s16", layout="mono", samples=160)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(EngineError, match="has no pictures"):
        open_source(str(path), VIDEO)


def test_an_rtsp_camera_that_is_not_there_does_not_tell_its_password() -> None:
    with pytest.raises(EngineError) as caught:
        open_source("rtsp://user:secret@127.0.0.1:9/live", VIDEO).read()
    assert "secret" not in str(caught.value)
    assert "rtsp://127.0.0.1:9/live" in str(caught.value)


def test_a_stream_that_is_not_a_file_ends(tmp_path: Path) -> None:
    source = StreamSource(av.open(film(tmp_path / "a.mp4", frames=2)), pause=None)
    assert source.passes_through
    source.read()
    source.read()
    with pytest.raises(EngineError, match="stopped"):
        source.read()
    source.close()


def test_pictures_are_made_to_fit() -> None:
    large = av.VideoFrame(1921, 1081, "yuv444p")
    assert (fitting(large).width, fitting(large).height, fitting(large).format.name) == (1278, 720, "yuv420p")
    small = av.VideoFrame(320, 192, "yuv420p")
    assert fitting(small) is small


def test_the_clock_has_milliseconds() -> None:
    assert clock_text(1.25).endswith(".250")
