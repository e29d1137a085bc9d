"""USB cameras, by FFmpeg's own V4L2 in a real engine. The kernel's part is a stand-in that is loaded before libc."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path

import pytest

from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import VideoFormat
from meshdoor.media.reports import Device, Event
from meshdoor.settings.camera import CameraConfig
from tests.fakes import usb
from tests.fakes.usb import UsbCamera
from tests.media.peer import Peer
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(usb.compiler() is None, reason="needs a C compiler and linux/videodev2.h")

VIDEO = VideoFormat(320, 192, 30, 1_000_000)

LOOK = f"""
from meshdoor.media.plans import VideoFormat
from meshdoor.media.streams import open_device

source = open_device({UsbCamera.path!r}, VideoFormat(320, 192, 30, 1_000_000))
for _ in range({{pictures}}):
    source.read()
source.close()
"""


class Door:
    """An engine with a USB camera, and a screen that looks."""

    def __init__(self, engine: Engine, screen: Peer, events: list[Event]) -> None:
        self.engine, self.screen, self.events = engine, screen, events

    @property
    def told(self) -> list[tuple[str, str]]:
        cameras = (event for event in self.events if isinstance(event, Device) and event.kind == "camera")
        return [(event.state, event.text) for event in cameras]

    async def says(self, state: str, text: str = "") -> None:
        await self.screen.until(lambda: self.told and self.told[-1] == (state, text))

    async def sees(self, pictures: int = 8) -> list[int | None]:
        """The numbers of the next ones."""
        before = len(self.screen.numbers)
        await self.screen.until_shown(before + pictures)
        return self.screen.numbers[before:]


@asynccontextmanager
async def looking(
    camera: UsbCamera, monkeypatch: pytest.MonkeyPatch, pictures: CameraConfig | None = None
) -> AsyncIterator[Door]:
    with monkeypatch.context() as patch:
        for name, value in camera.environment.items():
            patch.setenv(name, value)
        events: list[Event] = []
        hello = Hello("door", camera=camera.path, video=VIDEO, pictures=pictures or CameraConfig())
        with closing(Peer()) as screen:
            async with Engine(hello, events.append) as engine:
                await engine.wait_ready()
                await engine.open_leg("b0", "127.0.0.1")
                await engine.start_leg(StartLeg("b0", video=screen.plan()))
                yield Door(engine, screen, events)


def follow_each_other(numbers: list[int | None]) -> bool:
    """None of them is broken or comes twice. A camera leaves out what a busy machine does not fetch in time."""
    whole = [number for number in numbers if number is not None]
    steps = [(later - earlier) % usb.FRAMES for earlier, later in pairwise(whole)]
    return len(whole) == len(numbers) and all(0 < step < usb.FRAMES / 2 for step in steps)


@pytest.mark.parametrize("code", ["YUYV", "MJPG", "H264"])
async def test_every_format_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    async with looking(UsbCamera(tmp_path / "usb", code), monkeypatch) as door:
        await door.sees(3)
        assert follow_each_other(await door.sees(20))
        assert door.told == [("ok", "")]
        key_frames = (await door.engine.statistics()).key_frames
        assert (key_frames > 1) == (code == "H264")  # those of the camera, which nobody asked for


@pytest.mark.parametrize("pictures", [0, 1, 5])
@pytest.mark.parametrize("code", ["YUYV", "MJPG", "H264"])
def test_all_that_it_gave_is_given_back_before_it_is_closed(tmp_path: Path, code: str, pictures: int) -> None:
    camera = UsbCamera(tmp_path / "usb", code)
    look = [sys.executable, "-c", LOOK.format(pictures=pictures)]
    done = subprocess.run(
        look, env={**os.environ, **camera.environment}, stderr=subprocess.PIPE, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


async def test_the_format_that_costs_least_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking(UsbCamera(tmp_path / "usb", "YUYV", "MJPG", "H264"), monkeypatch) as door:
        await door.sees(20)
        assert (await door.engine.statistics()).key_frames > 1


async def test_h264_that_is_to_be_masked_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masked = CameraConfig(masks=("75,75,25,25",))
    for formats in (("H264",), ("H264", "MJPG")):
        camera = UsbCamera(tmp_path / "-".join(formats), *formats)
        async with looking(camera, monkeypatch, masked) as door:
            assert follow_each_other((await door.sees(20))[3:])
            assert (await door.engine.statistics()).key_frames == 1


async def test_unplugged_and_plugged_in_again_while_somebody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = UsbCamera(tmp_path / "usb", "MJPG")
    async with looking(camera, monkeypatch) as door:
        await door.sees()
        camera.does("unplug")
        await door.screen.until(lambda: door.told[-1][0] == "failed")
        assert door.told[1][1].startswith("the camera failed")
        assert await door.sees(2) == [None, None]  # the card that says so has no number
        camera.gives("MJPG", size=(640, 384))
        camera.does("run")
        await door.says("ok")
        await door.screen.until(lambda: door.screen.sizes[-1] == (640, 384))
        assert follow_each_other(await door.sees())


async def test_one_that_stalls_is_let_go_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = UsbCamera(tmp_path / "usb", "YUYV")
    async with looking(camera, monkeypatch) as door:
        await door.sees()
        camera.does("stall")
        await door.says("failed", "the camera gives no pictures")
        assert await door.sees(2) == [None, None]
        camera.does("run")
        await door.says("ok")
        assert follow_each_other((await door.sees(12))[2:])


