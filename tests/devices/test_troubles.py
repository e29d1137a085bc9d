"""What people are told of."""

from __future__ import annotations

from typing import Any

import pytest

from meshdoor.devices.troubles import Kind, Trouble, Troubles, parse_note, to_note
from meshdoor.errors import RemoteProtocolError

GATE, HALL = b"g" * 32, b"h" * 32


def trouble(kind: Kind = Kind.LEFT_OPEN, *, on: bool = True, since: float = 1.0, key: bytes = GATE) -> Trouble:
    return Trouble(kind, key, "Gate", since, on)


def test_it_is_news_once() -> None:
    troubles = Troubles()
    assert troubles.report(trouble()) == trouble()
    assert troubles.report(trouble(since=9.0)) is None
    assert troubles.all() == (trouble(),)


def test_one_that_passes_is_over() -> None:
    troubles = Troubles()
    assert troubles.report(trouble(on=False)) is None
    troubles.report(trouble())
    assert troubles.report(trouble(on=False)) == trouble(on=False)
    assert troubles.all() == ()


def test_tampering_stays_until_a_person_has_seen_it() -> None:
    troubles = Troubles()
    troubles.report(trouble(Kind.TAMPER))
    assert troubles.clear() == 0, "it is still going on"
    troubles.report(trouble(Kind.TAMPER, on=False))
    assert troubles.report(trouble(Kind.TAMPER, on=False)) is None
    (kept,) = troubles.all()
    assert kept.text == "Gate was taken off its wall, and is back"
    assert troubles.clear() == 1
    assert troubles.all() == ()


def test_tampering_again_is_news() -> None:
    troubles = Troubles()
    for on in (True, False):
        troubles.report(trouble(Kind.TAMPER, on=on))
    assert troubles.report(trouble(Kind.TAMPER, since=5.0)) is not None
    assert troubles.all() == (trouble(Kind.TAMPER, since=5.0),)


def test_the_oldest_is_first_and_members_that_are_gone_are_none() -> None:
    troubles = Troubles()
    troubles.report(trouble(since=2.0))
    troubles.report(trouble(Kind.VANISHED, since=1.0, key=HALL))
    assert [each.key for each in troubles.all()] == [HALL, GATE]
    troubles.keep_only({GATE})
    assert [each.key for each in troubles.all()] == [GATE]


@pytest.mark.parametrize("kind", list(Kind))
def test_each_says_what_it_is_and_what_to_do(kind: Kind) -> None:
    assert "Gate" in trouble(kind).text
    assert trouble(kind).hint


@pytest.mark.parametrize("kind", [Kind.TAMPER, Kind.LEFT_OPEN, Kind.RELAY])
@pytest.mark.parametrize("on", [True, False])
def test_a_note_arrives_as_it_is(kind: Kind, on: bool) -> None:
    assert parse_note(to_note(kind, on)) == (kind, on)


@pytest.mark.parametrize(
    "note", [{}, {"kind": "vanished", "on": True}, {"kind": "fire", "on": True}, {"kind": ["tamper"], "on": True},
             {"kind": "tamper", "on": 1}]
)  # fmt: skip
def test_what_is_no_trouble_is_refused(note: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_note(note)
