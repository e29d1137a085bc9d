"""`meshdoor status`: what a person reads, what a script gets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshdoor.cli.status import render
from tests.cli.conftest import Run
from tests.cli.documents import NEWCOMER, OTHER, row, status, unpaired
from tests.fakes.control import FakeNode

Capture = pytest.CaptureFixture[str]
SLOW = 0.1  # seconds, what a person calls at once


def test_a_quiet_home(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"status": status()}):
        assert run("status") == 0
    assert capsys.readouterr().out == (
        "My home  1 member, roster 12345678\n"
        "This node: Hall (screen)  abcd-efgh-ijkl-mnop  10.0.0.2, fe80::2%eth0  ready\n"
        "\n"
        "NAME    ROLE    STATE  ADDRESS   RTT  ROSTER   VERSION\n"
        "Hall *  screen  ready  10.0.0.3  -    in step  0.1.0\n"
        "\n"
        "A press now would ring 1 screen.\n"
    )


def test_something_needs_attention(state: Path, run: Run) -> None:
    with FakeNode(state, {"status": status(attention=["Kitchen is unreachable"])}):
        assert run("status") == 1


def test_json_is_the_document(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"status": status()}):
        assert run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == status()


def test_no_node_says_what_to_do(run: Run, capsys: Capture) -> None:
    assert run("status") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "no node is running" in told.err
    assert "meshdoor run" in told.err


def test_a_newcomer_shows_its_code() -> None:
    text = render(unpaired())
    assert "In no home yet: Hall (screen)" in text
    assert "with the code 1234-5678" in text
    assert 'meshdoor found "My home"' in text
    assert "press" not in text


def test_a_newcomer_in_a_wait_says_how_long() -> None:
    assert "it can be paired again in 30 s" in render(unpaired(wait=29.2))


def test_a_revoked_node_says_so_and_no_more_of_presses() -> None:
    document = status()
    document["node"] |= {"state": "revoked", "addresses": []}
    text = render(document)
    assert "This node was revoked" in text
    assert "meshdoor reset" in text
    assert "no address" in text
    assert "A press" not in text


def test_newcomers_are_named_and_how_to_let_them_in() -> None:
    text = render(status(newcomers=[NEWCOMER, OTHER]))
    assert "Kitchen (screen, kkkk-efgh-ijkl-mnop) waits to be paired.\nKitten (door" in text
    assert text.count("To let it in: meshdoor pair") == 1


def test_a_door_does_not_offer_to_let_anybody_in() -> None:
    text = render(status(newcomers=[NEWCOMER], members=[row("Door", you=True, permissions=["ring"])]))
    assert "on a node that may admit others" in text


def test_a_newcomer_sees_other_newcomers() -> None:
    text = render(unpaired() | {"newcomers": [NEWCOMER]})
    assert text.endswith("waits to be paired.")


def test_alarms_are_shown_with_what_to_do() -> None:
    alarm = {"kind": "two hosts", "text": "two hosts", "hint": "reset one"}
    assert "! two hosts. reset one" in render(status(alarms=[alarm]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"state": "unreachable", "since": None}, "unreachable, never seen"),
        ({"state": "unreachable", "since": 1790000000.0}, "unreachable since 2026-09-21 14:13"),
        ({"state": "in call"}, "in call"),
        ({"role": "phone", "where": "Hall"}, "ready at Hall"),
        ({"role": "phone", "state": "unreachable"}, "not open"),
        ({"address": None, "rtt_ms": None, "roster": None, "version": None}, "ready  -        -    -       -"),
    ],
)
def test_each_state_of_a_member(changes: dict[str, object], text: str) -> None:
    assert text in render(status(members=[row("Kitchen", **changes)]))


def test_a_member_gone_lately_shows_the_time_of_day() -> None:
    since = time.time() - 60
    shown = time.strftime("unreachable since %H:%M  10", time.localtime(since))
    assert shown in render(status(members=[row("Kitchen", state="unreachable", since=since)]))


def test_what_does_not_work_is_said_and_what_stands_in_for_it() -> None:
    devices = [{"kind": "camera", "state": "stand-in", "text": "a test card stands in"}, {"kind": "x", "state": "ok"}]
    members = [row("Hall", you=True), row("Gate", role="door", trouble=["no picture: the camera stopped"])]
    text = render(status(node=status()["node"] | {"devices": devices}, members=members))
    assert "\n\n! Gate has no picture: the camera stopped\ncamera: a test card stands in\n\n" in text


def test_watch_goes_on_until_the_node_ends(state: Path, run: Run, capsys: Capture) -> None:
    broken = KeyError("x")
    with FakeNode(state, {"status": (status(), status(), broken)}) as node:
        assert run("status", "--watch", "--interval", "0") == 2
        assert len(node.asked) == 3
    told = capsys.readouterr()
    assert told.out.count("A press now") == 2
    assert "the node failed" in told.err


def test_watch_gives_scripts_a_document_a_line(state: Path, run: Run, capsys: Capture) -> None:
    with FakeNode(state, {"status": (status(), status(), KeyError("x"))}):
        run("status", "--watch", "--json", "--interval", "0")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [status(), status()]


@pytest.mark.parametrize(("attention", "code"), [([], 0), (["look"], 1)])
def test_watch_ends_by_ctrl_c(
    state: Path, run: Run, monkeypatch: pytest.MonkeyPatch, attention: list[str], code: int
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with FakeNode(state, {"status": status(attention=attention)}):
        monkeypatch.setattr("meshdoor.cli.status.time.sleep", interrupt)
        assert run("status", "--watch") == code


def test_it_answers_at_once_as_a_process(state: Path) -> None:
    command = [sys.executable, "-m", "meshdoor", "status", "--state", str(state)]
    times = []
    with FakeNode(state, {"status": status()}):
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
    print(f"\nmeshdoor status as a process: best {min(times) * 1000:.0f} ms, goal {SLOW * 1000:.0f} ms")
