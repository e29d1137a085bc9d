"""What the control socket answers about the history."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshdoor.calls.fork import Outcome
from meshdoor.calls.records import OpeningRecord
from meshdoor.calls.sync import Stored
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node import recall
from meshdoor.node.recall import HistoryVerbs
from meshdoor.store.ledgerfile import STALE, LedgerFile
from meshdoor.trust.permissions import Role
from tests.calls.ledgers import press
from tests.calls.people import member
from tests.fakes.screens import PICTURE, FakeHouse, Screen, screen

DOOR, KITCHEN, LOCK = member("Front", Role.DOOR), member("Kitchen"), member("Gate", Role.LOCK)
EVERYONE = (DOOR, KITCHEN, LOCK)
NOW = round(time.time() - 900.0, 3)  # other tests may take so long before these


def a_press(number: int, outcome: Outcome, at: float = NOW) -> Stored:
    """A press of our door, whose first branch is our kitchen and whose second has left the home."""
    kitchen, hall = press(outcome=outcome).branches
    branches = (replace(kitchen, peer=KITCHEN.key.hex(), name="Old name"), hall)
    answered = KITCHEN.key.hex() if outcome is Outcome.ANSWERED else None
    record = press(number, outcome, at, door=DOOR.key.hex(), branches=branches, answered=answered)
    return Stored(record, False)


def an_opening(number: int, of: str = "") -> Stored:
    key = LOCK.key.hex()
    opening = OpeningRecord(f"{number:032x}", of, NOW, key, "", KITCHEN.key.hex(), "", "opened")
    return Stored(opening, False)


@pytest.fixture
async def kitchen(tmp_path: Path) -> AsyncIterator[Screen]:
    async with screen(KITCHEN, EVERYONE, tmp_path / "kitchen") as made:
        yield made


async def ask(where: Screen, verb: str, **args: Any) -> Any:
    table = HistoryVerbs(where.node.house, where.history).table()
    return await table[verb](args, lambda event: None)


async def put(where: Screen, *entries: Stored) -> None:
    await where.ledger.run(LedgerFile.put, *entries, now=time.time())


async def test_the_whole_document(kitchen: Screen) -> None:
    answered = a_press(1, Outcome.ANSWERED)
    await put(kitchen, answered, an_opening(1, answered.entry.id), an_opening(2))
    document = await ask(kitchen, "history")
    opening = {"at": NOW, "lock": "Gate", "who": "Kitchen", "result": "opened"}
    branches = document["presses"][0].pop("branches")
    assert document == {
        "schema": 1,
        "presses": [
            {
                "id": answered.entry.id,
                "at": NOW,
                "door": "Front",
                "outcome": "answered",
                "answered_by": "Kitchen",
                "handed_over_to": [],
                "missed": False,
                "seen": False,
                "openings": [{"id": f"{1:032x}"} | opening],
            }
        ],
        "openings": [{"id": f"{2:032x}"} | opening],
        "more": False,
    }
    assert branches[0] == {
        "name": "Kitchen",
        "asked_ms": 0,
        "provisional_ms": 3,
        "early_ms": 5,
        "first_packet_ms": 41,
        "first_picture_ms": 90,
        "answered_ms": 4200,
        "ended_ms": 9000,
        "why": "answered",
        "dropped": 2,
    }
    assert branches[1]["name"] == "Hall"


async def test_a_press_whose_door_died(kitchen: Screen) -> None:
    now = round(time.time(), 3)  # others came before, and took their time
    await put(kitchen, a_press(1, Outcome.RINGING, now), a_press(2, Outcome.RINGING, now - STALE - 60))
    rows = (await ask(kitchen, "history"))["presses"]
    assert [(row["outcome"], row["missed"]) for row in rows] == [("ringing", False), ("interrupted", True)]


async def test_missed_and_seen(kitchen: Screen) -> None:
    missed = [a_press(number, Outcome.MISSED, NOW - number) for number in range(3)]
    await put(kitchen, *missed, a_press(9, Outcome.ANSWERED))
    assert len((await ask(kitchen, "history", missed=True, limit=2))["presses"]) == 2
    assert await ask(kitchen, "seen", which=missed[0].entry.id) == {"seen": [missed[0].entry.id]}
    assert len((await ask(kitchen, "seen", which="all"))["seen"]) == 2
    assert (await ask(kitchen, "history", missed=True))["presses"] == []


async def test_a_picture(kitchen: Screen) -> None:
    await put(kitchen, a_press(1, Outcome.MISSED), a_press(2, Outcome.MISSED))
    first = a_press(1, Outcome.MISSED).entry.id
    await kitchen.ledger.run(LedgerFile.put_picture, first, PICTURE)
    assert base64.b64decode((await ask(kitchen, "snapshot", id=first))["data"]) == PICTURE
    with pytest.raises(NotFound, match="no picture"):
        await ask(kitchen, "snapshot", id=a_press(2, Outcome.MISSED).entry.id)


async def test_an_answer_fits_into_a_line(kitchen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MAX_ANSWER", 2000)
    await put(kitchen, *(a_press(number, Outcome.MISSED) for number in range(9)))
    document = await ask(kitchen, "history")
    assert 1 <= len(document["presses"]) < 9
    assert document["more"]


@pytest.mark.parametrize("limit", [-1, 1001])
async def test_a_limit_that_cannot_be(kitchen: Screen, limit: int) -> None:
    with pytest.raises(UserError, match="limit"):
        await ask(kitchen, "history", limit=limit)


async def test_a_door_keeps_no_history() -> None:
    table = HistoryVerbs(FakeHouse(DOOR, EVERYONE).house, None).table()
    with pytest.raises(Refused, match="a door keeps no history"):
        await table["history"]({}, lambda event: None)
