"""`meshdoor devices`, `meshdoor test` and `meshdoor alarms`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshdoor.node import inventory, trying
from meshdoor.node.inventory import Facts
from tests.cli.conftest import Run
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
TAMPER = {"kind": "tamper", "text": "Gate is being taken off its wall", "hint": "look", "since": 1.79e9, "on": True}


@pytest.fixture(autouse=True)
def _facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "look", lambda: Facts(microphones=("Mic",), chips=("gpiochip0",)))


@pytest.fixture
def bell(state: Path) -> None:
    (state / "config.toml").write_text('role = "door"\n[devices]\nbell = "gpio:27"\n[media]\nmicrophone = "auto"\n')


@pytest.mark.usefixtures("bell")
def test_devices_without_a_node(run: Run, capsys: Capture) -> None:
    assert run("devices") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["DEVICE", "WHAT", "USED", "WHY"]
    assert ["bell", "gpio:27:high", "yes", "the", "settings", "say", "so"] in lines
    assert ["microphone", "Mic", "yes"] in [line[:3] for line in lines]


@pytest.mark.usefixtures("bell")
def test_devices_of_a_node_that_runs(state: Path, run: Run, capsys: Capture) -> None:
    status = {"node": {"devices": [{"kind": "bell", "state": "failed", "text": "GPIO 27 cannot be used"}]}}
    with FakeNode(state, {"status": status}):
        assert run("devices", "--json") == 1
        (row,) = (row for row in json.loads(capsys.readouterr().out) if row["kind"] == "bell")
        assert row["state"] == "failed"
        run("devices")
        assert "failed" in capsys.readouterr().out


def test_the_role_may_be_given(run: Run, capsys: Capture) -> None:
    assert run("devices", "--role", "lock") == 0
    assert "simulated" in capsys.readouterr().out


@pytest.mark.parametrize("device", ["button", "bell", "light", "lock"])
def test_a_node_that_runs_tries_what_is_wired(state: Path, run: Run, capsys: Capture, device: str) -> None:
    with FakeNode(state, {"try": {"text": "it works"}}) as node:
        assert run("test", device) == 0
        assert node.asked[-1] == ("try", {"what": device})
    assert capsys.readouterr().out == "it works\n"


@pytest.mark.parametrize(
    ("device", "function"),
    [("camera", "camera"), ("mic", "microphone"), ("speaker", "speaker"), ("screen", "screen"), ("bell", "wired")],
)
def test_the_rest_is_tried_here(
    run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch, device: str, function: str
) -> None:
    monkeypatch.setattr(trying, function, lambda *args: f"{function} works")
    assert run("test", device) == 0
    assert capsys.readouterr().out == f"{function} works\n"


def test_alarms(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"alarms": [TAMPER]}):
        assert run("alarms") == 1
        assert "Gate is being taken off its wall" in capsys.readouterr().out
        assert run("alarms", "--json") == 1
        assert json.loads(capsys.readouterr().out) == [TAMPER]


def test_no_alarms(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"alarms": [], "alarms_clear": {"cleared": 1, "left": 0}}) as node:
        assert run("alarms", "--clear") == 0
        assert [verb for verb, _ in node.asked] == ["alarms_clear", "alarms"]
    assert "all is well" in capsys.readouterr().err
