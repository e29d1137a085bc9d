"""`auto` is what there is, when it is opened; and a camera is looked at before anybody wants to see something."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshdoor.errors import CameraChanged, EngineError
from meshdoor.media import camera as camera_module
from meshdoor.media import source as source_module
from meshdoor.media import v4l2
from meshdoor.media.camera import Camera, Care
from meshdoor.media.cameras import FoundCamera
from meshdoor.media.encoder import Coded
from meshdoor.media.opening import Opener
from meshdoor.media.plans import VideoFormat
from meshdoor.media.reports import Device
from meshdoor.media.source import LateSource, StandIn
from meshdoor.settings.camera import CameraConfig
from tests.fakes.rpicam import Rpicam
from tests.patience import wait_for

VIDEO = VideoFormat(320, 192, 60, 300_000)
PI = FoundCamera("rpicam", "imx708", ("yuv420p",))
STANDS_IN = Device("camera", "stand-in", "no camera was found: a test card stands in")


class Plugs:
    """What is plugged in. `looks` counts how often somebody went through it."""

    def __init__(self, *cameras: FoundCamera) -> None:
        self.cameras = cameras
        self.looks = 0

    def found(self) -> tuple[FoundCamera, ...]:
        self.looks += 1
        return self.cameras

    def present(self) -> frozenset[str]:
        return frozenset(camera.path for camera in self.cameras)

    def opener(self, camera: str = "auto") -> Opener:
        return Opener(camera, VIDEO, CameraConfig(), self.found, self.present)


@pytest.fixture
def rpicam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rpicam:
    made = Rpicam(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(camera_module, "RETRY", 0.05)
    monkeypatch.setattr(camera_module, "GLANCE", 0.02)
    monkeypatch.setattr(camera_module, "CHECK", 0.1)
    return made


@contextmanager
def watched(opener: Opener) -> Iterator[tuple[Camera, list[Device], list[Coded]]]:
    devices: list[Device] = []
    units: list[Coded] = []
    care = Care(presence=opener.presence)
    camera = Camera(opener, VIDEO, lambda track, unit: units.append(unit), _cameras_only(devices), care)
    try:
        yield camera, devices, units
    finally:
        camera.close()


def _cameras_only(devices: list[Device]) -> Callable[[Device], None]:
    return lambda device: devices.append(device) if device.kind == "camera" else None


def wait(seconds: float) -> None:
    """No source of these waits long."""


def test_auto_takes_what_there_is_and_a_card_where_there_is_nothing() -> None:
    plugs = Plugs()
    opener = plugs.opener()
    card = opener(wait)
    assert isinstance(card, StandIn)
    assert card.stand_in == "no camera was found: a test card stands in"
    card.read()
    plugs.cameras = (PI,)
    assert isinstance(opener(wait), LateSource)
    plugs.cameras = ()
    with pytest.raises(EngineError, match="imx708 is gone"):
        opener(wait)


def test_no_visitor_waits_for_a_look_at_what_is_known() -> None:
    plugs = Plugs(PI)
    opener = plugs.opener()
    for _ in range(3):
        opener(wait)
    assert plugs.looks == 1
    plugs.cameras = (PI, FoundCamera("/dev/video0", "Webcam", ("mjpeg",)))
    opener(wait)
    assert plugs.looks == 2


def test_a_card_makes_way_for_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "LOOK_AGAIN", 0.0)
    plugs = Plugs()
    card = plugs.opener()(wait)
    card.read()
    plugs.cameras = (PI,)
    with pytest.raises(CameraChanged, match="plugged in"):
        card.read()


def test_what_can_be_missing(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.touch()
    real = {name: Plugs().opener(name).is_real for name in ("auto", "rpicam", "/dev/video0", "card", str(film))}
    assert real == {"auto": True, "rpicam": True, "/dev/video0": True, "card": False, str(film): False}
    device = Plugs().opener(str(tmp_path / "video0"))
    assert device.presence() is False
    (tmp_path / "video0").touch()
    assert device.presence() is True


def test_it_is_looked_at_once_before_anybody_wants_to_see_something(rpicam: Rpicam) -> None:
    with watched(Plugs(PI).opener()) as (_, devices, units):
        wait_for(lambda: devices == [Device("camera", "ok")])
        wait_for(lambda: len(rpicam.runs) == 1)
    assert units == []
    assert len(rpicam.runs) == 1


def test_a_house_knows_of_a_camera_that_does_not_work_and_of_its_recovery(rpicam: Rpicam) -> None:
    rpicam.tell("none")
    with watched(Plugs(PI).opener()) as (_, devices, units):
        wait_for(lambda: len(devices) == 1)
        assert devices[0].text == "rpicam-vid ended: no cameras available"
        rpicam.tell("plain 126")
        wait_for(lambda: devices[-1].state == "ok")
    assert units == []


def test_plugged_in_and_out_and_in_again_while_nobody_looks(rpicam: Rpicam) -> None:
    plugs = Plugs()
    with watched(plugs.opener()) as (_, devices, _):
        wait_for(lambda: devices == [STANDS_IN])
        plugs.cameras = (PI,)
        wait_for(lambda: devices[-1] == Device("camera", "ok"))
        plugs.cameras = ()
        wait_for(lambda: devices[-1] == Device("camera", "failed", "imx708 is gone"))
        plugs.cameras = (PI,)
        wait_for(lambda: devices[-1] == Device("camera", "ok"))


def test_plugged_in_while_somebody_looks(rpicam: Rpicam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "LOOK_AGAIN", 0.05)
    plugs = Plugs()
    with watched(plugs.opener()) as (camera, devices, units):
        camera.want("H264", True)
        wait_for(lambda: len(units) > 2)
        plugs.cameras = (PI,)
        wait_for(lambda: devices[-1] == Device("camera", "ok"))
        seen = len(units)
        wait_for(lambda: len(units) > seen + 3)
    assert devices == [STANDS_IN, Device("camera", "ok")]


def test_an_error_that_nobody_foresaw_is_told_and_the_camera_lives(
    rpicam: Rpicam, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opener = Plugs(PI).opener()
    broken = [True]

    def fails(pause: object) -> object:
        if broken:
            raise ValueError("what is this")
        return opener(wait)

    devices: list[Device] = []
    camera = Camera(fails, VIDEO, lambda track, unit: None, _cameras_only(devices), Care(presence=lambda: len(broken)))  # type: ignore[arg-type]
    wait_for(lambda: devices == [Device("camera", "failed", "ValueError: what is this")])
    broken.clear()
    wait_for(lambda: devices[-1].state == "ok")
    camera.close()
    assert "the camera failed" in caplog.text


def test_an_encoder_of_the_machine(tmp_path: Path) -> None:
    assert not v4l2.has_encoder(tmp_path)
    (tmp_path / "sys/class/video4linux/video11").mkdir(parents=True)
    (tmp_path / "sys/class/video4linux/video11/name").write_text("bcm2835-codec-encode\n")
    assert v4l2.has_encoder(tmp_path)
