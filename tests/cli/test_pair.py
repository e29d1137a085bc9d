"""`meshdoor pair`: the newcomers, the choice, the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshdoor.control import Json
from meshdoor.errors import ConfigError, Refused, UserError
from tests.cli.conftest import Keyboard, Run
from tests.cli.documents import NEWCOMER, OTHER, status, unpaired
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
Typing = Callable[[str], None]
PAIRED = {"name": "Kitchen", "role": "screen", "id": NEWCOMER["id"], "home": "My home"}
WRONG = Refused("the code is wrong", "look again")


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, {"newcomers": [NEWCOMER], "pair": PAIRED, "status": unpaired()}) as made:
        yield made


def guesses(node: FakeNode) -> list[Json]:
    return [(args["id"], args["code"], args["name"]) for verb, args in node.asked if verb == "pair"]


def test_the_only_newcomer_is_let_in_with_its_code(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    type_in("1234-5678\n")
    assert run("pair") == 0
    assert guesses(node) == [(NEWCOMER["id"], "1234-5678", None)]
    told = capsys.readouterr()
    assert told.out == f"Kitchen (screen) is in My home: {NEWCOMER['id']}\n"
    assert "Kitchen (screen, kkkk-efgh-ijkl-mnop) shows a code of eight digits." in told.err


def test_scripts_give_code_and_name(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("pair", "kitchen", "--code", "12345678", "--name", "Bath", "--json") == 0
    assert guesses(node) == [(NEWCOMER["id"], "12345678", "Bath")]
    assert json.loads(capsys.readouterr().out) == PAIRED


def test_the_code_comes_through_a_pipe(node: FakeNode, run: Run, pipe_in: Typing) -> None:
    pipe_in("1234-5678\n")
    assert run("pair", "--code", "-") == 0
    assert guesses(node) == [(NEWCOMER["id"], "1234-5678", None)]


def test_without_a_terminal_a_code_is_needed(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("pair") == 2
    assert "--code" in capsys.readouterr().err


def test_a_mistyped_code_is_asked_for_again(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    node.answers["pair"] = (ConfigError("'12' is not a pairing code"), WRONG, PAIRED)
    type_in("12\n1111-1111\n1234-5678\n")
    assert run("pair") == 0
    assert [code for _, code, _ in guesses(node)] == ["12", "1111-1111", "1234-5678"]
    assert "the code is wrong; ENTER alone leaves it." in capsys.readouterr().err


def test_an_empty_code_leaves_it(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    node.answers["pair"] = WRONG
    type_in("1111-1111\n\n")
    assert run("pair") == 2
    assert "nobody was let in" in capsys.readouterr().err


def test_a_wrong_code_of_a_script_is_one(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["pair"] = WRONG
    assert run("pair", "--code", "1111-1111") == 1
    assert capsys.readouterr().err == "meshdoor: the code is wrong\n  look again\n"


def test_another_refusal_ends_it(node: FakeNode, run: Run, type_in: Typing) -> None:
    node.answers["pair"] = Refused("pairing with Kitchen failed: it takes no guess now")
    type_in("1111-1111\n")
    assert run("pair") == 1


def test_one_of_several_is_chosen(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    node.answers["newcomers"] = [NEWCOMER, OTHER]
    type_in("2\n1234-5678\n")
    assert run("pair") == 0
    assert guesses(node)[0][0] == OTHER["id"]
    assert "2  Kitten   door    dddd-efgh-ijkl-mnop  -         3 s" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["3", "0", "x", "²"])
def test_a_number_that_is_none(node: FakeNode, run: Run, type_in: Typing, capsys: Capture, number: str) -> None:
    node.answers["newcomers"] = [NEWCOMER, OTHER]
    type_in(f"{number}\n")
    assert run("pair") == 2
    assert f"no newcomer number {number}" in capsys.readouterr().err


def test_a_script_must_say_which(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["newcomers"] = [NEWCOMER, OTHER]
    assert run("pair", "kit", "--code", "12345678") == 2
    assert "several newcomers are in reach: Kitchen kkkk-" in capsys.readouterr().err


@pytest.mark.parametrize("wanted", ["KITCHEN", "kitche", NEWCOMER["id"], "kkkk"])
def test_a_newcomer_is_meant_by_name_or_id(node: FakeNode, run: Run, wanted: str) -> None:
    node.answers["newcomers"] = [OTHER, NEWCOMER, OTHER | {"name": "Kitchen two"}]
    if wanted == "kitche":
        node.answers["newcomers"] = [OTHER, NEWCOMER]
    assert run("pair", wanted, "--code", "12345678") == 0
    assert guesses(node)[0][0] == NEWCOMER["id"]


def test_it_waits_for_a_newcomer(
    node: FakeNode, run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answers["newcomers"] = ([], [NEWCOMER])
    terminal = Keyboard()
    monkeypatch.setattr("sys.stderr", terminal)
    assert run("pair", "--code", "12345678") == 0
    assert terminal.getvalue() == "Waiting for a newcomer to appear ...\n"


def test_nobody_is_in_reach(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["newcomers"] = []
    assert run("pair", "--wait", "0.1") == 2
    told = capsys.readouterr().err
    assert "no newcomer is in reach" in told
    assert "meshdoor run" in told


def test_others_are_in_reach(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("pair", "bath", "--wait", "0") == 2
    assert "no newcomer called bath is in reach, but Kitchen" in capsys.readouterr().err


def test_list(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("pair", "--list") == 0
    assert "Kitchen  screen  kkkk-efgh-ijkl-mnop  10.0.0.7  12 s" in capsys.readouterr().out
    assert run("pair", "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [NEWCOMER]
    node.answers["newcomers"] = []
    assert run("pair", "--list") == 0
    assert capsys.readouterr().out == "No newcomer is in reach.\n"


def test_a_door_is_told_where_to_do_it(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["newcomers"] = Refused("a door may not let others in", "do it on: Hall")
    assert run("pair") == 1
    assert capsys.readouterr().err == "meshdoor: a door may not let others in\n  do it on: Hall\n"


def test_show(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("pair", "--show") == 0
    assert capsys.readouterr().out == "1234-5678\n"
    assert run("pair", "--show", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"code": "1234-5678", "wait_s": 0.0}
    node.answers["status"] = unpaired(wait=29.5)
    assert run("pair", "--show") == 0
    assert capsys.readouterr().out == "Too many wrong codes: wait 30 s\n"


@pytest.mark.parametrize(("state_of_node", "text"), [("ready", "in a home already"), ("revoked", "was revoked")])
def test_a_member_has_no_code(node: FakeNode, run: Run, capsys: Capture, state_of_node: str, text: str) -> None:
    node.answers["status"] = status(node=status()["node"] | {"state": state_of_node})
    assert run("pair", "--show") == 2
    told = capsys.readouterr().err
    assert text in told
    assert "meshdoor reset" in told


def test_a_node_that_hangs_up_is_told_of(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"newcomers": UserError("odd")}):
        assert run("pair", "--list") == 2
    assert capsys.readouterr().err == "meshdoor: odd\n"
