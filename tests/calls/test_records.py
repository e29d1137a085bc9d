"""What the ledger holds: what a fork wrote down, and what may come from others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.calls.commands import Ending, Record, Step
from meshdoor.calls.fork import Fork, Outcome
from meshdoor.calls.records import MAX_BRANCHES, OpeningRecord, PressRecord, hex_id, written_down
from meshdoor.errors import RemoteProtocolError
from tests.calls.ledgers import DOOR, HALL, KITCHEN, opening, press

NAMES = {KITCHEN: "Kitchen", HALL: "H" * 99}
HEAD = PressRecord("0" * 16, DOOR.hex(), "Front", 1000.0, 2, Outcome.ANSWERED)
ids = st.text("0123456789abcdef", min_size=16, max_size=32)
texts = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=64)


def steps_of(fork: Fork) -> list[Record]:
    commands = iter(fork.next_command, None)
    return [command for command in commands if isinstance(command, Record)]


def test_what_a_fork_wrote_down() -> None:
    fork = Fork([KITCHEN, HALL], 100.0)
    fork.early(1, 100.012)
    fork.first_packet(1, 100.05)
    fork.picture(1, 100.09)
    fork.provisional(2, 100.013)
    fork.answered(1, 104.2)
    fork.bye(1, 109.0)
    record = written_down(HEAD, steps_of(fork), 100.0, NAMES.__getitem__, {KITCHEN: 7})
    kitchen, hall = record.branches
    assert record.answered == KITCHEN.hex()
    assert (kitchen.provisional, kitchen.early, kitchen.packet, kitchen.picture) == (12, 12, 50, 90)
    assert (kitchen.answered, kitchen.ended, kitchen.why, kitchen.dropped) == (4200, 9000, "answered", 7)
    assert (hall.provisional, hall.ended, hall.why, hall.dropped) == (13, 4200, "answered elsewhere", 0)
    assert hall.name == "H" * 64


def test_a_press_that_was_handed_over_and_back() -> None:
    fork = Fork([KITCHEN], 0.0)
    fork.answered(1, 1.0)
    for taker, number, at in ((HALL, 2, 2.0), (KITCHEN, 3, 4.0)):
        fork.hand_over(taker, at)
        fork.answered(number, at + 1.0)
    fork.hand_over(HALL, 6.0)
    fork.rejected(4, 603, 7.0)
    fork.hang_up(8.0)
    record = written_down(HEAD, steps_of(fork), 0.0, NAMES.__getitem__, {})
    assert record.answered == KITCHEN.hex()
    assert record.taken_over == (HALL.hex(), KITCHEN.hex())
    assert [branch.why for branch in record.branches] == ["handed over", "handed over", "answered", "declined"]
    assert press(outcome=Outcome.ANSWERED).taken_over == press().taken_over == ()


def test_a_device_that_was_asked_twice_has_two_branches() -> None:
    fork = Fork([KITCHEN], 0.0)
    fork.peer_vanished(KITCHEN, 1.0)
    fork.peer_appeared(KITCHEN, 2.0)
    record = written_down(HEAD, steps_of(fork), 0.0, NAMES.__getitem__, {KITCHEN: 1})
    assert [(branch.asked, branch.why, branch.dropped) for branch in record.branches] == [
        (0, Ending.LOST, 0),
        (2000, "", 1),
    ]


def test_times_before_the_press_and_branches_without_end() -> None:
    steps = [Record(KITCHEN, Step.ASKED, 5.0)] * (MAX_BRANCHES + 1)
    record = written_down(HEAD, steps, 6.0, NAMES.__getitem__, {})
    assert {branch.asked for branch in record.branches} == {0}
    assert len(record.branches) == MAX_BRANCHES


@pytest.mark.parametrize("outcome", Outcome)
def test_what_counts_as_missed(outcome: Outcome) -> None:
    record = press(outcome=outcome)
    assert record.missed == (outcome in {"missed", "cancelled", "ringing"})
    assert record.finished == (outcome != "ringing")


@pytest.mark.parametrize("record", [press(), press(outcome=Outcome.ANSWERED), press(branches=())])
def test_a_press_survives_the_way(record: PressRecord) -> None:
    assert PressRecord.parse(json.loads(json.dumps(record.to_json()))) == record


@given(ids, ids, texts, st.floats(min_value=0, max_value=2**40))
def test_an_opening_survives_the_way(identifier: str, of: str, name: str, at: float) -> None:
    record = OpeningRecord(identifier, of, at, DOOR.hex(), name, HALL.hex(), name, "no")
    assert OpeningRecord.parse(json.loads(json.dumps(record.to_json()))) == record
    assert OpeningRecord.parse(opening().to_json()).press == ""


def test_what_a_later_version_says_is_passed_over() -> None:
    assert PressRecord.parse(press().to_json() | {"weather": "rain"}) == press()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "00"},
        {"id": "Z" * 16},
        {"id": 7},
        {"door": "ab"},
        {"door": None},
        {"door": "G" * 64},
        {"name": "x" * 65},
        {"name": "\x1b[2J"},
        {"name": 1},
        {"at": -1},
        {"at": float("nan")},
        {"at": float("inf")},
        {"at": 2.0**41},
        {"at": True},
        {"revision": 1.5},
        {"revision": -1},
        {"revision": 2**32},
        {"outcome": "eaten"},
        {"outcome": ["missed"]},
        {"answered": "me"},
        {"branches": None},
        {"branches": [1]},
        {"branches": [{}]},
        {"branches": [press().to_json()["branches"][0] | {"picture": "soon"}]},
        {"branches": [press().to_json()["branches"][0] | {"asked": None}]},
        {"branches": press().to_json()["branches"] * MAX_BRANCHES},
    ],
)
def test_what_is_no_press(change: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        PressRecord.parse(press().to_json() | change)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"id": "0" * 16}])
def test_what_is_no_record_at_all(document: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        OpeningRecord.parse(document)


def test_the_key_of_a_phone_may_be_longer() -> None:
    record = press(outcome=Outcome.ANSWERED, answered="02" + "ab" * 32)
    assert PressRecord.parse(record.to_json()) == record


def test_an_id_may_be_short_or_long() -> None:
    assert hex_id("a" * 16) + hex_id("b" * 32)
    with pytest.raises(RemoteProtocolError):
        hex_id("c" * 33)
