"""What a machine is, by what /sys says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.node.hardware import has_camera, has_display, suggested_name, suggested_role


def machine(root: Path, video: tuple[str, ...] = (), connectors: tuple[str, ...] = ()) -> Path:
    for number, name in enumerate(video):
        folder = root / f"sys/class/video4linux/video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
    for number, status in enumerate(connectors):
        folder = root / f"sys/class/drm/card0-HDMI-A-{number}"
        folder.mkdir(parents=True)
        (folder / "status").write_text(status + "\n")
    return root


PI_BLOCKS = ("bcm2835-codec-decode", "bcm2835-isp-output0", "rpi-hevc-dec")


@pytest.mark.parametrize(
    ("video", "connectors", "role"),
    [
        ((), (), "screen"),
        (("unicam",), (), "door"),
        (("HD Webcam: HD Webcam",), ("disconnected",), "door"),
        (("unicam",), ("disconnected", "connected"), "screen"),
        (PI_BLOCKS, (), "screen"),
        ((), ("connected",), "screen"),
    ],
)
def test_the_role_follows_camera_and_display(
    tmp_path: Path, video: tuple[str, ...], connectors: tuple[str, ...], role: str
) -> None:
    assert suggested_role(machine(tmp_path, video, connectors)) == role


def test_an_empty_machine_has_neither(tmp_path: Path) -> None:
    assert not has_camera(tmp_path)
    assert not has_display(tmp_path)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("kitchen-screen", "Kitchen screen"),
        ("pi.local", "Pi"),
        ("front_door--2", "Front door 2"),
        ("", "Node"),
        ("-", "Node"),
        ("x" * 80, "X" + "x" * 63),
    ],
)
def test_the_name_is_the_host_s(host: str, name: str) -> None:
    assert suggested_name(host) == name


def test_this_machine_has_a_name() -> None:
    assert suggested_name()
