"""`meshdoor phone`: what is shown while a phone is invited, and what is said of phones."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshdoor.cli import main
from meshdoor.cli.until import parse_until
from meshdoor.control import Json
from meshdoor.errors import ConfigError, Refused
from tests.cli.conftest import Keyboard, Run
from tests.cli.documents import ID
from tests.fakes.control import Answered, FakeNode

Capture = pytest.CaptureFixture[str]
URL = "https://10.0.0.2:8443/#pair=ICEiIyQlJicoKSorLC0uLw&f=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8&n=Home"
INVITED = {
    "name": "Alice",
    "permissions": ["talk", "view"],
    "until": None,
    "url": URL,
    "svg": "<svg/>",
    "fingerprint": "00ff" * 16,
    "expires": 1790000600,
}
JOINED = {"joined": "Alice", "id": ID}
ACCOUNT = JOINED | {"server": "wss://10.0.0.2:8443/sip", "user": "abcdefgh", "domain": "home", "secret": "s3cret"}
PHONE = {
    "name": "Alice", "id": ID, "permissions": ["talk", "view"], "until": None, "at": 1790000000,
    "state": "ready", "where": "Hall",
}  # fmt: skip
GUEST = PHONE | {"name": "Bob", "id": "bbbb-efgh-ijkl-mnop", "until": 1790000000, "state": "unreachable", "where": None}
PHONES = {"phones": [PHONE, GUEST], "invited": [{"name": "Carol", "expires": 1790000600}]}
CA = {
    "certificate": "-----BEGIN CERTIFICATE-----\n",
    "profile": "<plist/>",
    "fingerprint": "00ff" * 16,
    "name": "Hall of My home",
    "url": "https://10.0.0.2:8443/ca.crt",
    "profile_url": "https://10.0.0.2:8443/ca.mobileconfig",
}


@pytest.fixture
def node(state: Path) -> Iterator[FakeNode]:
    answers: dict[str, Json] = {
        "phone add": Answered(JOINED, INVITED),
        "phone list": PHONES,
        "phone ca": CA,
        "phone sip": ACCOUNT,
        "phone notify": {"text": "sent to 2 places"},
        "revoke": {"name": "Alice", "id": ID, "told": 1},
    }
    with FakeNode(state, answers) as made:
        yield made


def test_a_code_is_shown_and_who_came_in(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("phone", "add", "Alice") == 0
    out, err = capsys.readouterr()
    assert node.asked == [("phone add", {"name": "Alice", "permissions": None, "until": None})]
    assert "▄▄▄▄▄" in out
    assert "\x1b" not in out
    assert out.endswith(f"{URL}\nAlice is in: {ID}\n")
    assert "it may talk, view." in err
    assert "begins with 00:FF:00:FF:00:FF:00:FF; then go on" in err
    assert "The code is good for 0:00." in err


def test_a_guest_and_what_it_may(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["phone add"] = Answered(JOINED, INVITED | {"until": 1790000000, "permissions": []})
    before = time.time()
    assert run("phone", "add", "Alice", "--permissions", "view,talk", "--expires", "2d") == 0
    asked = node.asked[0][1]
    assert asked["permissions"] == ["view", "talk"]
    assert before - 1 + 2 * 86400 <= asked["until"] <= time.time() + 2 * 86400
    assert "it may do nothing, until 2026-09-21 14:13." in capsys.readouterr().err


def test_on_a_terminal_it_counts_down(node: FakeNode, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, beside = Keyboard(), Keyboard()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr("sys.stderr", beside)
    node.answers["phone add"] = Answered(JOINED, INVITED | {"expires": time.time() + 599.8})
    assert run("phone", "add", "Alice") == 0
    assert "\x1b[97;40m" in screen.getvalue()
    assert re.search(r"\r\x1b\[KThe code is good for (10:00|9:\d\d)\. ", beside.getvalue())
    assert beside.getvalue().endswith("\r\x1b[K")


def test_the_code_is_written_for_this_user_only(node: FakeNode, run: Run, tmp_path: Path, capsys: Capture) -> None:
    png, svg = tmp_path / "alice.png", tmp_path / "alice.svg"
    svg.touch(mode=0o644)
    assert run("phone", "add", "Alice", "--png", str(png), "--svg", str(svg), "--json") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [INVITED, JOINED]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text() == "<svg/>"
    assert {path.stat().st_mode & 0o777 for path in (png, svg)} == {0o600}


def test_an_account_for_a_sip_client(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("phone", "add", "Alice", "--sip", "--permissions", "view") == 0
    out, err = capsys.readouterr()
    assert node.asked == [("phone sip", {"name": "Alice", "permissions": ["view"], "until": None})]
    assert out.splitlines() == [
        f"Alice is in: {ID}",
        "SETTING  VALUE",
        "server   wss://10.0.0.2:8443/sip",
        "user     abcdefgh",
        "domain   home",
        "secret   s3cret",
    ]
    assert err == "The secret is not shown again.\n"
    assert run("phone", "add", "Alice", "--sip", "--json") == 0
    assert json.loads(capsys.readouterr().out) == ACCOUNT
    assert run("phone", "add", "Alice", "--sip", "--png", "a.png") == 2


def test_a_code_that_nobody_scanned_is_exit_code_1(node: FakeNode, run: Run, capsys: Capture) -> None:
    node.answers["phone add"] = Refused("nobody scanned the code in time", "make a new one")
    assert run("phone", "add", "Alice") == 1
    assert capsys.readouterr().err == "meshdoor: nobody scanned the code in time\n  make a new one\n"


def test_the_state_directory_may_be_named_last(node: FakeNode, state: Path, capsys: Capture) -> None:
    assert main(["phone", "list", "--state", str(state)]) == 0
    assert "Alice" in capsys.readouterr().out


def test_list(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("phone", "list") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        f"Alice  ready at Hall  talk, view  -                 {ID}",
        "Bob    unreachable    talk, view  2026-09-21 14:13  bbbb-efgh-ijkl-mnop",
    ]
    assert err == "Carol is invited until 2026-09-21 14:23.\n"
    assert run("phone", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == PHONES
    node.answers["phone list"] = {"phones": [], "invited": []}
    assert run("phone", "list") == 0
    assert "meshdoor phone add NAME" in capsys.readouterr().err


@pytest.mark.parametrize("wanted", ["ALICE", "abcd"])
def test_a_phone_is_thrown_out(node: FakeNode, run: Run, capsys: Capture, wanted: str) -> None:
    assert run("phone", "revoke", wanted) == 0
    assert capsys.readouterr().out == f"Alice ({ID}) is out.\n"
    assert run("phone", "revoke", wanted, "--json") == 0
    assert node.asked[-1] == ("revoke", {"member": ID})


def test_it_is_asked_first(node: FakeNode, run: Run, type_in: Callable[[str], None], capsys: Capture) -> None:
    type_in("no\n")
    assert run("phone", "revoke", "Alice") == 2
    assert "for good?" in capsys.readouterr().err
    assert [verb for verb, _ in node.asked] == ["phone list"]


@pytest.mark.parametrize(("wanted", "why"), [("Kitchen", "no phone is called"), ("", "no phone"), ("b", "than one")])
def test_who_is_meant_must_be_clear(node: FakeNode, run: Run, capsys: Capture, wanted: str, why: str) -> None:
    node.answers["phone list"] = {"phones": [GUEST, GUEST | {"name": "Bo", "id": "bccc-"}], "invited": []}
    assert run("phone", "revoke", wanted) == 2
    assert why in capsys.readouterr().err


def test_the_authority(node: FakeNode, run: Run, tmp_path: Path, capsys: Capture) -> None:
    assert run("phone", "ca", "--out", str(tmp_path / "out")) == 0
    out, err = capsys.readouterr()
    assert (tmp_path / "out" / "meshdoor-ca.crt").read_text() == CA["certificate"]
    assert (tmp_path / "out" / "meshdoor-ca.mobileconfig").read_text() == CA["profile"]
    assert f"Android and others: {CA['url']}\n" in out
    assert f"iPhone, iPad: {CA['profile_url']}\n" in out
    assert "could show that phone a false page" in err
    assert "Its name is Hall of My home" in err
    assert "\n00:FF:" in err
    assert run("phone", "ca", "--json") == 0
    assert json.loads(capsys.readouterr().out) == CA
    assert run("phone", "ca") == 0


def test_a_notification_is_tried(node: FakeNode, run: Run, capsys: Capture) -> None:
    assert run("phone", "notify", "--test") == 0
    assert capsys.readouterr().out == "sent to 2 places\n"
    assert run("phone", "notify", "--test", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"text": "sent to 2 places"}


def test_a_bad_date_is_told(run: Run, capsys: Capture) -> None:
    assert run("phone", "add", "Alice", "--expires", "tomorrow") == 2
    assert "'tomorrow' is no date" in capsys.readouterr().err


NOW = 1790000000.0  # 2026-09-21 14:13:20 UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-24", 1798156800),
        ("2026-12-24T18:00", 1798135200),
        ("2026-12-24 18:00+02:00", 1798128000),
        ("90m", 1790005400),
        ("12h", 1790043200),
        ("7d", 1790604800),
    ],
)
def test_the_end_of_a_guest(text: str, moment: int) -> None:
    assert parse_until(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "²d", "2026-09-20", "2026-13-01", "9999-12-31", "999999999d"])
def test_an_end_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--expires"):
        parse_until(text, NOW)
