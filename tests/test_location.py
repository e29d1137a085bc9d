"""Where a node keeps its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor import location


def test_what_is_given_comes_first() -> None:
    environment = {"MESHDOOR_STATE": "/b", "STATE_DIRECTORY": "/c:/d"}
    assert location.state_path("/a", environment) == Path("/a")
    assert location.state_path(None, environment) == Path("/b")
    assert location.state_path(None, {"STATE_DIRECTORY": "/c:/d"}) == Path("/c")


def test_a_checkout_keeps_it_under_keys() -> None:
    assert location.state_path(None, {}).parent == location.CHECKOUT / "keys"


def test_an_installed_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(location, "CHECKOUT", tmp_path)
    assert location.state_path(None, {}, user=0) == Path("/var/lib/meshdoor")
    assert location.state_path(None, {"HOME": "/h"}, user=1000) == Path("/h/.local/state/meshdoor")
    assert location.state_path(None, {"XDG_STATE_HOME": "/s"}, user=1000) == Path("/s/meshdoor")
