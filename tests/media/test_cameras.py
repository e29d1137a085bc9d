"""Which cameras there are: from what drivers and `rpicam-vid` say."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from meshdoor.media import cameras, v4l2
from meshdoor.media.cameras import FoundCamera, choose, found, present
from meshdoor.media.v4l2 import examine
from tests.fakes.cameras import METADATA, FakeDevice, FakeKernel

LIST = """Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]

1 : ov5647 [2592x1944 10-bit GBRG] (/base/soc/i2c0mux/i2c@0/ov5647@36)

2 : HD Webcam: HD Webcam [1280x720 MJPEG] (/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.2:1.0-046d:0825)
"""


def program(folder: Path, text: str, name: str = "rpicam-vid", code: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ \"$1\" = --list-cameras ] || exit 9\ncat <<'END'\n{text}\nEND\nexit {code}\n")
    path.chmod(0o755)


@pytest.fixture(autouse=True)
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    return tmp_path / "bin"


def test_usb_cameras_by_what_their_drivers_say(tmp_path: Path) -> None:
    devices = {
        "video0": FakeDevice(),
        "video1": FakeDevice(capabilities=METADATA),
        "video2": FakeDevice(b"Door\x1bbell\0rest", formats=(b"MJPG", b"H264", b"JPEG", b"ZZZZ")),
        "video3": FakeDevice(driver=b"bcm2835-isp"),
        "video4": FakeDevice(formats=(b"ZZZZ",)),
        "video10": FakeDevice(b"Tenth", formats=(b"UYVY", b"NV12")),
        "video20": None,
    }
    kernel = FakeKernel(tmp_path, devices)
    assert found(tmp_path, partial(examine, ioctl=kernel.ioctl)) == (
        FoundCamera(f"{tmp_path}/dev/video0", "HD Webcam", ("mjpeg", "yuyv422")),
        FoundCamera(f"{tmp_path}/dev/video2", "Door bell", ("h264", "mjpeg")),
        FoundCamera(f"{tmp_path}/dev/video10", "Tenth", ("nv12", "uyvy422")),
    )


def test_a_driver_that_tells_of_all_its_nodes_only(tmp_path: Path) -> None:
    old = FakeDevice(capabilities=0, of_all_nodes=0x04000001)
    kernel = FakeKernel(tmp_path, {"video0": old})

    def without_device_caps(file: int, request: int, data: bytearray) -> int:
        done = kernel.ioctl(file, request, data)
        if request == v4l2.VIDIOC_QUERYCAP:
            data[87] &= 0x7F
        return done

    device = examine(f"{tmp_path}/dev/video0", without_device_caps)
    assert device is not None
    assert device.captures


def test_a_device_that_is_gone_or_none(tmp_path: Path) -> None:
    assert examine(str(tmp_path / "video0")) is None
    (tmp_path / "video0").touch()
    assert examine(str(tmp_path / "video0")) is None  # the real ioctl says so


def test_a_pi_camera_comes_first(tmp_path: Path, bin_: Path) -> None:
    program(bin_, LIST)
    kernel = FakeKernel(tmp_path, {"video0": FakeDevice()})
    cameras_ = found(tmp_path, partial(examine, ioctl=kernel.ioctl))
    assert [camera.path for camera in cameras_] == ["rpicam", "rpicam:1", f"{tmp_path}/dev/video0"]
    assert choose(cameras_).camera == FoundCamera("rpicam", "imx708 [4608x2592 10-bit RGGB]", ("yuv420p",))
    assert "the Pi's own camera, imx708" in choose(cameras_).why
    assert "USB" in choose(cameras_[2:]).why


def test_a_pi_without_a_camera(tmp_path: Path, bin_: Path) -> None:
    assert found(tmp_path) == ()
    program(bin_, "No cameras available!", "libcamera-vid", code=1)
    assert cameras.rpicam_program() == str(bin_ / "libcamera-vid")
    assert found(tmp_path) == ()
    assert choose(()) == (None, "no camera was found")


def test_a_program_that_hangs_or_cannot_be_run(tmp_path: Path, bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "LIST_TIMEOUT", 0.05)
    (bin_ / "rpicam-vid").write_text("#!/bin/sh\nexec sleep 5\n")
    (bin_ / "rpicam-vid").chmod(0o755)
    assert found(tmp_path) == ()
    (bin_ / "rpicam-vid").write_text("#!/nowhere\n")
    assert found(tmp_path) == ()


def test_what_is_plugged_in_now(tmp_path: Path) -> None:
    assert present(tmp_path) == frozenset()
    FakeKernel(tmp_path, {"video0": None, "video1": None})
    assert present(tmp_path) == {"video0", "video1"}
