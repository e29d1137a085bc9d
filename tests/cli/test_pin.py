"""`meshdoor pin`, and where it shows who opens by a code."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshdoor.errors import Refused
from tests.cli.conftest import Run
from tests.cli.documents import ID, row, status
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
Typing = Callable[[str], None]

SET = {"name": "Tablet", "id": ID, "by_code": True, "warning": ""}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, {"pin": SET, "status": None, "members": None}) as made:
        yield made


@pytest.fixture
def unseen(type_in: Typing, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What a person types where it is not shown."""

    def given(*lines: str) -> None:
        left = iter(lines)
        type_in("")
        monkeypatch.setattr(getpass, "getpass", lambda prompt: next(left))

    return given


def test_the_code_is_a_line_of_standard_input(node: FakeNode, run: Run, pipe_in: Typing, capsys: Capture) -> None:
    pipe_in("4711\n")
    assert run("pin", "Tablet") == 0
    assert capsys.readouterr().out == "Tablet opens by its code and # in a call with a door.\n"
    assert node.asked == [("pin", {"member": "Tablet", "code": "4711"})]


def test_a_person_types_it_twice(node: FakeNode, run: Run, unseen: Callable[..., None], capsys: Capture) -> None:
    unseen("4711", "4711")
    assert run("pin", "Tablet", "--json") == 0
    assert json.loads(capsys.readouterr().out) == SET
    unseen("4711", "4712")
    assert run("pin", "Tablet") == 2
    assert "two different codes" in capsys.readouterr().err
    assert len(node.asked) == 1


def test_off(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["pin"] = SET | {"by_code": False}
    assert run("pin", "Tablet", "--off") == 0
    assert capsys.readouterr().out == "Tablet opens by no code any more.\n"
    assert node.asked == [("pin", {"member": "Tablet", "code": None})]


def test_a_code_is_no_argument(run: Run) -> None:
    with pytest.raises(SystemExit):
        run("pin", "Tablet", "4711")


def test_a_warning_and_a_refusal(node: FakeNode, run: Run, pipe_in: Typing, capsys: Capture) -> None:
    node.answers["pin"] = SET | {"warning": "whoever is in the network can overhear the code"}
    pipe_in("4711\n")
    assert run("pin", "Tablet") == 0
    assert "Beware: whoever" in capsys.readouterr().err
    node.answers["pin"] = Refused("Tablet may not open locks")
    assert run("pin", "Tablet", "--off") == 1


def test_status_and_members_say_who_opens_by_a_code(node: FakeNode, run: Run, capsys: Capture) -> None:
    tablet = row("Tablet", role="phone", by_code=True)
    node.answers["status"] = status(members=[row("Hall", you=True), tablet])
    assert run("status") == 0
    assert "Opens by code: Tablet." in capsys.readouterr().out
    more = {"at": 0, "by": "Hall", "until": None, "revoked": False}
    node.answers["members"] = [tablet | more]
    assert run("members") == 0
    assert "view (opens by code)" in capsys.readouterr().out
