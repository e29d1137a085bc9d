"""Long messages over short notes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.calls.parts import MAX_MESSAGE, MAX_WHOLE, PART, Assembly, notes_of
from meshdoor.errors import LocalProtocolError, RemoteProtocolError
from meshdoor.mesh.frames import MAX_NOTE, write_object

ANA, BEN = b"ana", b"ben"
LONG = {"text": "x" * 40_000}


def received(assembly: Assembly, sender: bytes, notes: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    return [assembly.receive(sender, json.loads(json.dumps(note))) for note in notes]


def test_what_fits_travels_whole() -> None:
    assert notes_of("history", {"do": "seen"}, "t") == [{"about": "history", "say": {"do": "seen"}}]


@given(st.integers(min_value=0, max_value=MAX_MESSAGE - 20), st.sampled_from(["x", "ü", '"', "\x00"]))
def test_any_length_comes_whole_and_every_note_fits(length: int, character: str) -> None:
    message = {"text": character * (length // len(json.dumps(character)))}
    notes = notes_of("history", message, "0123456789abcdef")
    assert all(len(write_object(note)) <= MAX_NOTE for note in notes)
    *before, last = received(Assembly(), ANA, notes)
    assert last == message
    assert before == [None] * len(before)


def test_senders_do_not_mix() -> None:
    assembly = Assembly()
    for one, other in zip(notes_of("a", LONG, "1"), notes_of("a", LONG, "1"), strict=True):
        results = [assembly.receive(ANA, one), assembly.receive(BEN, other)]
    assert results == [LONG, LONG]


def test_a_new_message_puts_an_unfinished_one_aside() -> None:
    assembly = Assembly()
    received(assembly, ANA, notes_of("a", LONG, "1")[:2])
    assert received(assembly, ANA, notes_of("a", LONG, "2"))[-1] == LONG


def test_a_part_is_missing() -> None:
    for gap in (0, 1):
        notes = notes_of("a", LONG, "1")
        del notes[gap]
        with pytest.raises(RemoteProtocolError, match="without those before"):
            received(Assembly(), ANA, notes)


def test_the_link_goes_in_between() -> None:
    assembly = Assembly()
    notes = notes_of("a", LONG, "1")
    assembly.receive(ANA, notes[0])
    assembly.forget(ANA)
    assembly.forget(BEN)
    with pytest.raises(RemoteProtocolError):
        assembly.receive(ANA, notes[1])


def part(**changes: Any) -> dict[str, Any]:
    return {"about": "a", "token": "t", "part": 0, "of": 1, "data": "e30="} | changes


def test_a_part_of_one() -> None:
    assert Assembly().receive(ANA, part()) == {}


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"say": []},
        part(part=-1),
        part(part=1),
        part(of=0),
        part(of=10_000),
        part(data="*"),
        part(data="é"),
        part(data=""),
        part(data="A" * (PART * 2)),
        part(data="W10="),  # a list
        part(data="Ww=="),  # half a list
        part(data=None),
    ],
)
def test_what_is_no_part(note: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        Assembly().receive(ANA, note)


def test_what_is_too_long_to_be_sent() -> None:
    assert len(notes_of("a", {"t": "x" * MAX_WHOLE}, "t")) == 2
    with pytest.raises(LocalProtocolError):
        notes_of("a", {"t": "x" * MAX_MESSAGE}, "t")
