"""Whole nodes as processes: founding, pairing, revoking, enrolling, restarting, and how they end."""

from __future__ import annotations

import os
import pty
import signal
import socket
import time
from pathlib import Path

import pytest

from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused, UserError
from tests.node.processes import Node, ended, node

pytestmark = pytest.mark.multicast

ADMITTING: dict[str, dict[str, Json]] = {
    "revoke": {"member": "Hall"},
    "rename": {"member": "Hall", "name": "x"},
    "pair": {"id": "x", "code": "x"},
    "newcomers": {},
    "enrol": {"role": "door", "name": "x", "lifetime": 60},
}


def test_a_home_of_two(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall, node(tmp_path / "door", "Street", "door") as door:
        assert hall.ask("found", home="Home", anyway=True) == {"name": "Home", "node": "Hall"}
        paired = hall.pair(door)
        assert (paired["name"], paired["role"], paired["home"]) == ("Street", "door", "Home")
        hall.ready("Hall", "Street")
        door.ready("Hall", "Street")
        assert [row["by"] for row in hall.ask("members")] == ["Hall", "Hall"]
        assert {finding["level"] for finding in hall.ask("doctor")} == {"ok"}
        for verb, args in ADMITTING.items():
            with pytest.raises(Refused, match="a door may not") as caught:
                door.ask(verb, **args)
            assert caught.value.hint == "do it on: Hall"

        assert hall.ask("rename", member="street", name="Gate") == {"was": "Street", "name": "Gate", "id": paired["id"]}
        door.until(lambda seen: seen["node"]["name"] == "Gate")

        assert hall.ask("revoke", member="Gate")["told"] == 0
        assert door.until(lambda seen: seen["node"]["state"] == "revoked")["attention"]
        door.expect("this node was revoked")
        with pytest.raises(Refused, match="was revoked"):
            door.ask("pair", id="x", code="x")
        door.stop()
        with node(tmp_path / "door", "Street", "door") as again:
            again.expect("this node was revoked; to join again")
    assert "Street (door) is in" in hall.log
    assert "Traceback" not in hall.log + door.log


def test_what_is_asked_wrongly_is_named(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall:
        with pytest.raises(UserError, match="in no home"):
            hall.ask("revoke", member="x")
        assert hall.ask("members") == []
        for home in ("", " x", "x" * 65, "a\nb"):
            with pytest.raises(UserError, match="name"):
                hall.ask("found", home=home, anyway=True)
        hall.ask("found", home="Home", anyway=True)
        with pytest.raises(Refused, match="already in Home"):
            hall.ask("found", home="Home", anyway=True)
        with pytest.raises(NotFound, match="no newcomer abcd is in reach"):
            hall.ask("pair", id="abcd", code="12345678")
        with pytest.raises(NotFound, match="no member is called"):
            hall.ask("revoke", member="Kitchen")
        with pytest.raises(UserError, match="name is empty"):
            hall.ask("rename", member="Hall", name="")
        with pytest.raises(UserError, match="name is empty"):
            hall.ask("enrol", role="door", name="", lifetime=60)
        with pytest.raises(UserError, match="lifetime: a whole number is needed"):
            hall.ask("enrol", role="door", name="x", lifetime="7d")
        with pytest.raises(UserError, match="name: a string is needed"):
            hall.ask("rename", member="Hall", name=3)


def test_a_wrong_code_and_a_restart(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall, node(tmp_path / "kitchen", "Kitchen") as kitchen:
        hall.ask("found", home="Home", anyway=True)
        itself = kitchen.ask("status")["node"]
        hall.until(lambda seen: itself["id"] in {entry["id"] for entry in seen["newcomers"]})
        wrong = "0000-0000" if itself["pairing"]["code"] != "0000-0000" else "1111-1111"
        with pytest.raises(Refused, match="the code is wrong"):
            hall.ask("pair", id=itself["id"], code=wrong, name=None)
        assert hall.pair(kitchen, "Bath")["name"] == "Bath"
        hall.ready("Bath", "Hall")
        kitchen.process.kill()
        kitchen.wait()
        hall.until(lambda seen: any(row["state"] == "unreachable" for row in seen["members"]))
        with node(tmp_path / "kitchen", "Kitchen") as again:
            again.ready("Bath", "Hall")
            assert again.ask("status")["node"]["name"] == "Bath"


def test_a_newcomer_whose_power_failed_while_it_was_paired(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall:
        hall.ask("found", home="Home", anyway=True)
        with node(tmp_path / "kitchen", "Kitchen") as kitchen:
            hall.pair(kitchen)
            hall.ready("Hall", "Kitchen")
            kitchen.process.kill()
        (tmp_path / "kitchen" / "roster").unlink()
        with node(tmp_path / "kitchen", "Kitchen") as again:
            hall.pair(again)
            hall.ready("Hall", "Kitchen")
        assert len(hall.ask("members")) == 2


def test_an_enrolment_file(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall:
        hall.ask("found", home="Home", anyway=True)
        written = hall.ask("enrol", role="door", name="Street", lifetime=3600)["file"]
        state = tmp_path / "door"
        state.mkdir(mode=0o700)
        (state / "meshdoor.enrol").write_text(written)
        with node(state, "x"):
            hall.ready("Hall", "Street")
            assert not (state / "meshdoor.enrol").exists()
        thief = tmp_path / "thief.enrol"
        thief.write_text(written)
        with node(tmp_path / "thief", "x", "screen", "--enrol", str(thief)) as other:
            other.expect("a file that another device has used is good no more")
            assert other.ask("status")["home"] is None
    hall.expect("its enrolment has been used")


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "No such file"), ("garbage", "format is not that of a Meshdoor enrolment")],
)
def test_an_enrolment_file_that_was_named_must_be_good(tmp_path: Path, content: str | None, text: str) -> None:
    file = tmp_path / "x.enrol"
    if content is not None:
        file.write_text(content)
    ended = Node(tmp_path / "x", "--enrol", str(file))
    assert ended.wait() == 2
    assert text in ended.log
    assert "Traceback" not in ended.log


def test_a_bad_file_that_was_found_is_told_of_and_the_node_goes_on(tmp_path: Path) -> None:
    state = tmp_path / "x"
    state.mkdir(mode=0o700)
    (state / "meshdoor.enrol").write_text("garbage")
    with node(state, "x") as running:
        running.expect("format is not that of a Meshdoor enrolment; write a new one")
        assert running.ask("status")["node"]["pairing"]


def test_one_directory_is_for_one_node(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall"):
        second = Node(tmp_path / "hall")
        assert second.wait() == 2
    assert "another node runs in" in second.log


def test_a_taken_port_is_told_of_and_another_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with node(tmp_path / "hall", "Hall", "screen", "--port", str(port)) as hall:
            assert hall.ask("status")["node"]["port"] != port
            findings = hall.ask("doctor")
    assert f"port {port} is taken by another program" in str(findings)
    assert "using another" in hall.log


def test_modes_that_are_too_open_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hall").mkdir(mode=0o755)
    refused = Node(tmp_path / "hall")
    assert refused.wait() == 2
    assert f"chmod 700 {tmp_path / 'hall'}" in refused.log


def test_damaged_files_are_told_of(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall") as hall:
        hall.ask("found", home="Home", anyway=True)
    with (tmp_path / "hall" / "roster").open("ab") as roster:
        roster.write(b"garbage")
    (tmp_path / "hall" / "peers.json").write_text("garbage")
    with node(tmp_path / "hall", "Hall") as again:
        assert again.ask("status")["home"]["name"] == "Home"
    assert "the roster file is damaged" in again.log
    assert "peers.json is damaged" in again.log


def test_systemd_hears_of_the_start_of_life_and_of_the_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with node(tmp_path / "hall", "Hall", "screen", **environment) as hall:
            heard = [manager.recv(200) for _ in range(4)]
            began = time.monotonic()
            code, took = hall.stop()
            while (last := manager.recv(200)) == b"WATCHDOG=1":
                assert time.monotonic() - began < 20
    assert b"READY=1\nSTATUS=Hall (screen) of no home yet" in heard
    assert heard.count(b"WATCHDOG=1") >= 2
    assert last == b"STOPPING=1"
    assert code == 0
    print(f"\nSIGTERM to the end: {took:.2f} s, goal 2 s")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_goodbye(tmp_path: Path, number: int) -> None:
    with node(tmp_path / "hall", "Hall") as hall, node(tmp_path / "kitchen", "Kitchen") as kitchen:
        hall.ask("found", home="Home", anyway=True)
        hall.pair(kitchen)
        hall.ready("Hall", "Kitchen")
        kitchen.process.send_signal(number)
        assert kitchen.wait() == 0
        hall.until(lambda seen: any(row["state"] == "unreachable" for row in seen["members"]))
        hall.expect("Kitchen is gone")
    assert kitchen.log.endswith("stopped    this node has stopped\n")


def test_at_a_terminal_a_home_is_offered(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with ended(Node(tmp_path / "hall", "--name", "Hall", "--role", "screen", stdin=theirs)) as hall:
            hall.until(lambda seen: seen["node"]["pairing"])
            if _offered(hall):
                os.write(ours, b"\n" + b"x" * 65 + b"\n")
                hall.expect("That is no name for a home: name: longer than 64 characters")
                os.write(ours, b"My home\n")
                hall.until(lambda seen: seen["home"] and seen["home"]["name"] == "My home")
            assert hall.stop()[0] == 0
    finally:
        os.close(ours)
        os.close(theirs)


def _offered(hall: Node) -> bool:
    """False where other homes are in reach: those of other runs of the tests on this machine."""
    time.sleep(3.5)
    return "There is no home in reach" in hall.log


def test_the_log_for_programs(tmp_path: Path) -> None:
    with node(tmp_path / "hall", "Hall", "screen", "--log", "json") as hall:
        pass
    assert '"event": "ready"' in hall.log
    assert '"event": "stopped"' in hall.log
