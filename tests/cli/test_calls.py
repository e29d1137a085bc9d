"""`meshdoor ring`, `answer`, `decline`, `hangup`, `call`, `monitor`, `talk`, `page`, `calls` and `events`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.cli.told import sentence
from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused
from tests.cli.conftest import Run
from tests.fakes.control import FakeNode, Stream

Capture = pytest.CaptureFixture[str]

ROW = {"call": 3, "kind": "room", "with": "Hall", "called": False, "state": "calling", "why": ""}
RUNG = {"press": "p1", "rings": ["Hall", "Kitchen"], "silent": [{"name": "Attic", "why": "unreachable"}]}
LISTENING = {"event": "listening", "at": 1.0}
HEARD = {"event": "step", "press": "p1", "member": "Hall", "step": "first picture", "ms": 81.4, "detail": ""}
ASKED = HEARD | {"step": "asked", "ms": 0.0}
OTHER = {"event": "over", "press": "p0", "why": "missed"}
QUIET: dict[str, Json] = {"press": None, "visitors": [], "calls": []}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    answers = {
        "ring": RUNG,
        "answer": {"visit": 1, "door": "Front"},
        "decline": ROW,
        "hangup": {"ended": ["Hall"]},
        "call": ROW,
        "monitor": ROW | {"kind": "monitor", "with": "Front"},
        "talk": ROW | {"state": "asking"},
        "hand over": {"door": "Front", "to": "Kitchen"},
        "dtmf": {"digits": "1*#", "with": "Front", "by": "INFO"},
        "page": {"calls": [ROW], "silent": [{"name": "Attic", "why": "never seen"}]},
        "calls": QUIET,
        "events": Stream(LISTENING),
    }
    with FakeNode(state, answers) as made:
        yield made


def over(why: str) -> Stream:
    return Stream(LISTENING, OTHER, ASKED, HEARD, {"event": "over", "press": "p1", "why": why})


def test_ring_says_who_rings_and_who_does_not(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("ring") == 0
    told = capsys.readouterr()
    assert told.out == "ringing Hall, Kitchen\n"
    assert told.err == "Attic does not ring: unreachable\n"
    node.answers["ring"] = RUNG | {"rings": [], "silent": []}
    assert run("ring") == 0
    assert capsys.readouterr().out == "ringing nobody yet\n"


@pytest.mark.parametrize(("why", "code"), [("answered", 0), ("missed", 1), ("declined", 1)])
def test_ring_waits_until_it_is_over(node: FakeNode, run: Run, capsys: Capture, why: str, code: int) -> None:
    node.answers["events"] = over(why)
    assert run("ring", "--wait") == code
    assert [verb for verb, _ in node.asked] == ["events", "ring"]
    assert capsys.readouterr().out.splitlines() == [
        "ringing Hall, Kitchen",
        "Hall has the first picture after 81 ms",
        f"the press is over: {why}",
    ]


def test_ring_waits_in_json_lines(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["events"] = over("answered")
    assert run("ring", "--wait", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [RUNG, ASKED, HEARD, {"event": "over", "press": "p1", "why": "answered"}]


def test_a_node_that_stops_meanwhile(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["events"] = Stream(LISTENING, ASKED, ends=True)
    assert run("ring", "--wait") == 2
    assert "the node stopped" in capsys.readouterr().err


def test_a_refused_ring(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["ring"] = Refused("a screen does not ring", "the button is at a door")
    assert run("ring") == 1
    assert run("ring", "--wait") == 1
    assert capsys.readouterr().err.count("a screen does not ring") == 2


@pytest.mark.parametrize(
    ("words", "args", "text"),
    [
        (["answer"], {"visit": None, "call": None}, "talking with Front\n"),
        (["answer", "--visit", "1"], {"visit": 1, "call": None}, "talking with Front\n"),
        (["decline", "--call", "3"], {"visit": None, "call": 3}, "declined Hall\n"),
        (["hangup"], {}, "ended: Hall\n"),
        (["call", "hall"], {"member": "hall"}, "calling Hall\n"),
        (["monitor"], {"door": None}, "looking through Front\n"),
        (["monitor", "front"], {"door": "front"}, "looking through Front\n"),
        (["talk"], {}, "asking Hall for sound\n"),
        (["dtmf", "1*#"], {"digits": "1*#"}, "1*# goes to Front\n"),
        (["page"], {}, "paging Hall\n"),
    ],
    ids=" ".join,
)
def test_what_a_person_does(
    node: FakeNode, run: Run, capsys: Capture, words: list[str], args: dict[str, Json], text: str
) -> None:
    assert run(*words) == 0
    assert node.asked == [(words[0], args)]
    assert capsys.readouterr().out == text
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == node.answers[words[0]]


@pytest.mark.parametrize("words", ["answer", "decline", "call x", "monitor", "talk", "dtmf 1", "page"])
def test_what_is_refused(node: FakeNode, run: Run, capsys: Capture, words: str) -> None:
    verb, *args = words.split()
    node.answers[verb] = Refused("no, in words")
    assert run(verb, *args) == 1
    assert capsys.readouterr().err == "meshdoor: no, in words\n"


def test_a_visitor_is_handed_over(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("handover", "kitchen") == 0
    assert node.asked == [("hand over", {"to": "kitchen"})]
    assert capsys.readouterr().out == "Kitchen talks with the visitor at Front now\n"
    assert run("handover", "kitchen", "--json") == 0
    assert json.loads(capsys.readouterr().out) == node.answers["hand over"]
    node.answers["hand over"] = Refused("Kitchen declines")
    assert run("handover", "kitchen") == 1


def test_nobody_of_that_name(node: FakeNode, run: Run) -> None:
    node.answers["call"] = NotFound("no member is called 'x'")
    assert run("call", "x") == 2


def test_nothing_to_hang_up(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["hangup"] = {"ended": []}
    assert run("hangup") == 1
    assert capsys.readouterr().err == "nothing is on here\n"


def test_what_is_on(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("calls") == 1
    assert capsys.readouterr().err == "nothing is on here\n"
    visitor = {"visit": 1, "door": "Front", "state": "ringing"}
    node.answers["calls"] = {"press": {"press": "p1", "state": "ringing"}, "visitors": [visitor], "calls": [ROW]}
    assert run("calls") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["press", "-", "-", "ringing"],
        ["visitor", "1", "Front", "ringing"],
        ["room", "3", "Hall", "calling"],
    ]
    assert run("calls", "--json") == 0
    assert json.loads(capsys.readouterr().out) == node.answers["calls"]


def test_events_until_the_node_stops(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["events"] = Stream(LISTENING, HEARD, {"event": "news of another version"}, ends=True)
    assert run("events") == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("  Hall has the first picture after 81 ms")


def test_events_for_a_script(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["events"] = Stream(LISTENING, HEARD, ends=True)
    assert run("events", "--json") == 2
    assert list(map(json.loads, capsys.readouterr().out.splitlines())) == [LISTENING, HEARD]


def test_too_many_listen(node: FakeNode, run: Run) -> None:
    node.answers["events"] = Refused("too many listen already")
    assert run("events") == 1


def test_events_until_ctrl_c(run: Run, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(document: Json) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshdoor.cli.events.print_json_line", interrupted)
    assert run("events", "--json") == 0


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"event": "visitor", "door": "Front"}, "somebody is at Front"),
        ({"event": "call", "state": "ended", "with": "Hall", "why": "busy"}, "the call with Hall is over: busy"),
        ({"event": "call", "state": "of another version"}, ""),
        ({"event": "over", "visit": 1, "door": "Front", "why": "missed"}, "Front: missed"),
        ({"event": "monitored", "by": "Hall", "on": True}, "Hall looks or listens here"),
        (
            {"event": "hand over", "from": "Hall", "to": "Kitchen", "state": "ringing"},
            "Hall hands the visitor over to Kitchen: ringing",
        ),
        ({"event": "dtmf", "leg": "call-1", "digit": "#", "from": "Hall"}, "Hall types #"),
        ({"event": "bell", "on": False}, "the bell is silent"),
        ({"event": "visitor"}, "visitor"),
        ({}, ""),
    ],
)
def test_events_in_words(event: dict[str, Json], text: str) -> None:
    assert sentence(event) == text
