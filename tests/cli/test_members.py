"""`meshdoor members`, `revoke`, `rename`, `found` and `enrol`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshdoor.cli.enrol import parse_lifetime
from meshdoor.control import Json
from meshdoor.errors import ConfigError, NotFound, Refused
from tests.cli.conftest import Run
from tests.cli.documents import ID, row, status
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
Typing = Callable[[str], None]


def member(name: str, **changes: Json) -> dict[str, Json]:
    made = {"name": name, "role": "screen", "id": ID, "permissions": ["talk", "view"], "at": 0, "by": "Hall"}
    return made | {"until": None, "revoked": False} | changes


ANSWERS = {
    "members": [member("Hall"), member("Lock", role="lock", permissions=[], by=None), member("Old", revoked=True)],
    "revoke": {"name": "Kitchen", "id": ID, "told": 2},
    "rename": {"was": "Kitchen", "name": "Bath", "id": ID},
    "found": {"name": "My home", "node": "Hall"},
    "enrol": {"file": "the file\n", "expires": 90000},
    "status": status(members=[row("Hall", you=True, id="hhhh"), row("Kitchen"), row("Gone", state="revoked")]),
}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, ANSWERS) as made:
        yield made


def asked(node: FakeNode, verb: str) -> list[Json]:
    return [args for name, args in node.asked if name == verb]


def test_members(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("members") == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME  ROLE    MAY         ID                   ADMITTED          BY",
        f"Hall  screen  talk, view  {ID}  1970-01-01 00:00  Hall",
        f"Lock  lock    -           {ID}  1970-01-01 00:00  -",
        f"Old   screen  revoked     {ID}  1970-01-01 00:00  Hall",
    ]


def test_a_guest_has_an_end(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["members"] = [member("Alice", role="phone", until=1790000000)]
    assert run("members") == 0
    assert "phone  talk, view until 2026-09-21 14:13" in capsys.readouterr().out


def test_members_of_no_home(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["members"] = []
    assert run("members") == 2
    assert "meshdoor found" in capsys.readouterr().err
    assert run("members", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("told", "text"),
    [(0, "No other node is in reach"), (1, "1 reachable node knows it"), (2, "2 reachable nodes know it")],
)
def test_a_script_revokes_unasked(node: FakeNode, run: Run, capsys: Capture, told: int, text: str) -> None:
    node.answers["revoke"] = ANSWERS["revoke"] | {"told": told}  # type: ignore[operator]
    assert run("revoke", "kitchen") == 0
    assert asked(node, "revoke") == [{"member": "kitchen"}]
    shown = capsys.readouterr().out
    assert shown.startswith(f"Kitchen ({ID}) is out. ")
    assert text in shown


def test_a_person_is_asked_before_a_revoke(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    type_in("yes\n")
    assert run("revoke", "KITCHEN") == 0
    assert f"Throw out Kitchen (screen, {ID}) for good? yes or no [no]: " in capsys.readouterr().err
    type_in("\n")
    assert run("revoke", ID[:4]) == 2
    assert "nobody was revoked" in capsys.readouterr().err
    assert len(asked(node, "revoke")) == 1


def test_a_person_is_warned_of_revoking_this_node(node: FakeNode, run: Run, type_in: Typing, capsys: Capture) -> None:
    type_in("no\n")
    assert run("revoke", "hall") == 2
    assert "It is THIS node." in capsys.readouterr().err


@pytest.mark.parametrize("words", [["Kitchen", "--yes"], ["Kitchen", "--json"], ["Gone"], ["nobody"]])
def test_what_needs_no_question(node: FakeNode, run: Run, type_in: Typing, words: list[str]) -> None:
    type_in("")
    assert run("revoke", *words) == 0


def test_a_member_that_is_not_there(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["rename"] = NotFound("no member is called 'x'", "`meshdoor members` lists them")
    assert run("rename", "x", "y") == 2
    assert capsys.readouterr().err == "meshdoor: no member is called 'x'\n  `meshdoor members` lists them\n"


def test_rename(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("rename", "kitchen", "Bath") == 0
    assert asked(node, "rename") == [{"member": "kitchen", "name": "Bath"}]
    assert capsys.readouterr().out == "Kitchen is now Bath\n"


@pytest.mark.parametrize(
    "words",
    [["members"], ["revoke", "x"], ["rename", "x", "y"], ["found"], ["enrol", "--role", "door", "--name", "x"]],
    ids=" ".join,
)
def test_json_is_the_answer(node: FakeNode, run: Run, capsys: Capture, words: list[str]) -> None:
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == ANSWERS[words[0]]


def test_found(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("found") == 0
    assert asked(node, "found") == [{"home": "My home", "anyway": False}]
    assert "My home is founded, and Hall is its first member." in capsys.readouterr().out


NEAR = Refused("there is a home within reach that this node could join", "pair it, or: --anyway")


def test_found_beside_another_home_is_refused_to_scripts(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["found"] = NEAR
    assert run("found", "Mine") == 1
    assert "--anyway" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "code", "times"), [("yes\n", 0, 2), ("\n", 2, 1)])
def test_found_beside_another_home_asks_a_person(
    node: FakeNode, run: Run, type_in: Typing, typed: str, code: int, times: int
) -> None:
    node.answers["found"] = (NEAR, ANSWERS["found"])
    type_in(typed)
    assert run("found", "Mine") == code
    assert [args["anyway"] for args in asked(node, "found")] == [False, True][:times]


def test_found_is_refused_for_another_reason(node: FakeNode, run: Run, type_in: Typing) -> None:
    node.answers["found"] = Refused("this node is already in My home")
    type_in("yes\n")
    assert run("found") == 1


def test_enrol_writes_the_file_and_nothing_else(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("enrol", "--role", "door", "--name", "Front", "--expires", "12h") == 0
    assert asked(node, "enrol") == [{"role": "door", "name": "Front", "lifetime": 43200}]
    told = capsys.readouterr()
    assert told.out == "the file\n"
    assert told.err == "Front may join until 1970-01-02 01:00, once.\n"


@pytest.mark.parametrize(("text", "seconds"), [("1m", 60), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_a_lifetime(text: str, seconds: int) -> None:
    assert parse_lifetime(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7w", "0m", "32d", "-1d", "٧d", "1e3d", "9" * 99 + "d"])
def test_no_lifetime(text: str) -> None:
    with pytest.raises(ConfigError, match="--expires"):
        parse_lifetime(text)
