"""The history as a person reads it."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from meshdoor.cli import build_parser, history
from meshdoor.errors import ConfigError

OPENING = {"id": "c" * 32, "at": 0.0, "lock": "Gate", "who": "Kitchen", "result": "opened"}


def branch(name: str, picture: int | None, provisional: int | None = 3, why: str = "") -> dict[str, Any]:
    return {"name": name, "asked_ms": 0, "first_picture_ms": picture, "provisional_ms": provisional, "why": why}


def press(**changes: Any) -> dict[str, Any]:
    made = {
        "id": "0123456789abcdef",
        "at": 0.0,
        "door": "Front",
        "outcome": "missed",
        "answered_by": None,
        "handed_over_to": [],
        "missed": True,
        "seen": False,
        "branches": [branch("Kitchen", 90), branch("Hall", None), branch("Attic", None, None, "unreachable")],
        "openings": [],
    }
    return made | changes


def rendered(*presses: dict[str, Any], openings: tuple[dict[str, Any], ...] = (), missed: bool = False) -> list[str]:
    document = {"presses": list(presses), "openings": list(openings)}
    return history.render(document, missed=missed).splitlines()


def test_a_missed_visitor() -> None:
    heading, row, last = rendered(press())
    assert heading.split() == ["WHEN", "DOOR", "OUTCOME", "ANSWERED", "BY", "FIRST", "PICTURE", "ID"]
    assert row.endswith("Front  missed   -            Kitchen 90 ms, Hall no picture, Attic unreachable  01234567")
    assert last == "1 missed visitor. To clear: meshdoor history --seen all"


def test_visitors_that_were_answered_or_seen() -> None:
    talked = {"answered_by": "Kitchen", "handed_over_to": ["Hall"]}
    answered = press(outcome="answered", missed=False, openings=[OPENING], **talked)
    lines = rendered(answered, press(seen=True), press(branches=[branch("Hall", None, None)]), press())
    assert "answered, Gate opened" in lines[1]
    assert "Kitchen, then Hall" in lines[1]
    assert "missed, seen" in lines[2]
    assert "Hall no answer" in lines[3]
    assert lines[-1].startswith("2 missed visitors")


def test_nothing() -> None:
    assert rendered() == ["Nobody has rung yet."]
    assert rendered(missed=True) == ["No missed visitors."]
    assert rendered(press(branches=[], missed=False))[1].split()[-2:] == ["-", "01234567"]


def test_an_opening_without_a_visitor() -> None:
    (line,) = rendered(openings=(OPENING,))
    assert line.endswith("Kitchen asked Gate to open: opened")


class FakeNode:
    """Answers one verb, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def call(self, verb: str, **args: Any) -> Any:
        self.asked = {"verb": verb} | args
        return self.answer


def run(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> dict[str, Any]:
    node = FakeNode(answer)
    monkeypatch.setattr(history, "client", lambda options: node)
    common, parser = argparse.ArgumentParser(add_help=False), argparse.ArgumentParser()
    history.register(parser.add_subparsers(), common)
    options = parser.parse_args(["history", *arguments])
    assert options.run(options) == 0
    return node.asked


def test_what_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = {"presses": [], "openings": []}
    assert run(monkeypatch, document, "--missed", "--limit", "3") == {"verb": "history", "limit": 3, "missed": True}
    assert capsys.readouterr().out == "No missed visitors.\n"
    run(monkeypatch, document, "--json")
    assert json.loads(capsys.readouterr().out) == document


def test_marking_as_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, {"seen": ["a", "b"]}, "--seen", "all") == {"verb": "seen", "which": "all"}
    assert capsys.readouterr().out == "2 marked as seen, on every screen\n"
    run(monkeypatch, {"seen": []}, "--seen", "0123")
    assert capsys.readouterr().out == "Nothing was left to see.\n"
    run(monkeypatch, {"seen": []}, "--seen", "all", "--json")
    assert json.loads(capsys.readouterr().out) == {"seen": []}


def test_a_picture_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer = {"id": "0123456789abcdef", "data": base64.b64encode(b"picture").decode()}
    file = tmp_path / "visitor.jpg"
    assert run(monkeypatch, answer, "--snapshot", "0123", str(file)) == {"verb": "snapshot", "id": "0123"}
    assert file.read_bytes() == b"picture"
    assert "the visitor of 01234567" in capsys.readouterr().out
    run(monkeypatch, answer, "--snapshot", "0123", str(file), "--json")
    assert json.loads(capsys.readouterr().out)["file"] == str(file)
    with pytest.raises(ConfigError):
        run(monkeypatch, answer, "--snapshot", "0123", str(tmp_path))


def test_it_is_a_verb_of_the_command_line() -> None:
    assert build_parser().parse_args(["history"]).limit == 20
