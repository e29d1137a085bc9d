"""`meshdoor run`: which settings count, and what is refused before it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshdoor.cli import build_parser, run
from meshdoor.config import Config
from tests.cli.conftest import Run

Capture = pytest.CaptureFixture[str]


def settings(state: Path, *words: str) -> Config:
    return run.settings(build_parser().parse_args(["run", "--state", str(state), *words]))


def test_without_anything_the_defaults_count(state: Path) -> None:
    assert settings(state) == Config()


def test_the_command_line_goes_before_the_file(state: Path) -> None:
    (state / "config.toml").write_text('name = "File"\nrole = "door"\n[mesh]\nport = 7000\ninterfaces = ["eth0"]\n')
    assert settings(state).mesh.port == 7000
    words = ("--name", "Line", "--role", "screen", "--port", "0", "--interface", "lo", "--log", "json")
    chosen = settings(state, *words)
    assert (chosen.name, chosen.role, chosen.mesh.port) == ("Line", "screen", 0)
    assert (chosen.mesh.interfaces, chosen.log.format) == (("lo",), "json")


def test_a_file_of_one_s_own(state: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "Mine"\n')
    assert settings(state, "--config", str(tmp_path / "mine.toml")).name == "Mine"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--port", "99999"], "99999 is not a port number"),
        (["--name", "x" * 65], "longer than 64 characters"),
        (["--config", "/nowhere.toml"], "/nowhere.toml: No such file or directory"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], text: str, run: Run, capsys: Capture) -> None:
    assert run("run", *words) == 2
    assert text in capsys.readouterr().err


def test_what_it_is_given_reaches_the_node(state: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def take(config: Config, path: Path, enrolment: Path | None, interactive: bool, load: object) -> int:
        given.extend([config.name, path, enrolment, interactive, load is not None])
        return 0

    monkeypatch.setattr("meshdoor.node.node.run_node", take)
    monkeypatch.setattr("meshdoor.node.journal.configure", given.append)
    assert run("run", "--enrol", "x.enrol", "--log", "json", "--name", "Hall") == 0
    assert given == ["json", "Hall", state, Path("x.enrol"), False, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could")
def test_root_does_not_run_the_node_of_another_user(state: Path, run: Run, capsys: Capture) -> None:
    os.chown(state, 4321, 4321)
    assert run("run", "--port", "0") == 2
    assert "systemctl status meshdoor" in capsys.readouterr().err
