"""`meshdoor import flexisip.conf`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from meshdoor import config
from meshdoor.control import Json
from meshdoor.errors import Refused
from tests.calls.test_flexisip import CONF, RECORDS, USERS
from tests.cli.conftest import Run
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A set-up whose files lie beside it."""
    folder = tmp_path / "flexisip"
    folder.mkdir()
    (folder / "users.db.txt").write_text(USERS)
    (folder / "routes.conf").write_text(RECORDS)
    path = folder / "flexisip.conf"
    path.write_text(CONF.replace("/etc/flexisip/", ""))
    return path


def test_at_first_nothing_is_done(conf: Path, run: Run, state: Path, capsys: Capture) -> None:
    assert run("import", str(conf)) == 0
    said = capsys.readouterr()
    assert "users.db.txt:3: door@myhouse\n    done: an account for its client: door" in said.out
    assert "trusted-hosts=127.0.0.1\n    by hand: no counterpart" in said.out
    assert "knock" not in said.out + said.err
    assert said.err.endswith("lets these in:\n  door, homescreen, gate, gate 192.168.1.32\n")
    assert not (state / "config.toml").exists()


def test_then_the_node_lets_them_in(conf: Path, run: Run, state: Path, capsys: Capture) -> None:
    answers: dict[str, Json] = {"phone import": {}, "adopt": ({}, Refused("gate is in", "revoke it"), {})}
    with FakeNode(state, answers) as node:
        assert run("import", str(conf), "--apply") == 1
    assert node.asked == [
        ("phone import", {"name": "door", "user": "door", "secret": "knock"}),
        ("adopt", {"name": "homescreen", "uri": "sip:homescreen@192.168.1.30"}),
        ("adopt", {"name": "gate", "uri": "sip:gate@192.168.1.31:5080"}),
        ("adopt", {"name": "gate 192.168.1.32", "uri": "sip:gate@192.168.1.32"}),
    ]
    assert "gate is not in: gate is in (revoke it)" in capsys.readouterr().err
    assert config.read(state / "config.toml").sip.domain == "myhouse"


def test_settings_that_are_there_stay(conf: Path, run: Run, state: Path, capsys: Capture) -> None:
    (state / "config.toml").write_text("name = 'Hall'\n")
    assert run("import", str(conf), "--apply") == 2  # no node runs
    assert "no node" in capsys.readouterr().err
    assert (state / "config.toml").read_text() == "name = 'Hall'\n"
    assert tomllib.loads((state / "config.flexisip.toml").read_text())["ring"] == {"timeout": 90.0}


def test_a_set_up_without_anything_in_it(tmp_path: Path, run: Run, capsys: Capture) -> None:
    path = tmp_path / "flexisip.conf"
    path.write_text("[module::Registrar]\nenabled=true\nstatic-records-file=none\n")
    assert run("import", str(path)) == 0
    assert "no such file" in capsys.readouterr().out.lower()
    assert run("import", str(path), "--apply") == 0
    assert "There is nothing to set." in capsys.readouterr().err
