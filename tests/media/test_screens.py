from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.media.screens import has_screen


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_desktop(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_screen(tmp_path)
    monkeypatch.setenv(name, ":0")
    assert has_screen(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert not has_screen(tmp_path)


def test_a_connector(tmp_path: Path) -> None:
    for name, state in {"card0-HDMI-A-1": "disconnected", "card1-DSI-1": "disconnected"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(f"{state}\n")
    assert not has_screen(tmp_path)
    (tmp_path / "card1-DSI-1" / "status").write_text("connected\n")
    assert has_screen(tmp_path)
