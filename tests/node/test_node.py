"""Nodes as processes that make a home: founding, pairing, revoking, enrolling, and coming back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused, UserError
from tests.node.processes import Node, node

pytestmark = [pytest.mark.multicast, pytest.mark.xdist_group("multicast")]  # one worker, one hall

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


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The founder of a home. What a test adds to the home has stopped when the test ends."""
    with node(tmp_path_factory.mktemp("home") / "hall", "Hall") as founder:
        founder.ask("found", home="Home", anyway=True)
        yield founder


def test_what_is_asked_wrongly_is_named(hall: Node) -> None:
    with pytest.raises(Refused, match="already in Home"):
        hall.ask("found", home="Home", anyway=True)
    with pytest.raises(NotFound, match="no newcomer abcd is in reach"):
        hall.ask("pair", id="abcd", code="12345678")
    with pytest.raises(NotFound, match="no member is called"):
        hall.ask("revoke", member="Nowhere")
    with pytest.raises(UserError, match="name is empty"):
        hall.ask("rename", member="Hall", name="")
    with pytest.raises(UserError, match="name is empty"):
        hall.ask("enrol", role="door", name="", lifetime=60)
    with pytest.raises(UserError, match="lifetime: a whole number is needed"):
        hall.ask("enrol", role="door", name="x", lifetime="7d")
    with pytest.raises(UserError, match="name: a string is needed"):
        hall.ask("rename", member="Hall", name=3)


def test_a_wrong_code_a_crash_with_damaged_files_and_one_while_it_was_paired(hall: Node, tmp_path: Path) -> None:
    state = tmp_path / "kitchen"
    with node(state, "Kitchen") as kitchen:
        itself = kitchen.ask("status")["node"]
        hall.until(lambda seen: itself["id"] in {entry["id"] for entry in seen["newcomers"]})
        wrong = "0000-0000" if itself["pairing"]["code"] != "0000-0000" else "1111-1111"
        with pytest.raises(Refused, match="the code is wrong"):
            hall.ask("pair", id=itself["id"], code=wrong, name=None)
        assert hall.pair(kitchen, "Bath")["name"] == "Bath"
        hall.ready("Bath", "Hall")
        _crash(kitchen)
        hall.until(lambda seen: _state(seen, "Bath") == "unreachable")
    with (state / "roster").open("ab") as roster:
        roster.write(b"garbage")
    (state / "peers.json").touch(0o600)
    (state / "peers.json").write_text("garbage")
    with node(state, "Kitchen") as again:
        again.ready("Bath", "Hall")
        assert again.ask("status")["node"]["name"] == "Bath"
        assert "the roster file is damaged" in again.log
        assert "peers.json is damaged" in again.log
        members = hall.ask("members")
        _crash(again)
    (state / "roster").unlink()
    with node(state, "Kitchen") as again:
        hall.pair(again)
        hall.ready("Bath", "Hall")
    assert hall.ask("members") == members


def _crash(crashing: Node) -> None:
    crashing.process.kill()
    crashing.wait()


def _state(seen: Json, name: str) -> Json:
    return next(row["state"] for row in seen["members"] if row["name"] == name)


def test_an_enrolment_file(hall: Node, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_goodbye(hall: Node, tmp_path: Path, number: signal.Signals) -> None:
    name = f"Room {number}"
    with node(tmp_path / "room", name) as room:
        hall.pair(room)
        hall.ready("Hall", name)
        room.process.send_signal(number)
        assert room.wait() == 0
        hall.until(lambda seen: _state(seen, name) == "unreachable")
        hall.expect(f"{name} is gone")
    assert room.log.endswith("stopped    this node has stopped\n")
