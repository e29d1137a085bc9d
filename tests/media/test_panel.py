from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.media import panel
from meshdoor.media.panel import Backlight, NoPanel, WaylandPanel


def program(path: Path, script: str) -> None:
    """A stand-in for one of the system."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def backlights(tmp_path: Path) -> Path:
    light = tmp_path / "class" / "rpi_backlight"
    light.mkdir(parents=True)
    for name, value in {"bl_power": "0", "brightness": "200", "max_brightness": "255"}.items():
        (light / name).write_text(value)
    return light.parent


def read(backlights: Path, name: str) -> str:
    return (backlights / "rpi_backlight" / name).read_text()


def test_a_backlight(backlights: Path) -> None:
    found = panel.find("KMSDRM", backlights)
    assert isinstance(found, Backlight)
    assert found.power(False)
    assert read(backlights, "bl_power") == "4"
    assert found.brightness(1.0)
    assert read(backlights, "brightness") == "255"
    assert found.brightness(0.0)
    assert read(backlights, "brightness") == "26", "one still sees where to make it brighter"
    found.close()
    assert read(backlights, "bl_power") == "0"


def test_one_that_breaks(backlights: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = panel.find("KMSDRM", backlights)
    for file in (backlights / "rpi_backlight").iterdir():
        file.unlink()
    (backlights / "rpi_backlight").rmdir()
    assert not found.power(False)
    assert not found.brightness(1.0)
    assert "the backlight stays as it is" in caplog.text


@pytest.mark.parametrize("driver", ["KMSDRM", "wayland", "dummy"])
def test_none(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = panel.find(driver, tmp_path)
    assert isinstance(found, NoPanel)
    assert not found.power(False)
    assert not found.brightness(0.5)
    found.close()


def test_wayland(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "wlopm", f'echo "$@" >> {tmp_path}/said')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found = panel.find("wayland", tmp_path)
    assert isinstance(found, WaylandPanel)
    assert found.power(False)
    found.close()
    assert (tmp_path / "said").read_text() == "--off *\n--on *\n"


def test_wayland_that_does_not_know_it(tmp_path: Path) -> None:
    program(tmp_path / "no", "exit 1")
    assert not WaylandPanel((str(tmp_path / "no"),)).power(False)
    assert not WaylandPanel((str(tmp_path / "none"),)).power(False)


class FakeX:
    """libX11 and libXext of an X server with DPMS."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> object:
        def call(*args: object) -> int:
            self.calls.append((name, *args[1:]))
            return 1

        return call


def test_x() -> None:
    """No X server without a graphics card has DPMS, so its two libraries are stood in for."""
    x = FakeX()
    found = panel.XPanel(x, x, object())
    assert found.power(False)
    assert found.power(True)
    found.close()
    assert [call for call in x.calls if call[0] == "DPMSForceLevel"] == [
        ("DPMSForceLevel", 3),
        ("DPMSForceLevel", 0),
        ("DPMSForceLevel", 0),
    ]
    assert x.calls[-1] == ("XCloseDisplay",)
