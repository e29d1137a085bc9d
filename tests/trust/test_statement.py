from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import LocalProtocolError, StatementError
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.statement import (
    MAX_BODY,
    MAX_TIME,
    PURPOSE,
    Admit,
    Body,
    Change,
    Found,
    Revoke,
    Statement,
    is_name,
)
from tests.trust.house import AT, DEVICES, admit, admit_phone, founding, key, revoke, say

FOUND = founding()
ADMIT = say("Hall", admit("Kitchen"), FOUND)


def signed(text: str | bytes, author: str = "Hall") -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return DEVICES[author].sign(PURPOSE + data) + data


def altered(statement: Statement, alter: Callable[[dict[str, Any]], object]) -> bytes:
    """The statement with its JSON altered, and signed again."""
    entries = json.loads(statement.carried[64:])
    alter(entries)
    return signed(json.dumps(entries))


@pytest.mark.parametrize(
    "body",
    [
        FOUND.body,
        admit("Kitchen"),
        admit("Gate", permissions=Permission),
        Admit(key("Phone"), b"", "📱 Zoë’s phone", Role.PHONE, frozenset()),
        admit_phone("Alice"),
        admit_phone("Alice", until=AT),
        replace(admit("Phone"), until=0),
        Revoke(key("Kitchen")),
        Revoke(key("Alice")),
        Change(key("Alice"), name="Alice’s old phone"),
        Change(key("Kitchen")),
        Change(key("Kitchen"), name="Küche"),
        Change(key("Kitchen"), permissions=frozenset({Permission.VIEW})),
    ],
    ids=lambda body: type(body).__name__,
)
def test_a_statement_round_trips(body: Body) -> None:
    statement = say("Hall", body, *(() if isinstance(body, Found) else (FOUND, ADMIT)))
    assert Statement.parse(bytes(statement)) == statement
    assert statement.body == body


def test_a_statement_says_who_when_and_after_what() -> None:
    assert (ADMIT.author, ADMIT.at, ADMIT.parents) == (key("Hall"), AT, (FOUND.id,))
    assert ADMIT.id == hashlib.sha256(ADMIT.carried[64:]).digest()


def test_the_body_is_taken_as_carried() -> None:
    spaced = signed(json.dumps(json.loads(FOUND.carried[64:]), indent=1))
    assert Statement.parse(spaced).body == FOUND.body
    assert Statement.parse(spaced).id != FOUND.id


def test_another_signature_is_refused() -> None:
    data = ADMIT.carried[64:]
    for forged in (bytes(64) + data, DEVICES["Rogue"].sign(PURPOSE + data) + data, DEVICES["Hall"].sign(data) + data):
        with pytest.raises(StatementError, match="signature"):
            Statement.parse(forged)


@settings(max_examples=200)
@given(st.integers(0, len(ADMIT.carried) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, flip: int) -> None:
    carried = bytearray(ADMIT.carried)
    carried[place] ^= flip
    with pytest.raises(StatementError):
        Statement.parse(bytes(carried))


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(StatementError):
        Statement.parse(noise)


@pytest.mark.parametrize("length", range(0, len(ADMIT.carried), 37))
def test_a_truncated_statement_is_refused(length: int) -> None:
    with pytest.raises(StatementError):
        Statement.parse(ADMIT.carried[:length])


@settings(max_examples=50)
@given(
    st.sampled_from(["Alice", "Bob", "Phone"]),
    st.text(min_size=1, max_size=64).filter(is_name),
    st.frozensets(st.sampled_from(list(Permission))),
    st.none() | st.integers(0, MAX_TIME),
)
def test_whatever_is_said_of_a_phone_is_read_as_it_was_meant(
    name: str, called: str, permissions: frozenset[Permission], until: int | None
) -> None:
    body = Admit(key(name), b"", called, Role.PHONE, permissions, until)
    if until is not None and Permission.ADMIT in permissions:
        with pytest.raises(LocalProtocolError):
            say("Hall", body, FOUND)
    else:
        statement = say("Hall", body, FOUND)
        assert Statement.parse(bytes(statement)).body == body


def test_only_a_guest_has_an_end() -> None:
    assert b"until" not in ADMIT.carried
    assert b"until" not in say("Hall", admit_phone("Alice"), FOUND).carried
    assert b'"until":1800000000' in say("Hall", admit_phone("Alice", AT), FOUND).carried


GUEST = say("Hall", admit_phone("Alice", AT), FOUND)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("until", None, "time"),
        ("until", -1, "time"),
        ("until", 1.0, "time"),
        ("until", True, "time"),
        ("until", 10**12, "time"),
        ("role", "door", "P-256"),
        ("permissions", ["view", "admit"], "lets nobody in"),
        ("certificate", base64.b64encode(DEVICES["Attic"].certificate).decode(), "P-256"),
        ("key", "04" + key("Alice").hex()[2:], "neither of Ed25519 nor of P-256"),
        ("key", key("Alice").hex() + "00", "hexadecimal"),
        ("author", key("Alice").hex(), "hexadecimal"),
    ],
)
def test_a_wrong_phone_is_refused(field: str, value: object, reason: str) -> None:
    with pytest.raises(StatementError, match=reason):
        Statement.parse(altered(GUEST, lambda entries: entries.update({field: value})))


