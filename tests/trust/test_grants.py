"""Door-open grants on the wire, and the opener's side."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import GrantError, LocalProtocolError
from meshdoor.trust import grants, sealed
from meshdoor.trust.grants import (
    NO_NONCE,
    Ask,
    Challenge,
    Grant,
    GrantNote,
    Note,
    Receipt,
    ReceiptNote,
    Result,
    from_body,
    open_lock,
    parse,
    sign_grant,
    sign_receipt,
    to_body,
    to_note,
)
from meshdoor.trust.identity import Identity
from tests.trust.house import DEVICES, key

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "trust" / "grants.json").read_text())
HALL, LOCK = DEVICES["Hall"], DEVICES["Lock"]
HOME, ASK, NONCE = b"h" * 32, b"a" * 16, b"n" * 16
GRANT = Grant(HOME, LOCK.key, NONCE, HALL.key, "Grandmother", 5000)
RECEIPT = Receipt(HOME, LOCK.key, NONCE, HALL.key, "Grandmother", Result.OPENED, 1_800_000_000, simulated=True)
GRANTED = sign_grant(HALL, ASK, GRANT)
STEPS: list[grants.Step] = [
    Ask(ASK, HALL.key),
    Challenge(ASK, NONCE, 5000),
    GRANTED,
    sign_receipt(LOCK, ASK, RECEIPT),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_every_note_round_trips_also_in_a_message(step: grants.Step) -> None:
    note = to_note(step)
    assert note["about"] == "grant"
    assert parse(note) == step
    assert parse(from_body(to_body(note))) == step


@pytest.mark.parametrize("vector", VECTORS["notes"], ids=lambda vector: vector["note"]["step"])
def test_the_wire_form_does_not_drift(vector: dict[str, Any]) -> None:
    step = parse(vector["note"])
    assert to_note(step) == vector["note"]
    assert repr(signed(step)) == vector["means"]


def signed(step: grants.Step) -> object:
    match step:
        case GrantNote(grant=grant):
            return grant
        case ReceiptNote(receipt=receipt):
            return receipt
    return step


def test_only_two_results_mean_that_the_door_is_open() -> None:
    assert [result for result in Result if result.is_open] == [Result.OPENED, Result.ALREADY_OPEN]


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"step": "dance"}),
        (0, {"step": None}),
        (0, {"step": ["ask"]}),
        (0, {"ask": "aa"}),
        (0, {"ask": "A" * 32}),
        (0, {"ask": 7}),
        (0, {"opener": "00"}),
        (0, {"more": 1}),
        (1, {"within": 5001}),
        (1, {"within": -1}),
        (1, {"within": 5.0}),
        (1, {"within": True}),
        (2, {"grant": "?"}),
        (2, {"grant": None}),
        (2, {"grant": "A" * 5000}),
        (2, {"grant": ""}),
        (2, {"ask": ""}),
        (2, {"receipt": ""}),
        (3, {"receipt": "AAAA"}),
        (3, {"extra": ""}),
    ],
)
def test_what_breaks_a_rule_is_refused(number: int, change: Note) -> None:
    with pytest.raises(GrantError):
        parse(to_note(STEPS[number]) | change)


@pytest.mark.parametrize(
    "change",
    [
        {"person": "two\nlines"},
        {"person": "x" * 65},
        {"person": 5},
        {"result": "exploded"},
        {"result": []},
        {"at": -1},
        {"at": 2**60},
        {"simulated": 1},
        {"home": "00"},
        {"and": "more"},
    ],
)
def test_a_signature_does_not_make_nonsense_true(change: Note) -> None:
    body = json.dumps(sealed.write(RECEIPT) | change).encode()
    with pytest.raises(GrantError):
        parse(carrying(body))


def carrying(body: bytes, identity: Identity = LOCK, purpose: bytes = grants.RECEIPT_PURPOSE) -> Note:
    carried = identity.sign(purpose + body) + body
    return {"step": "receipt", "ask": ASK.hex(), "receipt": sealed.write_sealed(carried)}


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 900, b" " * 1100])
def test_a_body_that_is_no_small_object_is_refused(body: bytes) -> None:
    with pytest.raises(GrantError):
        parse(carrying(body))


def test_a_message_is_bounded() -> None:
    with pytest.raises(GrantError):
        from_body(b'{"a":"' + b"x" * 5000 + b'"}')


def test_a_signature_of_another_key_or_for_another_purpose_does_not_count() -> None:
    body = json.dumps(sealed.write(RECEIPT)).encode()
    assert parse(carrying(body))
    with pytest.raises(GrantError):
        parse(carrying(body, HALL))
    with pytest.raises(GrantError):
        parse(carrying(body, LOCK, grants.GRANT_PURPOSE))


@given(st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_no_bit_of_a_grant_can_be_changed(place: int, octet: int) -> None:
    carried = bytearray(GRANTED.carried)
    place %= len(carried)
    if carried[place] == octet:
        return
    carried[place] = octet
    with pytest.raises(GrantError):
        parse({"step": "grant", "ask": ASK.hex(), "grant": sealed.write_sealed(bytes(carried))})


@pytest.mark.parametrize("person", ["two\nlines", "x" * 65, "\ud800"])
def test_nonsense_is_not_signed(person: str) -> None:
    with pytest.raises(LocalProtocolError):
        sign_grant(HALL, ASK, replace(GRANT, person=person))


Answer = Callable[[grants.Step], grants.Step]


def run(*answers: Answer) -> Receipt:
    """The opener against these answers."""
    opener = open_lock(HALL, HOME, LOCK.key, "Grandmother", lambda size: ASK[:size])
    note = next(opener)
    *first, last = answers
    for answer in first:
        note = opener.send(to_note(answer(parse(note))))
    with pytest.raises(StopIteration) as done:
        opener.send(to_note(last(parse(note))))
    assert isinstance(done.value.value, Receipt)
    return done.value.value


def challenge(step: grants.Step) -> Challenge:
    assert step == Ask(ASK, HALL.key)
    return Challenge(ASK, NONCE, 3000)


def receipt(**changes: Any) -> Answer:
    def answer(step: grants.Step) -> grants.Step:
        if isinstance(step, GrantNote):
            assert step.grant == replace(GRANT, within=3000)
        return sign_receipt(changes.pop("by", LOCK), changes.pop("ask", ASK), replace(RECEIPT, **changes))

    return answer


def test_an_opener_gets_its_receipt() -> None:
    assert run(challenge, receipt()) == RECEIPT


def test_an_opener_may_be_refused_at_once() -> None:
    refused = run(receipt(nonce=NO_NONCE, person="", result=Result.NOT_PERMITTED))
    assert refused.result is Result.NOT_PERMITTED


@pytest.mark.parametrize(
    "answers",
    [
        (receipt(),),
        (receipt(nonce=NO_NONCE),),
        (challenge, lambda step: Challenge(ASK, NONCE, 1)),
        (lambda step: Challenge(NONCE, NONCE, 1),),
        (lambda step: Ask(ASK, HALL.key),),
        (challenge, receipt(ask=NONCE)),
        (challenge, receipt(home=b"x" * 32)),
        (challenge, receipt(nonce=ASK)),
        (challenge, receipt(opener=key("Kitchen"))),
        (challenge, receipt(lock=key("Rogue"), by=DEVICES["Rogue"])),
    ],
)
def test_an_opener_takes_nothing_that_is_not_the_locks_answer_to_it(answers: tuple[Answer, ...]) -> None:
    with pytest.raises(GrantError):
        run(*answers)
