"""What all verbs share: help, exit codes, no traceback, colours, pipes."""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from meshdoor import __version__
from meshdoor.cli import VERBS, build_parser, main
from meshdoor.cli.output import ask, display_width, state_path, style, table
from tests.cli.conftest import Keyboard, Run
from tests.cli.documents import status
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]


def names() -> list[str]:
    """Of all verbs."""
    actions = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return [name for action in actions for name in action.choices]


@pytest.mark.parametrize("verb", names())
def test_each_verb_has_a_help(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"usage: meshdoor {verb}" in capsys.readouterr().out


def test_the_help_names_every_verb(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(re.search(rf"^    {name}\s", told, re.MULTILINE) for name in names())


def test_only_the_module_of_the_verb_is_asked() -> None:
    assert [name for its in VERBS.values() for name in its] == names()
    assert all(build_parser(verb).parse_args([verb]).run for verb in ("status", "hangup", "id"))


def test_the_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"meshdoor {__version__}\n"


@pytest.mark.parametrize("words", [[], ["dance"], ["rename", "one"], ["run", "--role", "cat"]])
def test_a_wrong_command_is_two(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: meshdoor" in capsys.readouterr().err


ASKING = [
    ["status"],
    ["members"],
    ["revoke", "Kitchen"],
    ["rename", "Kitchen", "Bath"],
    ["pair"],
    ["pair", "--show"],
    ["pair", "--list"],
    ["found"],
    ["enrol", "--role", "door", "--name", "Front"],
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_without_a_node_it_says_how_to_start_one(words: list[str], run: Run, capsys: Capture) -> None:
    assert run(*words) == 2
    told = capsys.readouterr()
    assert "no node is running" in told.err
    assert "start one with: meshdoor run" in told.err
    assert told.out == ""


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_node_that_fails_is_no_traceback(words: list[str], run: Run, state: Path, capsys: Capture) -> None:
    verbs = {"status", "members", "newcomers", "revoke", "rename", "pair", "found", "enrol"}
    with FakeNode(state, {verb: ZeroDivisionError() for verb in verbs}):
        assert run(*words) == 2
    assert capsys.readouterr().err == "meshdoor: the node failed; see its log\n"


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshdoor.cli.status.client", interrupted)
    assert run("status") == 130


def test_a_bug_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def bug(*_: object, **__: object) -> None:
        raise KeyError("so\nodd")

    monkeypatch.setattr("meshdoor.cli.status.client", bug)
    assert run("status") == 2
    assert capsys.readouterr().err.splitlines() == [
        r"meshdoor: this should not happen: KeyError: 'so\nodd'",
        "  with MESHDOOR_TRACE=1 it says where",
    ]
    monkeypatch.setenv("MESHDOOR_TRACE", "1")
    with pytest.raises(KeyError):
        run("status")


def test_an_error_of_the_system_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("meshdoor.cli.status.client", full)
    assert run("status") == 2
    assert capsys.readouterr().err == "meshdoor: [Errno 28] No space left on device\n"


def test_a_reader_that_goes_away_is_no_error(state: Path) -> None:
    members = [status()["members"][0] | {"at": 0, "by": None, "revoked": False, "until": None}] * 2000
    command = f"{sys.executable} -m meshdoor members --state {state} | head -1; exit ${{PIPESTATUS[0]}}"
    with FakeNode(state, {"members": members}):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("NAME")


def test_a_terminal_without_the_letters_gets_question_marks(state: Path) -> None:
    document = status(home=status()["home"] | {"name": "Haus Müller 家"})
    environment = dict(os.environ, PYTHONIOENCODING="ascii")
    with FakeNode(state, {"status": document}):
        done = subprocess.run(
            [sys.executable, "-m", "meshdoor", "status", "--state", str(state)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
    assert done.stdout.startswith("Haus M?ller ?")


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Keyboard(), {}, True),
        (Keyboard(), {"NO_COLOR": "1"}, False),
        (Keyboard(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_only_where_they_are_wanted(
    stream: io.StringIO, environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert style("x", "red", stream) == ("\x1b[31mx\x1b[0m" if coloured else "x")
    assert style("x", "", stream) == "x"


def test_a_table_is_as_wide_as_a_terminal_shows_it() -> None:
    shown = table([("NAME", "ROLE"), ("家", "door"), ("e\u0301t\u00e9", "x")], ["dim"])
    assert shown == "NAME  ROLE\n家    door\ne\u0301t\u00e9   x"
    assert display_width("e\u0301t\u00e9") == 3


def test_an_answer_has_a_default(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" 2 \n\n"))
    assert [ask("Which", "1"), ask("Which", "1"), ask("Which")] == ["2", "1", ""]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "Which [1]: Which [1]: Which: \n"


def test_the_state_directory_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert state_path(argparse.Namespace(state="here")) == tmp_path / "here"
    monkeypatch.setenv("MESHDOOR_STATE", str(tmp_path / "there"))
    assert state_path(argparse.Namespace(state=None)) == tmp_path / "there"


def test_the_package_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "meshdoor", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"meshdoor {__version__}\n"
