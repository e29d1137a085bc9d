"""Doors report, screens remember, and all screens end up with the same history."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshdoor.calls.commands import Record
from meshdoor.calls.fork import Fork, Outcome
from meshdoor.calls.parts import notes_of
from meshdoor.calls.records import OpeningRecord, PressRecord
from meshdoor.calls.sync import Ask, Entries, Message, Picture, Seen, Stored
from meshdoor.errors import NotFound, StateError
from meshdoor.node import reporting, sharing
from meshdoor.node.lock import Audit
from meshdoor.node.press import Press
from meshdoor.node.reporting import Reporting, StationReports, opening_of, tell_opening
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.trust.grants import Result
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Roster
from tests.calls.ledgers import press
from tests.calls.people import member
from tests.fakes.screens import PICTURE, FakeHouse, Screen, cut, join, screen
from tests.patience import PATIENCE

DOOR, LOCK = replace(member("Front", Role.DOOR), certificate=b"DER"), member("Gate", Role.LOCK)
STATION = member("Yard", Role.DOOR)  # which has no links
KITCHEN, HALL, ATTIC = member("Kitchen"), member("Hall"), member("Attic")
GUEST = member("Guest", Role.SCREEN, Permission.VIEW)
EVERYONE = (DOOR, STATION, LOCK, KITCHEN, HALL, ATTIC, GUEST)



@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PACE", 0.01)
    monkeypatch.setattr(sharing, "RETRY", 0.3)
    monkeypatch.setattr(reporting, "SETTLING", 0.01)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Screen, Screen]]:
    """Kitchen and hall, not linked yet."""
    async with AsyncExitStack() as stack:
        kitchen = await stack.enter_async_context(screen(KITCHEN, EVERYONE, tmp_path / "kitchen"))
        hall = await stack.enter_async_context(screen(HALL, EVERYONE, tmp_path / "hall"))
        yield kitchen, hall


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.005)


async def logged(caplog: pytest.LogCaptureFixture, *texts: str) -> None:
    """Waits until all of them have been."""

    async def holds() -> bool:
        return all(text in caplog.text for text in texts)

    await until(holds)


def a_press(number: int = 1, **changes: Any) -> PressRecord:
    """A missed one of just now."""
    return replace(press(number, at=round(time.time(), 3)), door=DOOR.key.hex(), **changes)


async def put(where: Screen, *records: PressRecord) -> None:
    await where.ledger.run(LedgerFile.put, *(Stored(record, False) for record in records), now=time.time())


async def ids(where: Screen, *, missed: bool = False) -> set[str]:
    return {stored.entry.id for stored in await where.history.newest(1000, missed=missed)}


def say(sender: FakeHouse, target: Screen, message: Message) -> None:
    for note in notes_of("history", message.to_json(), "t"):
        sender.links.send_note(target.node.key, note)


async def rung(door: FakeHouse, reports: Reporting) -> str:
    """A press that the kitchen misses."""
    now = asyncio.get_running_loop().time()
    fork = Fork([KITCHEN.key], now)
    ring = Press("ab" * 8, now, fork)
    ring.steps.extend(command for command in iter(fork.next_command, None) if isinstance(command, Record))
    reports.begun(ring)
    reports.begun(ring)
    fork.hang_up(now + 1)
    fork.rejected(1, 487, now + 1)
    ring.steps.extend(command for command in iter(fork.next_command, None) if isinstance(command, Record))
    reports.over(ring)
    return ring.id


async def test_a_door_tells_the_screens_and_keeps_nothing(house: tuple[Screen, Screen]) -> None:
    door = FakeHouse(DOOR, EVERYONE)
    reports = Reporting(door.house)
    guest = FakeHouse(GUEST, EVERYONE)
    for node in (house[0].node, house[1].node, guest):
        join(door, node)
    identifier = await rung(door, reports)
    for each in house:
        await until(lambda each=each: _has(each, identifier, 2))  # type: ignore[misc]
    stored = (await house[0].history.newest(1))[0].entry
    assert isinstance(stored, PressRecord)
    assert (stored.outcome, stored.name) == (Outcome.CANCELLED, "Front")
    assert [(branch.name, branch.ended, branch.why) for branch in stored.branches] == [("Kitchen", 1000, "cancelled")]
    assert not reports._untold
    assert len(door.links.sent) == 4  # begun and over, to the two that may view


async def test_a_door_tells_at_once_who_answered(house: tuple[Screen, Screen]) -> None:
    door = FakeHouse(DOOR, EVERYONE)
    reports = Reporting(door.house)
    heard: list[tuple[bytes, dict[str, Any]]] = []
    house[0].node.notes.register("answered", lambda key, note: heard.append((key, note)))
    for node in (house[0].node, FakeHouse(LOCK, EVERYONE)):
        join(door, node)
    now = asyncio.get_running_loop().time()
    reports.answered(Press("ab" * 8, now, Fork([KITCHEN.key], now)), KITCHEN.key)
    await asyncio.sleep(0.01)
    note = {"about": "answered", "press": "ab" * 8, "by": KITCHEN.key.hex()}
    assert heard == [(DOOR.key, note)]
    assert door.links.sent == [note]


async def _has(where: Screen, identifier: str, revision: int) -> bool:
    stored = await where.ledger.run(LedgerFile.entries, [identifier])
    return any(isinstance(each.entry, PressRecord) and each.entry.revision == revision for each in stored)


async def test_what_a_door_could_tell_nobody_it_tells_the_next_screen(house: tuple[Screen, Screen]) -> None:
    door = FakeHouse(DOOR, EVERYONE)
    reports = Reporting(door.house)
    identifier = await rung(door, reports)
    await asyncio.sleep(0.05)
    join(door, house[0].node)
    await until(lambda: _has(house[0], identifier, 2))
    assert not reports._untold


async def test_a_screen_that_the_door_cannot_reach_hears_of_it_from_another(house: tuple[Screen, Screen]) -> None:
    door = FakeHouse(DOOR, EVERYONE)
    reports = Reporting(door.house)
    join(house[0].node, house[1].node)
    await asyncio.sleep(0.05)
    join(door, house[0].node)
    identifier = await rung(door, reports)
    await until(lambda: _has(house[1], identifier, 2))


async def test_a_screen_that_was_away_catches_up(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    records = [a_press(number) for number in range(150)]
    await put(kitchen, *records)
    await put(hall, *records[:3], a_press(999))
    join(kitchen.node, hall.node)
    everything = {record.id for record in records} | {a_press(999).id}
    for each in house:
        await until(lambda each=each: _holds(each, everything))  # type: ignore[misc]
    assert hall.changes
    before = len(kitchen.node.links.sent)
    cut(kitchen.node, hall.node)
    join(kitchen.node, hall.node)
    await asyncio.sleep(0.05)
    said = kitchen.node.links.sent[before:]
    assert not any("entries" in note.get("say", {}) for note in said)


async def _holds(where: Screen, wanted: set[str]) -> bool:
    return await ids(where) == wanted


async def test_large_entries_come_in_parts(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    branches = press().branches * 100
    records = [a_press(number, branches=branches) for number in range(8)]
    await put(kitchen, *records)
    join(kitchen.node, hall.node)
    await until(lambda: _holds(hall, {record.id for record in records}))


async def test_a_screen_that_is_still_starting_is_asked_again(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    await put(kitchen, a_press())
    kitchen.node.settled = hall.node.settled = False
    join(kitchen.node, hall.node)
    await asyncio.sleep(0.05)
    assert await ids(hall) == set()
    hall.node.settled = True
    await asyncio.sleep(0.1)
    kitchen.node.settled = True
    await until(lambda: _holds(hall, {a_press().id}))


async def test_seen_on_one_is_seen_on_all_also_after_a_partition(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    for each in house:
        await put(each, a_press(1), a_press(2))
    join(kitchen.node, hall.node)
    await asyncio.sleep(0.02)
    assert await kitchen.history.mark_seen(a_press(1).id) == [a_press(1).id]
    await until(lambda: _misses(hall, {a_press(2).id}))
    cut(kitchen.node, hall.node)
    assert await hall.history.mark_seen("all") == [a_press(2).id]
    assert await ids(kitchen, missed=True) == {a_press(2).id}
    join(kitchen.node, hall.node)
    await until(lambda: _misses(kitchen, set()))
    assert await kitchen.history.mark_seen("all") == []


async def _misses(where: Screen, wanted: set[str]) -> bool:
    return await ids(where, missed=True) == wanted


async def test_an_opening_is_told(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    join(kitchen.node, hall.node)
    await asyncio.sleep(0.02)
    opening = OpeningRecord("c" * 32, "", time.time(), LOCK.key.hex(), "Gate", KITCHEN.key.hex(), "Kitchen", "opened")
    await kitchen.history.opened(opening)
    await until(lambda: _holds(hall, {opening.id}))
    lock = FakeHouse(LOCK, EVERYONE)
    join(lock, hall.node)
    audit = Audit(time.time(), LOCK.key, KITCHEN.key, "Kitchen", "Ana", Result.OPENED, simulated=True)
    told = opening_of(audit, "Gate", "e" * 16)
    assert (told.who_name, told.result) == ("Ana", f"{Result.OPENED} (simulated)")
    tell_opening(lock.house, told)
    await until(lambda: _has_opening(hall, told))


async def _has_opening(where: Screen, opening: OpeningRecord) -> bool:
    return await where.history.openings_of(opening.press) == [opening]


async def test_pictures_are_kept_of_missed_visitors_alone(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    door = FakeHouse(DOOR, EVERYONE)
    join(door, kitchen.node)
    join(kitchen.node, hall.node)
    missed, answered = a_press(1), a_press(2, outcome=Outcome.ANSWERED)
    for record in (missed, answered):
        await kitchen.history.snap(record.id, "visit-1", DOOR.key)
        message = {"press": record.to_json(), "age": 0.0, "told": [KITCHEN.key.hex()]}
        door.links.send_note(KITCHEN.key, {"about": "press", "say": message})
    await until(lambda: _has(kitchen, answered.id, 2))
    assert await kitchen.history.picture(missed.id) == PICTURE
    assert await kitchen.history.picture(answered.id) == b""
    await until(lambda: _has(hall, missed.id, 2))
    assert await hall.history.picture(missed.id) == PICTURE
    cut(kitchen.node, hall.node)
    assert await hall.history.picture(missed.id) == PICTURE
    assert not list((kitchen.history._folder).glob("visitor-*"))


async def test_a_picture_of_a_press_that_nobody_finished_is_kept(
    house: tuple[Screen, Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshdoor.node.history.HOLD", 0.01)
    kitchen = house[0]
    await put(kitchen, a_press(1, outcome=Outcome.RINGING))
    await kitchen.history.snap(a_press(1).id, "visit-1", DOOR.key)
    await until(lambda: _pictured(kitchen, a_press(1).id))


async def _pictured(where: Screen, identifier: str) -> bool:
    return await where.ledger.run(LedgerFile.picture, identifier) == PICTURE


async def test_what_is_no_picture_and_too_many_pictures(house: tuple[Screen, Screen]) -> None:
    kitchen = house[0]
    await kitchen.history.snap("a" * 16, "visit-2", DOOR.key)
    assert kitchen.history._held == {}
    for number in range(12):
        await kitchen.history.snap(f"{number:016x}", "visit-1", DOOR.key)
    assert len(kitchen.history._held) == 8


async def test_a_screen_that_does_not_answer_is_passed_over(
    house: tuple[Screen, Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PICTURE_DEADLINE", 0.5)
    kitchen, hall = house
    join(kitchen.node, FakeHouse(ATTIC, EVERYONE))
    join(kitchen.node, hall.node)
    await put(kitchen, a_press(1))
    await put(hall, a_press(1))
    await hall.ledger.run(LedgerFile.put_picture, a_press(1).id, PICTURE)
    assert await kitchen.history.picture(a_press(1).id) == PICTURE


async def test_a_press_of_another_door_does_not_count(
    house: tuple[Screen, Screen], caplog: pytest.LogCaptureFixture
) -> None:
    kitchen = house[0]
    door, guest = FakeHouse(DOOR, EVERYONE), FakeHouse(GUEST, EVERYONE)
    join(door, kitchen.node)
    join(guest, kitchen.node)
    others = replace(a_press(), door=HALL.key.hex())
    with caplog.at_level(logging.WARNING):
        for sender, record in ((door, others), (guest, a_press()), (guest, replace(others, door=GUEST.key.hex()))):
            message = {"press": record.to_json(), "age": 0.0, "told": []}
            sender.links.send_note(KITCHEN.key, {"about": "press", "say": message})
        for wrong in ({"age": "old", "told": []}, {"age": 0.0, "told": 7}, {"age": 0.0, "told": ["k"]}):
            say_it = {"press": a_press().to_json()} | wrong
            door.links.send_note(KITCHEN.key, {"about": "press", "say": say_it})
        say(guest, kitchen, Seen(()))
        say(guest, kitchen, Ask(a_press().id))
        await logged(caplog, "a press of another door", "only screens that may view")
    assert await ids(kitchen) == set()


async def test_a_screen_tells_of_the_station_that_it_rings_for(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    join(kitchen.node, hall.node)
    reports = StationReports(kitchen.node.house)
    now = asyncio.get_running_loop().time()
    made = Press("feed" * 4, now, Fork([HALL.key], now))
    reports.begun(STATION.key, made)
    reports.answered(STATION.key, made, HALL.key)
    made.fork.handle_timer(now + 1000)
    reports.over(STATION.key, made)
    for each in house:
        await until(lambda each=each: _has(each, made.id, 2))  # type: ignore[misc]
        stored = (await each.history.newest(1))[0].entry
        assert isinstance(stored, PressRecord)
        assert (stored.door, stored.name, stored.outcome) == (STATION.key.hex(), "Yard", Outcome.MISSED)


async def test_what_nobody_asked_for_does_not_count(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    join(kitchen.node, hall.node)
    await asyncio.sleep(0.02)
    say(hall.node, kitchen, Entries((Stored(a_press(), False),)))
    say(hall.node, kitchen, Picture(a_press().id, PICTURE))
    await asyncio.sleep(0.05)
    assert await ids(kitchen) == set()


async def test_the_press_of_a_door_that_never_was_a_member(house: tuple[Screen, Screen]) -> None:
    kitchen, hall = house
    gone, foreign = replace(member("Old", Role.DOOR)), member("Foreign", Role.DOOR)
    for each in house:
        members = each.node.membership.roster.members
        each.node.membership.roster = Roster(members=members, revoked={gone.key: gone})
    await put(kitchen, replace(a_press(1), door=gone.key.hex()), replace(a_press(2), door=foreign.key.hex()))
    join(kitchen.node, hall.node)
    await until(lambda: _holds(hall, {a_press(1).id}))


async def test_a_door_whose_clock_is_wrong(house: tuple[Screen, Screen]) -> None:
    kitchen = house[0]
    door = FakeHouse(DOOR, EVERYONE)
    join(door, kitchen.node)
    for number, at in ((1, 17.0), (2, time.time() - 62)):
        message = {"press": a_press(number, at=at).to_json(), "age": 60.0, "told": []}
        door.links.send_note(KITCHEN.key, {"about": "press", "say": message})
    await until(lambda: _holds(kitchen, {a_press(1).id, a_press(2).id}))
    ages = [time.time() - stored.entry.at for stored in await kitchen.history.newest(9)]
    assert ages == pytest.approx([60.0, 62.0], abs=1.0)


async def test_more_comes_than_can_be_written(house: tuple[Screen, Screen], caplog: pytest.LogCaptureFixture) -> None:
    kitchen = house[0]
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            kitchen.history._later(_nothing)
    assert "more comes than can be written" in caplog.text
    await until(lambda: _empty(kitchen))


async def _nothing() -> None:
    """Work that is none."""


async def _empty(where: Screen) -> bool:
    return where.history._inbox.empty()


async def test_a_disk_that_is_full_stops_nothing(
    house: tuple[Screen, Screen], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen = house[0]
    door = FakeHouse(DOOR, EVERYONE)
    join(door, kitchen.node)

    def full(file: LedgerFile, *entries: Stored, now: float) -> bool:
        raise StateError("no space left")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(LedgerFile, "put", full)
        await _report(door, a_press(1))
        await logged(caplog, "no space left")
    await _report(door, a_press(2))
    await until(lambda: _holds(kitchen, {a_press(2).id}))


async def _report(door: FakeHouse, record: PressRecord) -> None:
    message = {"press": record.to_json(), "age": 0.0, "told": []}
    door.links.send_note(KITCHEN.key, {"about": "press", "say": message})


async def test_the_engine_cannot_take_a_picture(house: tuple[Screen, Screen], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await house[0].history.snap("a" * 16, "gone", DOOR.key)
    assert "no picture of the visitor: no such leg" in caplog.text


async def test_a_ledger_that_was_set_aside_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread((tmp_path / "ledger.db").write_bytes, b"rubbish" * 1000)
    with caplog.at_level(logging.WARNING):
        async with screen(KITCHEN, EVERYONE, tmp_path):
            await asyncio.sleep(0)
    assert "set aside" in caplog.text


async def test_find_a_press_by_the_beginning_of_its_id(house: tuple[Screen, Screen]) -> None:
    kitchen = house[0]
    await put(kitchen, a_press(1), a_press(2))
    assert await kitchen.history.find(a_press(1).id.upper()) == a_press(1).id
    for text in ("0000", "f", ""):
        with pytest.raises(NotFound):
            await kitchen.history.find(text)
