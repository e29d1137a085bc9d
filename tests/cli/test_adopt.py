"""`meshdoor adopt`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.documents import ID
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]

URI = "sip:panel@192.168.1.40"
JOINED = {
    "joined": "Gate", "id": ID, "uri": URI, "media": "srtp", "product": "", "fingerprint": None,
    "warning": "the keys pass unencrypted", "user": "panel", "secret": "tell-nobody",
}  # fmt: skip
PHONE = JOINED | {"joined": "Tablet", "product": None, "warning": "", "user": "kitchen"}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    with FakeNode(state, {"station adopt": JOINED, "adopt": PHONE}) as made:
        yield made


def test_it_says_what_to_type_into_the_panel(node: FakeNode, run: Run, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "code").write_text("42#\n")
    code = ("--code-file", str(tmp_path / "code"))
    assert run("adopt", URI, "--name", "Gate", "--role", "door", "--digest", "--info", *code) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"Gate is in: {ID}", "user    panel", "secret  tell-nobody"]
    assert "Beware: the keys pass unencrypted." in err
    assert "sip:everyone" in err
    asked = {"uri": URI, "name": "Gate", "transport": None, "media": "srtp", "code": "42#"}
    assert node.asked == [("station adopt", asked | {"by_info": True, "digest": True})]


def test_json_and_a_code_that_is_typed(
    node: FakeNode, run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: " 7 ")
    assert run("adopt", URI, "--name", "Gate", "--role", "door", "--json", "--code-file", "-") == 0
    assert json.loads(capsys.readouterr().out) == JOINED
    assert node.asked[0][1]["code"] == "7"


def test_a_file_that_is_not_there(node: FakeNode, run: Run, capsys: Capture, tmp_path: Path) -> None:
    assert run("adopt", URI, "--name", "Gate", "--role", "door", "--code-file", str(tmp_path / "none")) != 0
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("digest", [False, True])
def test_a_phone_with_and_without_a_secret(node: FakeNode, run: Run, capsys: Capture, digest: bool) -> None:
    more = ("--digest",) if digest else ()
    assert run("adopt", "sip:kitchen@192.168.1.30", "--name", "Tablet", "--permissions", "view,talk", *more) == 0
    out, err = capsys.readouterr()
    shown = ["user    kitchen", "secret  tell-nobody"] if digest else []
    assert out.splitlines() == [f"Tablet is in: {ID}", *shown]
    assert ("They are shown once." in err) is digest
    assert "It does not answer now" in err
    asked = {"uri": "sip:kitchen@192.168.1.30", "name": "Tablet", "transport": None, "media": "srtp"}
    more_asked = {"permissions": ["view", "talk"], "digest": digest, "preview": False}
    assert node.asked == [("adopt", asked | more_asked)]


def test_who_answers_by_itself(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("adopt", URI, "--name", "Panel", "--preview") == 0
    assert node.asked[0][1]["preview"] is True
    assert run("adopt", URI, "--name", "Gate", "--preview", "--role", "door") != 0
    assert "--preview is of a phone" in capsys.readouterr().err
