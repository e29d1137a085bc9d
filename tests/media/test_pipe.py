"""A camera that is a program: its pictures, its sizes, and the ways in which it fails."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.daylight import luma
from meshdoor.media.encoder import Picture
from meshdoor.media.feed import Feed
from meshdoor.media.opening import open_source
from meshdoor.media.pipe import PipeSource, open_rpicam, rpicam
from meshdoor.media.plans import VideoFormat
from meshdoor.media.source import Source
from meshdoor.settings.camera import CameraConfig
from tests.fakes.rpicam import Rpicam
from tests.patience import wait_for

VIDEO = VideoFormat(320, 192, 60)


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rpicam:
    made = Rpicam(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return made


@contextmanager
def reading(video: VideoFormat = VIDEO) -> Iterator[Source]:
    with closing(open_source("rpicam", video)) as source:
        yield source


def read(source: Source) -> Picture:
    item = source.read()
    assert isinstance(item, Picture)
    return item


def fails(source: Source) -> str:
    try:
        while True:
            source.read()
    except EngineError as error:
        return str(error)


def test_its_pictures_come_as_they_are(camera: Rpicam) -> None:
    camera.tell("plain 77")
    with reading() as source:
        first, second = read(source), read(source)
    assert luma(first.frame) == 77
    assert (first.frame.width, first.frame.height) == (320, 192)
    assert bytes(memoryview(first.frame.planes[2]))[:10] == bytes((128,)) * 10
    assert second.captured > first.captured
    assert "--codec yuv420 --width 320 --height 192 --framerate 60" in camera.runs[0]


@pytest.mark.parametrize("size", ["640 360", "330 192", "100 50"])
def test_it_works_at_the_size_that_the_program_says(camera: Rpicam, size: str) -> None:
    camera.tell(f"size {size} 99")
    with reading() as source:
        pictures = [read(source) for _ in range(3)]
    width, height = map(int, size.split())
    for picture in pictures:
        assert (picture.frame.width, picture.frame.height) == (width, height)
        assert [bytes(memoryview(plane))[plane.width - 1] for plane in picture.frame.planes] == [99, 128, 128]


def test_a_change_of_size_is_no_picture_of_another_shape(camera: Rpicam) -> None:
    with reading() as source:
        read(source)
        camera.tell("resize 640 360")
        assert fails(source) == "the camera's pictures have changed their size to 640x360"


@pytest.mark.parametrize("size", ["331 192", "330 191"])
def test_a_size_that_is_no_picture(camera: Rpicam, size: str) -> None:
    camera.tell(f"size {size} 99")
    with reading() as source:
        assert "gives YUV420 pictures at" in fails(source)


def test_it_says_why_it_ended(camera: Rpicam) -> None:
    camera.tell("none")
    with reading() as source:
        assert fails(source) == "rpicam-vid ended: no cameras available"
    camera.tell("plain 126")
    with reading() as source:
        read(source)
        camera.tell("die Device timeout detected, attempting a restart!!!")
        assert "rpicam-vid ended: Device timeout detected" in fails(source)


def test_it_may_say_nothing_and_end() -> None:
    size = 320 * 192 * 3 // 2
    program = f"import os, sys, time; os.close(2); sys.stdout.buffer.write(bytes(range(256)) * {size // 256})"
    with closing(PipeSource([sys.executable, "-c", program], VIDEO)) as source:
        assert bytes(source.read().frame.planes[0])[:256] == bytes(range(256))
        assert fails(source) == f"{Path(sys.executable).name} ended"


def test_one_that_hangs_is_let_go(camera: Rpicam) -> None:
    with reading() as source:
        read(source)
        camera.tell("stall")
        stopper = threading.Timer(0.1, source.stop)
        stopper.start()
        assert fails(source) == "the camera gives no pictures"
        stopper.join()


def test_a_feed_of_one_that_hangs_gives_the_camera_back(camera: Rpicam) -> None:
    """Else the next run of the program would find it in use."""
    source = open_rpicam("rpicam", VIDEO)
    feed = Feed(source)
    feed.read(5)
    camera.tell("stall")
    _read_all(feed)
    feed.close()
    wait_for(lambda: source._process.poll() is not None)


def _read_all(feed: Feed) -> None:
    with suppress(EngineError):
        while True:
            feed.read(0.2)


def test_one_that_does_not_end_when_told_to_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.media.pipe.ENDING", 0.1)
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    source = PipeSource([sys.executable, "-c", program], VIDEO)
    source._wait()
    source.close()
    assert source._process.returncode == -9


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="cannot run rpicam-vid: No such file"):
        open_source("rpicam", VIDEO).read()


def test_the_words_of_the_settings_and_a_width_without_gaps(camera: Rpicam) -> None:
    command = rpicam("rpicam:1", VideoFormat(1300, 721, 25), ("--vflip",))
    assert Path(command[0]).name == "rpicam-vid"
    assert " ".join(command[1:]) == (
        "--timeout 0 --nopreview --codec yuv420 --width 1280 --height 720 --framerate 25 --camera 1 --vflip --output -"
    )
    with closing(open_source("rpicam", VIDEO, settings=CameraConfig(options=("--rotation", "180")))) as source:
        source.read()
    assert "--rotation 180" in camera.runs[0]
