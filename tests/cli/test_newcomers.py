"""`meshdoor newcomers`: nodes and SIP devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.documents import NEWCOMER
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
DEVICE = {"uri": "sip:a@10.77.0.9;transport=tcp", "name": "", "transport": "tcp", "age_s": 4.2}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, {"newcomers": [NEWCOMER], "outsiders": [DEVICE]}) as made:
        yield made


def test_both_kinds_are_listed_with_what_lets_them_in(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("newcomers") == 0
    told = capsys.readouterr().out
    assert "Kitchen  screen  kkkk-efgh-ijkl-mnop" in told
    assert "To let one in: meshdoor pair\n\n" in told
    assert "-           sip:a@10.77.0.9;transport=tcp  4 s" in told
    assert "meshdoor adopt 'sip:a@10.77.0.9;transport=tcp' --name NAME" in told


def test_one_kind_or_none(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["newcomers"] = []
    assert run("newcomers") == 0
    assert capsys.readouterr().out.startswith("SIP DEVICE")
    node.answers["outsiders"] = []
    assert run("newcomers") == 0
    assert capsys.readouterr().out == "No newcomer is in reach.\n"


def test_for_scripts(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("newcomers", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"nodes": [NEWCOMER], "devices": [DEVICE]}
