"""What a phone that is invited says and is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import InvitationError
from meshdoor.trust.invitation import Invitation, Reply, Request, error_body
from meshdoor.trust.permissions import Permission
from meshdoor.trust.roster import evaluate
from tests.fakes.phone import Scanned
from tests.trust.house import AT, BROWSERS, admit_phone, chain, founding, key

FINGERPRINT = b"f" * 32
INVITATION = Invitation(b"t" * 16, "Alice", frozenset({Permission.VIEW}), AT, 7)
ROSTER = evaluate(chain(founding(), ("Hall", admit_phone("Alice", AT))))
REQUEST = Request.of(INVITATION.token, key("Alice"), FINGERPRINT)
REPLY = Reply.of(INVITATION, FINGERPRINT, ROSTER.members[key("Alice")], ROSTER, "Hall")


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.binary(min_size=16, max_size=16))
def test_what_is_scanned_is_what_was_drawn(home_name: str, token: bytes) -> None:
    url = Invitation(token, "Alice", frozenset()).url("https://10.0.0.2:8443/", FINGERPRINT, home_name)
    assert Scanned.of(url) == Scanned("https://10.0.0.2:8443", token, FINGERPRINT, home_name)
    assert url.isascii()


def test_the_token_is_not_shown() -> None:
    assert "tttt" not in repr(INVITATION)
    assert INVITATION.token.hex() not in repr(INVITATION)


def test_a_phone_asks_with_what_it_scanned() -> None:
    scanned = Scanned.of(INVITATION.url("https://hall:8443", FINGERPRINT, "Home"))
    assert scanned.request(BROWSERS["Alice"]) == REQUEST
    assert Request.parse(bytes(REQUEST)) == REQUEST


def test_the_reply_proves_that_the_node_has_the_token() -> None:
    assert Reply.parse(bytes(REPLY)) == REPLY
    assert (REPLY.name, REPLY.until, REPLY.node, REPLY.home) == ("Alice", AT, "Hall", ROSTER.home)
    assert REPLY.verify(INVITATION.token, key("Alice"), FINGERPRINT)
    assert not REPLY.verify(bytes(16), key("Alice"), FINGERPRINT)
    assert not REPLY.verify(INVITATION.token, key("Bob"), FINGERPRINT)
    assert not REPLY.verify(INVITATION.token, key("Alice"), bytes(32))
    assert not replace(REPLY, home=bytes(32)).verify(INVITATION.token, key("Alice"), FINGERPRINT)


def test_who_stays_has_no_end() -> None:
    reply = replace(REPLY, until=None)
    assert json.loads(bytes(reply))["until"] is None
    assert Reply.parse(bytes(reply)) == reply


def code_of(kind: type[Request] | type[Reply], data: bytes) -> str:
    with pytest.raises(InvitationError) as caught:
        kind.parse(data)
    return str(json.loads(error_body(caught.value))["error"]["code"])


@pytest.mark.parametrize(
    "changes",
    [
        {"invitation": "00"},
        {"key": "00" * 33},
        {"key": "00" * 31},
        {"key": None},
        {"proof": "00" * 31},
        {"proof": "AA" * 32},
        {"more": 1},
    ],
)
def test_another_request_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(Request, json.dumps(json.loads(bytes(REQUEST)) | changes).encode()) == "wrong"


@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": "view"},
        {"permissions": ["fly"]},
        {"permissions": [1]},
        {"until": "now"},
        {"until": -1},
        {"home": ""},
        {"name": 1},
    ],
)
def test_another_reply_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(Reply, json.dumps(json.loads(bytes(REPLY)) | changes).encode()) == "wrong"


HEX = st.sampled_from(["00" * 16, "00" * 32, "02" + "00" * 32, "FF" * 32, ""])
NAMES = st.lists(st.sampled_from(["view", "talk", "fly"]), max_size=2)
VALUES = HEX | NAMES | st.none() | st.booleans() | st.integers()
REQUESTS = st.fixed_dictionaries({"invitation": HEX, "key": HEX, "proof": HEX | VALUES})
REPLIES = st.fixed_dictionaries({"until": VALUES, "permissions": VALUES}).map(
    lambda entries: json.loads(bytes(REPLY)) | entries
)


@settings(max_examples=200)
@given(REQUESTS.map(lambda entries: (Request, entries)) | REPLIES.map(lambda entries: (Reply, entries)))
def test_what_is_read_is_what_was_written(case: tuple[type[Request] | type[Reply], dict[str, Any]]) -> None:
    """Whatever JSON comes: it is refused, or says nothing but what its value says."""
    kind, entries = case
    try:
        value = kind.parse(json.dumps(entries).encode())
    except InvitationError:
        return
    for name, written in json.loads(bytes(value)).items():
        assert written == (sorted(set(entries[name])) if name == "permissions" else entries[name])


@settings(max_examples=100)
@given(st.binary(max_size=600))
def test_noise_is_refused(noise: bytes) -> None:
    assert code_of(Request, noise) == "wrong"
    assert code_of(Reply, noise) == "wrong"
