"""The wire form does not drift: what is under tests/data/trust stays readable and means the same."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meshdoor.trust import attach, grants, invitation
from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity, certificate_key, device_id, is_key, verify
from meshdoor.trust.roster import Member
from meshdoor.trust.statement import Statement
from tests.fakes.phone import Scanned

DATA = Path(__file__).parent.parent / "data" / "trust"


def load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


@pytest.mark.parametrize("vector", load("identity"))
def test_an_identity(vector: dict[str, str]) -> None:
    identity = Identity.generate(lambda size: bytes.fromhex(vector["seed"])[:size])
    assert identity.key.hex() == vector["key"]
    assert identity.device_id == vector["device_id"]
    assert identity.certificate == b64decode(vector["certificate"])
    assert certificate_key(identity.certificate) == identity.key


def shown(members: Mapping[bytes, Member]) -> list[dict[str, Any]]:
    return [
        {
            "key": member.key.hex(),
            "name": member.name,
            "role": member.role,
            "permissions": sorted(member.permissions),
            "until": member.until,
        }
        for member in sorted(members.values(), key=lambda member: member.seniority)
    ]


@pytest.mark.parametrize("name", ["roster", "phones"])
def test_a_roster(name: str) -> None:
    vector = load(name)
    held = History(bytes.fromhex(vector["home"]))
    for each in vector["statements"]:
        carried = b64decode(each["carried"])
        assert Statement.parse(carried).id.hex() == each["id"]
        held.add(carried)
    assert held.roster.digest.hex() == vector["digest"]
    assert shown(held.roster.members) == [{"until": None} | member for member in vector["members"]]
    assert shown(held.roster.revoked) == [{"until": None} | member for member in vector["revoked"]]


@pytest.mark.parametrize("vector", load("keys")["keys"], ids=lambda vector: vector["type"])
def test_a_key_of_a_phone(vector: dict[str, str]) -> None:
    key = bytes.fromhex(vector["key"])
    assert is_key(key)
    assert device_id(key) == vector["device_id"]
    assert verify(key, bytes.fromhex(vector["signature"]), bytes.fromhex(load("keys")["data"]))


@pytest.mark.parametrize("vector", load("keys")["wrong"], ids=lambda vector: vector["why"])
def test_a_signature_that_is_none(vector: dict[str, str]) -> None:
    key, signature, data = (bytes.fromhex(vector[name]) for name in ("key", "signature", "data"))
    assert not verify(key, signature, data)


@pytest.mark.parametrize("vector", load("attach")["proofs"], ids=lambda vector: f"{vector['type']}-{vector['purpose']}")
def test_attaching(vector: dict[str, Any]) -> None:
    challenge, fingerprint = (bytes.fromhex(load("attach")[name]) for name in ("challenge", "fingerprint"))
    purpose = attach.Purpose(vector["purpose"])
    assert attach.signed(challenge, fingerprint, purpose).hex() == vector["signed"]
    proof = attach.Proof.parse(json.dumps(vector["answer"]).encode())
    assert attach.verify(proof, challenge, fingerprint, purpose)


def test_the_url_of_an_invitation() -> None:
    vector = load("invitation")
    token, fingerprint = bytes.fromhex(vector["token"]), bytes.fromhex(vector["fingerprint"])
    made = invitation.Invitation(token, "Alice", frozenset())
    assert made.id.hex() == vector["id"]
    assert made.url(vector["base"], fingerprint, vector["home_name"]) == vector["url"]
    assert Scanned.of(vector["url"]) == Scanned(vector["base"], token, fingerprint, vector["home_name"])


@pytest.mark.parametrize("case", load("invitation")["cases"], ids=lambda case: case["type"])
def test_an_invitation(case: dict[str, Any]) -> None:
    vector = load("invitation")
    token, fingerprint, key = (bytes.fromhex(text) for text in (vector["token"], vector["fingerprint"], case["key"]))
    request = invitation.Request.of(token, key, fingerprint)
    assert json.loads(bytes(request)) == case["request"]
    assert invitation.Request.parse(json.dumps(case["request"]).encode()) == request
    reply = invitation.Reply.parse(json.dumps(case["reply"]).encode())
    assert reply.verify(token, key, fingerprint)
    assert json.loads(bytes(reply)) == case["reply"]


def test_why_a_phone_is_not_let_in() -> None:
    bodies = {why: invitation.error_body(invitation.refused(why)) for why in invitation.Refusal}
    assert {why: json.loads(body)["error"] for why, body in bodies.items()} == load("invitation")["errors"]


@pytest.mark.parametrize("vector", load("phone_grants")["notes"], ids=lambda vector: vector["type"])
def test_a_phone_opens_a_lock(vector: dict[str, Any]) -> None:
    challenge, granted, receipt = (grants.parse(vector[step]) for step in ("challenge", "grant", "receipt"))
    assert isinstance(challenge, grants.Challenge)
    assert isinstance(granted, grants.GrantNote)
    assert isinstance(receipt, grants.ReceiptNote)
    assert grants.GRANT_PURPOSE + granted.carried[64:] == bytes.fromhex(vector["signed"])
    home, lock = bytes.fromhex(vector["home"]), bytes.fromhex(vector["lock"])
    opener = bytes.fromhex(vector["ask"]["opener"])
    assert granted.grant == grants.Grant(home, lock, challenge.nonce, opener, vector["person"], challenge.within)
    assert (receipt.receipt.opener, receipt.receipt.result) == (opener, grants.Result.OPENED)
    for note in (vector["ask"], vector["challenge"], vector["grant"], vector["receipt"]):
        assert grants.to_note(grants.parse(note)) == note