@pytest.mark.parametrize("statement", [FOUND, say("Hall", revoke("Alice"), FOUND)], ids=["found", "revoke"])
def test_nothing_but_an_admission_has_an_end(statement: Statement) -> None:
    with pytest.raises(StatementError, match="other fields"):
        Statement.parse(altered(statement, lambda entries: entries.update(until=AT)))


def test_only_a_phone_is_a_guest() -> None:
    with pytest.raises(LocalProtocolError, match="only a phone may be a guest"):
        say("Hall", replace(admit("Kitchen"), until=AT), FOUND)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff", "not JSON"),
        ("[" * 4000, "not JSON"),
        ('{"kind":"found","kind":"found"}', "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "should be text"),
        ('{"kind":"bless"}', "unknown kind"),
        ('{"kind":"revoke"}', "should be text"),
        ("1" * (MAX_BODY + 1), "too large"),
        (" " * MAX_BODY, "not JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_statement_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(StatementError, match=reason):
        Statement.parse(signed(text))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("author", key("Hall").hex().upper(), "hexadecimal"),
        ("author", key("Hall").hex()[:-1], "hexadecimal"),
        ("author", key("Kitchen").hex(), "signature"),
        ("author", None, "should be text"),
        ("parents", [], "no parents"),
        ("parents", None, "short list"),
        ("parents", ["00" * 32, "00" * 32], "twice"),
        ("parents", [f"{number:064x}" for number in range(33)], "short list"),
        ("parents", ["00"], "hexadecimal"),
        ("parents", [["00" * 32]], "should be text"),
        ("at", True, "time"),
        ("at", 1.5, "time"),
        ("at", -1, "time"),
        ("at", 10**12, "time"),
        ("key", key("Bedroom").hex(), "another key"),
        ("certificate", "", "not a mesh certificate"),
        ("certificate", "&", "base64"),
        ("certificate", "é", "base64"),
        ("certificate", base64.b64encode(DEVICES["Attic"].certificate).decode(), "another key"),
        ("name", "", "name"),
        ("name", "x" * 65, "name"),
        ("name", "a\nb", "name"),
        ("name", "\ud800", "name"),
        ("name", 7, "should be text"),
        ("name", None, "should be text"),
        ("role", "boss", "role"),
        ("permissions", "all", "not a list"),
        ("permissions", ["fly"], "unknown"),
        ("permissions", ["view", "view"], "twice"),
        ("permissions", None, "not a list"),
        ("extra", 1, "other fields"),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: object, reason: str) -> None:
    with pytest.raises(StatementError, match=reason):
        Statement.parse(altered(ADMIT, lambda entries: entries.update({field: value})))


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(StatementError, match="other fields"):
        Statement.parse(altered(ADMIT, lambda entries: entries.pop("role")))


def test_a_key_is_never_optional() -> None:
    change = say("Hall", Change(key("Hall")), FOUND)
    with pytest.raises(StatementError, match="should be text"):
        Statement.parse(altered(change, lambda entries: entries.update(key=None)))


@pytest.mark.parametrize(
    "alter",
    [
        lambda entries: entries.update(role="door"),
        lambda entries: entries.update(parents=["00" * 32]),
        lambda entries: entries.update(certificate=base64.b64encode(DEVICES["Attic"].certificate).decode()),
        lambda entries: entries.update(nonce=""),
    ],
)
def test_a_wrong_founding_is_refused(alter: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(StatementError):
        Statement.parse(altered(FOUND, alter))


@pytest.mark.parametrize(
    "body",
    [
        Change(key("Kitchen"), name=" padded"),
        Change(key("Kitchen"), name="\ud800"),
        Change(key("Kitchen"), permissions=frozenset({Permission.ADMIT})),
        Admit(key("Gate"), b"", "Gate", Role.LOCK, frozenset()),
    ],
)
def test_we_do_not_state_what_no_one_accepts(body: Body) -> None:
    with pytest.raises(LocalProtocolError):
        say("Hall", body, FOUND)


@pytest.mark.parametrize("name", ["Kitchen", "x", "x" * 64, "玄関", "👨‍👩‍👧"])
def test_a_name_is_what_people_write(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", " ", "a ", "x" * 65, "\x00", "\x7f", "a\u202eb", "\u2028", "\ufeff"])
def test_a_name_is_printable(name: str) -> None:
    assert not is_name(name)
