"""The camera's thread: asleep while nobody looks, and a card while the source is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import camera as module
from meshdoor.media import card
from meshdoor.media.camera import Camera, decoded
from meshdoor.media.card import Card
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.feed import Feed
from meshdoor.media.plans import VideoFormat
from meshdoor.media.reports import Device
from meshdoor.media.source import CardSource, Pause, Source
from tests.patience import wait_for

VIDEO = VideoFormat(320, 192, 60, 300_000)
CARD = Card(320, 192)


class Script:
    """A source that gives what it was told to, then fails, or hangs until it is closed."""

    def __init__(self, items: list[Picture | Coded], hangs: bool = False) -> None:
        self.items = iter(items)
        self.hangs = hangs
        self.closed = threading.Event()

    def read(self) -> Picture | Coded:
        item = next(self.items, None)
        if item is not None:
            return item
        if self.hangs:
            self.closed.wait(5)
        raise EngineError("the camera stopped")

    stand_in = ""

    def stop(self) -> None:
        """It hangs in its driver."""

    def close(self) -> None:
        self.closed.set()


class Watcher:
    def __init__(self) -> None:
        self.units: list[tuple[str, Coded]] = []
        self.devices: list[Device] = []

    def of(self, codec: str) -> list[Coded]:
        return [coded for name, coded in self.units if name == codec]


@contextmanager
def running(open_: Callable[[Pause], Source]) -> Iterator[tuple[Camera, Watcher]]:
    watcher = Watcher()
    camera = Camera(open_, VIDEO, lambda codec, coded: watcher.units.append((codec, coded)), watcher.devices.append)
    try:
        yield camera, watcher
    finally:
        camera.close()


def the_card(pause: Pause) -> Source:
    return CardSource(VIDEO, pause)


def picture(number: int) -> Picture:
    return Picture(Card(320, 192).draw(number, "12:00"), number / 60)


def test_no_work_while_nobody_looks() -> None:
    opened: list[int] = []

    def open_(pause: Pause) -> Source:
        opened.append(1)
        return the_card(pause)

    with running(open_) as (camera, watcher):
        camera.request_key_frame("H264")
        assert (opened, watcher.units) == ([], [])
        camera.want("H264", True)
        wait_for(lambda: len(watcher.units) > 2)
        assert [coded.key for coded in watcher.of("H264")][:2] == [True, False]
        assert watcher.of("VP8") == []
        assert watcher.devices == [Device("camera", "ok")]


def test_the_source_is_closed_when_nobody_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.02)
    opened: list[int] = []

    def open_(pause: Pause) -> Source:
        opened.append(1)
        return the_card(pause)

    with running(open_) as (camera, watcher):
        camera.warm(True)
        wait_for(lambda: bool(watcher.devices))
        assert watcher.units == []
        camera.warm(False)
        wait_for(lambda: not _has_picture(camera))
        before = len(opened)
        camera.want("H264", True)
        wait_for(lambda: bool(watcher.units))
        assert len(opened) > before
        assert watcher.units[0][1].key


def test_one_source_for_two_codecs() -> None:
    with running(the_card) as (camera, watcher):
        camera.want("H264", True)
        camera.want("VP8", True)
        wait_for(lambda: bool(watcher.of("H264") and watcher.of("VP8")))
        camera.want("H264", False)
        assert card.read(decoded(watcher.of("H264")[0])) is not None


def test_no_picture_is_shown_while_the_camera_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.1)
    monkeypatch.setattr(module, "NO_PICTURE_INTERVAL", 0.02)
    last = Script([picture(9)], hangs=True)
    sources: list[Source] = [Script([picture(7), picture(8)]), last]

    def open_(pause: Pause) -> Source:
        if not sources:
            raise EngineError("there is no camera")
        return sources.pop(0)

    with running(open_) as (camera, watcher):
        camera.want("H264", True)
        wait_for(lambda: len([coded for coded in watcher.of("H264") if coded.key]) >= 3)
        shown = [card.read(decoded(coded)) for coded in watcher.of("H264") if coded.key]
        assert shown[:3] == [7, None, 9]
        assert watcher.devices[:3] == [
            Device("camera", "ok"),
            Device("camera", "failed", "the camera stopped"),
            Device("camera", "ok"),
        ]
        last.closed.set()


def test_a_camera_that_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    monkeypatch.setattr(module, "NO_PICTURE_INTERVAL", 0.01)
    tries: list[int] = []

    def open_(pause: Pause) -> Source:
        tries.append(1)
        raise EngineError("there is no camera")

    with running(open_) as (camera, watcher):
        camera.warm(True)
        wait_for(lambda: len(tries) > 2)
        assert watcher.units == []
        assert watcher.devices == [Device("camera", "failed", "there is no camera")]


def test_a_source_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL", 0.05)
    source = Script([picture(1)], hangs=True)
    with running(lambda pause: source) as (camera, watcher):
        camera.want("H264", True)
        wait_for(lambda: Device("camera", "failed", "the camera gives no pictures") in watcher.devices)
        source.closed.set()


def test_a_camera_that_never_opens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    monkeypatch.setattr(module, "NO_PICTURE_INTERVAL", 0.01)
    monkeypatch.setattr(module, "OPENING", 0.05)
    source = Script([], hangs=True)
    with running(lambda pause: source) as (camera, watcher):
        camera.want("H264", True)
        wait_for(lambda: bool(watcher.devices))
        assert watcher.devices[0] == Device("camera", "failed", "the camera gives no pictures")
        assert card.read(decoded(watcher.of("H264")[0])) is None
        source.closed.set()


def test_a_stream_passes_through_from_its_first_key_frame() -> None:
    encoder = Encoder("H264", VIDEO, 320, 192)
    units = [encoder.encode(picture(number), number == 3) for number in range(5)]
    stream: list[Picture | Coded] = [unit for unit in units[1:] if unit is not None]
    source = Script(stream, hangs=True)
    with running(lambda pause: source) as (camera, watcher):
        camera.want("H264", True)
        wait_for(lambda: len(watcher.units) == 2)
        assert watcher.of("H264") == stream[2:]
        assert card.read(camera.picture()()) == 3
        source.closed.set()


def test_a_picture_of_the_camera() -> None:
    with running(the_card) as (camera, watcher):
        with pytest.raises(EngineError, match="no picture yet"):
            camera.picture()
        camera.want("H264", True)
        wait_for(lambda: bool(watcher.units))
        assert card.read(camera.picture()()) is not None


def test_a_key_frame_that_is_none() -> None:
    with pytest.raises(EngineError):
        decoded(Coded(b"\0\0\0\1\x65garbage", True, 0.0))
    with pytest.raises(EngineError):
        decoded(Coded(b"", True, 0.0))


def test_a_feed_drops_old_pictures_but_no_coded_ones() -> None:
    coded = Coded(b"", True, 0.0)
    source = Script([coded, coded, coded, coded], hangs=True)
    feed = Feed(source)
    assert [feed.read(1.0) for _ in range(4)] == [coded] * 4
    with pytest.raises(EngineError, match="gives no pictures"):
        feed.read(0.01)
    source.closed.set()
    feed.close()
    slow = Script([picture(number) for number in range(10)])
    feed = Feed(slow)
    wait_for(slow.closed.is_set)
    first = feed.read(1.0)
    assert isinstance(first, Picture)
    assert card.read(first.frame) == 7
    feed.close()


def _has_picture(camera: Camera) -> bool:
    try:
        camera.picture()
    except EngineError:
        return False
    return True
