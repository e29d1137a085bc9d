"""The ledger: what is kept, what replaces what, what others are told, what makes room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshdoor.calls.fork import Outcome
from meshdoor.calls.records import OpeningRecord, PressRecord
from meshdoor.calls.sync import PAGE, Item, Stored
from meshdoor.store.ledgerfile import MAX_AGE, NOBODY, STALE, Bounds, LedgerFile
from tests.calls.ledgers import HALL, opening, press

NOW = 2000.0
JPEG = b"\xff\xd8\xff" + bytes(1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[LedgerFile]:
    ledger = LedgerFile(path)
    yield ledger
    ledger.close()


def put(ledger: LedgerFile, *entries: PressRecord | OpeningRecord, seen: bool = False, now: float = NOW) -> list[bool]:
    return [ledger.put(Stored(entry, seen), now=now) for entry in entries]


def test_what_was_put_is_there_again(ledger: LedgerFile, path: Path) -> None:
    put(ledger, press(1), press(2, at=1001.0), opening(1, of=1), opening(2))
    ledger.close()
    again = LedgerFile(path)
    assert [stored.entry for stored in again.newest(9)] == [opening(2), press(2, at=1001.0), press(1)]
    assert again.openings_of(press(1).id) == [opening(1, of=1)]
    assert again.damage == ""
    again.close()


def test_a_later_revision_replaces_an_earlier_one(ledger: LedgerFile) -> None:
    begun = press(1, Outcome.RINGING, revision=1, branches=())
    assert put(ledger, begun, press(1), begun, press(1)) == [True, True, False, False]
    assert [stored.entry for stored in ledger.newest(9)] == [press(1)]


def test_nobody_replaces_the_press_of_another_door(ledger: LedgerFile) -> None:
    put(ledger, press(1))
    assert put(ledger, press(1, door=HALL.hex(), revision=9), replace(opening(), id=press(1).id)) == [False, False]
    assert ledger.newest(1)[0].entry == press(1)


def test_seen_is_seen_for_good(ledger: LedgerFile) -> None:
    begun = press(1, Outcome.RINGING, revision=1)
    put(ledger, begun)
    assert put(ledger, begun, begun, seen=True) == [True, False]
    assert put(ledger, press(1)) == [True]
    assert ledger.newest(1)[0].seen
    assert ledger.mark_seen([press(1).id], NOW) == []


def test_visits_page_by_page(ledger: LedgerFile) -> None:
    put(ledger, press(1), press(2), press(3, at=1001.0), opening(1, of=1))
    first = [stored.entry.id for stored in ledger.visits(2, "")]
    assert first == [press(3).id, press(2).id]
    assert [stored.entry.id for stored in ledger.visits(2, first[-1])] == [press(1).id]
    assert ledger.visits(2, press(1).id) == ledger.visits(2, "f" * 16) == []


def test_which_visitors_have_a_picture(ledger: LedgerFile) -> None:
    put(ledger, press(1), press(2, at=1001.0), press(3, at=1002.0, door=HALL.hex()), press(4, at=1003.0))
    for number in (3, 2, 1):
        ledger.put_picture(press(number).id, JPEG)
    assert ledger.pictured([press(1).id, press(4).id]) == {press(1).id}
    assert ledger.last_pictures() == {press(1).door: press(2).id, HALL.hex(): press(3).id}


def test_missed_visitors_until_somebody_has_seen_them(ledger: LedgerFile) -> None:
    answered = press(3, Outcome.ANSWERED)
    put(ledger, press(1), press(2, at=1001.0), answered)
    assert [stored.entry.id for stored in ledger.unseen(9, NOW)] == [press(2).id, press(1).id]
    assert ledger.mark_seen([press(2).id, "f" * 16], NOW) == [press(2).id]
    assert ledger.mark_seen([answered.id], NOW) == [answered.id]
    assert ledger.mark_seen(None, NOW) == [press(1).id]
    assert ledger.mark_seen(None, NOW) == []
    assert ledger.unseen(9, NOW) == []


def test_a_press_that_rings_is_not_missed_yet_and_one_whose_door_died_is(ledger: LedgerFile) -> None:
    put(ledger, press(1, Outcome.RINGING, at=NOW, revision=1))
    assert ledger.unseen(9, NOW + STALE) == []
    assert ledger.mark_seen(None, NOW + STALE) == []
    assert len(ledger.unseen(9, NOW + STALE + 1)) == 1


def test_a_clock_that_is_ahead(ledger: LedgerFile) -> None:
    put(ledger, press(1, at=NOW + 1e9))
    assert ledger.newest(1)[0].entry.at == NOW


def test_find_by_the_beginning_of_an_id(ledger: LedgerFile) -> None:
    put(ledger, press(0xA1), press(0xA2), opening(1))
    assert ledger.find(press(0xA1).id) == [press(0xA1).id]
    assert ledger.find("00") == [press(0xA1).id, press(0xA2).id]
    assert ledger.find("%") == []


def test_others_learn_what_changed_page_by_page(ledger: LedgerFile) -> None:
    count = PAGE + 3
    put(ledger, *(press(number) for number in range(count)))
    items, last, more = ledger.since(0)
    assert (len(items), last, more) == (PAGE, PAGE, True)
    items, last, more = ledger.since(last)
    assert (len(items), last, more) == (3, count, False)
    assert items[-1] == Item(press(count - 1).id, 2, False)
    assert ledger.since(last) == ((), count, False)
    ledger.mark_seen([press(0).id], NOW)
    assert ledger.since(last) == ((Item(press(0).id, 2, True),), count + 1, False)


def test_a_cursor_from_a_future_that_never_was(ledger: LedgerFile) -> None:
    assert ledger.since(99) == ((), 0, False)


def test_what_is_lacking(ledger: LedgerFile) -> None:
    put(ledger, press(1), opening(1))
    known = [Item(press(1).id, 2, True), Item(opening(1).id, 0, False)]
    assert ledger.lacking([*known, Item(press(2).id, 0, False), Item(press(1).id, 3, False)]) == [
        press(2).id,
        press(1).id,
    ]
    assert ledger.entries([press(1).id, press(2).id]) == [Stored(press(1), False)]


def test_cursors_and_the_name_of_the_ledger(ledger: LedgerFile, path: Path) -> None:
    assert ledger.cursor(HALL) == (NOBODY, 0)
    ledger.set_cursor(HALL, "e" * 16, 7)
    ledger.set_cursor(HALL, "e" * 16, 7)
    epoch = ledger.epoch
    ledger.close()
    again = LedgerFile(path)
    assert (again.epoch, again.cursor(HALL)) == (epoch, ("e" * 16, 7))
    again.close()
    path.unlink()
    fresh = LedgerFile(path)
    assert fresh.epoch != epoch
    fresh.close()


def test_a_picture_belongs_to_a_press(ledger: LedgerFile) -> None:
    put(ledger, press(1), opening(1))
    assert not ledger.put_picture(press(2).id, JPEG)
    assert not ledger.put_picture(opening(1).id, JPEG)
    assert ledger.put_picture(press(1).id, JPEG)
    assert ledger.put_picture(press(1).id, b"another")
    assert ledger.picture(press(1).id) == JPEG
    assert ledger.picture(press(2).id) == b""


def test_what_is_old_goes_and_does_not_come_back(ledger: LedgerFile) -> None:
    put(ledger, press(1))
    ledger.put_picture(press(1).id, JPEG)
    later = NOW + MAX_AGE
    put(ledger, press(2, at=later), now=later)
    assert [stored.entry.id for stored in ledger.newest(9)] == [press(2).id]
    assert ledger.picture(press(1).id) == b""
    assert put(ledger, press(1), now=later) == [False]


def test_no_more_entries_than_the_bound(path: Path) -> None:
    ledger = LedgerFile(path, Bounds(entries=5))
    put(ledger, *(press(number, at=1000.0 + number) for number in range(9)))
    assert [int(stored.entry.id, 16) for stored in ledger.newest(99)] == [8, 7, 6, 5, 4]
    ledger.close()


def test_no_more_bytes_than_the_bound(path: Path) -> None:
    ledger = LedgerFile(path, Bounds(bodies=3000, pictures=2500))
    for number in range(9):
        put(ledger, press(number, at=1000.0 + number))
        ledger.put_picture(press(number).id, JPEG)
    kept = [int(stored.entry.id, 16) for stored in ledger.newest(99)]
    assert kept == list(range(8, 8 - len(kept), -1))
    assert 2 <= len(kept) <= 6
    assert [number for number in range(9) if ledger.picture(press(number).id)] == [7, 8]
    ledger.close()


def test_a_thousand_presses_leave_a_small_file(path: Path) -> None:
    ledger = LedgerFile(path, Bounds(entries=50))
    put(ledger, *(press(number, at=1000.0 + number) for number in range(1000)))
    ledger.close()
    assert path.stat().st_size < 300_000


Change = tuple[int, int, bool]  # number of the press, revision, seen
CHANGES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.booleans()), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES, CHANGES, st.lists(st.integers(0, 1), max_size=6))
def test_two_screens_that_exchange_what_they_lack_end_the_same(
    tmp_path: Path, one: list[Change], other: list[Change], order: list[int]
) -> None:
    """The rule that decides is the same on both, whatever came first."""
    ledgers = []
    for name, changes in (("one", one), ("other", other)):
        path = tmp_path / name
        for file in tmp_path.glob(f"{name}*"):
            file.unlink()
        ledgers.append(LedgerFile(path))
        for number, revision, seen in changes:
            entry = press(number, list(Outcome)[revision], revision=revision)  # the door says one thing a revision
            ledgers[-1].put(Stored(entry, seen), now=NOW)
    for source in [*order, 0, 1]:
        items = ledgers[source].since(0)[0]
        target = ledgers[1 - source]
        for stored in ledgers[source].entries([item.id for item in items]):
            target.put(stored, now=NOW)
    contents = [{stored.entry.id: stored for stored in ledger.newest(99)} for ledger in ledgers]
    for ledger in ledgers:
        ledger.close()
    assert contents[0] == contents[1]
