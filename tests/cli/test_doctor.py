"""`meshdoor doctor`: the files, the node, and how findings read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
FINE = {"check": "home", "level": "ok", "text": "this node is in My home", "hint": ""}
BAD = {"check": "isolation", "level": "fault", "text": "Kitchen takes no connection", "hint": "switch it off"}


def test_all_is_well(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"doctor": [FINE]}):
        assert run("doctor") == 0
    files, home = capsys.readouterr().out.splitlines()
    assert files == f"ok  the files in {state} are as they should be"
    assert home == "ok  this node is in My home"


def test_something_is_wrong(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"doctor": [FINE, BAD]}):
        assert run("doctor") == 1
    assert capsys.readouterr().out.endswith("!!  Kitchen takes no connection\n      switch it off\n")


def test_wrong_modes_are_told_with_the_node_s_findings(state: Path, run: Run, capsys: Capture) -> None:
    state.chmod(0o755)
    with FakeNode(state, {"doctor": [FINE]}):
        assert run("doctor") == 1
    told = capsys.readouterr().out
    assert f"chmod 700 {state}" in told
    assert "My home" in told


def test_no_node(state: Path, run: Run, capsys: Capture) -> None:
    assert run("doctor", "--json") == 1
    files, node = json.loads(capsys.readouterr().out)
    assert (files["check"], files["level"]) == ("files", "ok")
    assert (node["check"], node["level"]) == ("node", "fault")
    assert "meshdoor run" in node["hint"]


@pytest.mark.parametrize(
    ("file", "text", "level"),
    [
        ("identity.pem", "is damaged: not an identity file", "fault"),
        ("roster", "the roster file is not readable", "warning"),
        ("peers.json", "is damaged: it counts as empty", "warning"),
    ],
)
def test_damaged_files(state: Path, run: Run, capsys: Capture, file: str, text: str, level: str) -> None:
    (state / file).write_text("garbage")
    (state / file).chmod(0o600)
    run("doctor", "--json")
    finding = json.loads(capsys.readouterr().out)[0]
    assert text in finding["text"]
    assert finding["level"] == level


def test_a_state_in_memory_is_told(state: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("meshdoor.store.location.SYSTEM", state)
    monkeypatch.setattr("meshdoor.store.lasting.lasts", lambda _: False)
    with FakeNode(state, {"doctor": []}):
        assert run("doctor") == 1
    assert "in memory only: after a power cut" in capsys.readouterr().out
