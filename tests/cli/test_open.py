"""`meshdoor open`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.errors import Refused
from tests.cli.conftest import Run
from tests.cli.documents import ID
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]

OPENED = {
    "lock": "Cupboard", "id": ID, "of": "Front door", "result": "opened", "person": "Hall", "at": 0,
    "simulated": False, "took_ms": 11.7,
}  # fmt: skip


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, {"open": OPENED, "locks": [{"name": "Cupboard", "id": ID, "of": ""}]}) as made:
        yield made


def test_it_says_which_door_is_open(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("open") == 0
    assert capsys.readouterr().out == "Front door is open, says Cupboard after 12 ms\n"
    assert node.asked == [("open", {"door": "", "person": ""})]


def test_it_says_which_lock_and_that_it_is_simulated(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["open"] = OPENED | {"of": "", "result": "already open", "simulated": True}
    assert run("open", "Cupboard", "--person", "Grandmother") == 0
    out, err = capsys.readouterr()
    assert out == "the door is open already, says Cupboard after 12 ms\n"
    assert "simulated" in err
    assert node.asked == [("open", {"door": "Cupboard", "person": "Grandmother"})]


def test_json(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("open", "--json") == 0
    assert json.loads(capsys.readouterr().out) == OPENED


def test_a_door_that_stays_shut_is_exit_code_1(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["open"] = Refused("Cupboard stays shut: too often")
    assert run("open") == 1
    assert "too often" in capsys.readouterr().err


def test_the_locks_in_reach(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("open", "--list") == 0
    assert capsys.readouterr().out.splitlines() == ["LOCK      OPENS  ID", f"Cupboard  -      {ID}"]
    assert run("open", "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "Cupboard"
    node.answers["locks"] = []
    assert run("open", "--list") == 1
