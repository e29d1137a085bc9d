"""Notes reach what they are about."""

from __future__ import annotations

import logging

import pytest

from meshdoor.errors import LocalProtocolError, RemoteProtocolError
from meshdoor.node.notes import PER_MEMBER, Note, NoteRouter

KEY = b"k" * 32


def router(*abouts: str, early: bool = False) -> tuple[NoteRouter, list[tuple[bytes, Note]]]:
    made, got = NoteRouter(), []

    def take(key: bytes, note: Note) -> None:
        got.append((key, note))

    for about in abouts:
        made.register(about, take, early)
    return made, got


async def test_a_note_goes_to_the_handler_of_what_it_is_about() -> None:
    made, got = router("grant")
    made.register("ledger", lambda key, note: pytest.fail("not this one"))
    made.received(KEY, "Kitchen", {"about": "grant"}, settled=True)
    assert got == [(KEY, {"about": "grant"})]


@pytest.mark.parametrize(("early", "count"), [(False, 0), (True, 1)])
async def test_before_the_roster_is_known_to_be_the_newest_only_early_ones_are_taken(early: bool, count: int) -> None:
    made, got = router("grant", early=early)
    made.received(KEY, "Kitchen", {"about": "grant"}, settled=False)
    assert len(got) == count


async def test_a_flood_is_cut_off_and_stays_that_members() -> None:
    made, got = router("grant")
    for _ in range(1000):
        made.received(KEY, "Kitchen", {"about": "grant"}, settled=True)
    assert PER_MEMBER[1] <= len(got) < 500
    before = len(got)
    made.received(b"other", "Hall", {"about": "grant"}, settled=True)
    assert len(got) == before + 1


@pytest.mark.parametrize("note", [{}, {"about": "nonsense\n"}, {"about": ["grant"]}, {"about": "wrong"}])
async def test_what_is_wrong_is_dropped_and_said_once(note: Note, caplog: pytest.LogCaptureFixture) -> None:
    made, got = router("grant")

    def refuse(key: bytes, note: Note) -> None:
        raise RemoteProtocolError("no")

    made.register("wrong", refuse)
    with caplog.at_level(logging.WARNING, "meshdoor"):
        made.received(KEY, "Kitchen", note, settled=True)
        made.received(KEY, "Kitchen", note, settled=True)
    assert (got, len(caplog.records)) == ([], 1)
    assert "Kitchen sent" in caplog.text


def test_two_handlers_of_one_thing_are_a_mistake() -> None:
    made, _ = router("grant")
    with pytest.raises(LocalProtocolError):
        made.register("grant", lambda key, note: None)
