"""A phone proves who it is when it attaches."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import AttachError
from meshdoor.trust.attach import Proof, Purpose, attachable, prove, verify
from meshdoor.trust.roster import evaluate
from tests.fakes.phone import Signer, attach_proof
from tests.trust.house import AT, BROWSERS, DEVICES, admit, admit_phone, chain, founding, key, revoke

CHALLENGE, FINGERPRINT = b"c" * 32, b"f" * 32
ROSTER = evaluate(
    chain(
        founding(),
        ("Hall", admit("Kitchen")),
        ("Hall", admit_phone("Alice")),
        ("Hall", admit("Phone")),
        ("Hall", revoke("Phone")),
        ("Hall", admit_phone("Bob", until=AT)),
    )
)


@pytest.mark.parametrize("phone", [DEVICES["Phone"], BROWSERS["Alice"]], ids=["Ed25519", "P-256"])
def test_a_proof_is_of_one_challenge_certificate_and_purpose(phone: Signer) -> None:
    proof = attach_proof(phone, CHALLENGE, FINGERPRINT, Purpose.SIP)
    assert verify(proof, CHALLENGE, FINGERPRINT, Purpose.SIP)
    assert not verify(proof, CHALLENGE, FINGERPRINT, Purpose.HOME)
    assert not verify(proof, bytes(32), FINGERPRINT, Purpose.SIP)
    assert not verify(proof, CHALLENGE, bytes(32), Purpose.SIP)
    assert not verify(Proof(key("Bob"), proof.signature), CHALLENGE, FINGERPRINT, Purpose.SIP)


def test_a_device_of_ours_proves_in_the_same_way() -> None:
    phone = DEVICES["Phone"]
    assert prove(phone, CHALLENGE, FINGERPRINT, Purpose.HOME) == attach_proof(
        phone, CHALLENGE, FINGERPRINT, Purpose.HOME
    )


def test_an_answer_is_read() -> None:
    proof = attach_proof(BROWSERS["Alice"], CHALLENGE, FINGERPRINT, Purpose.SIP)
    assert Proof.parse(json.dumps({"key": proof.key.hex(), "signature": proof.signature.hex()}).encode()) == proof


def code_of(data: bytes) -> str:
    with pytest.raises(AttachError) as caught:
        Proof.parse(data)
    return caught.value.code


@pytest.mark.parametrize(
    "answer", [{}, {"key": "00" * 32}, {"key": "00" * 33, "signature": "00" * 64}, {"key": 1, "signature": "00" * 64}]
)
def test_another_answer_is_refused(answer: object) -> None:
    assert code_of(json.dumps(answer).encode()) == "wrong"


@settings(max_examples=100)
@given(st.binary(max_size=600))
def test_noise_is_refused(noise: bytes) -> None:
    assert code_of(noise) == "wrong"


def test_a_phone_of_the_home_may_attach() -> None:
    assert attachable(ROSTER, key("Alice"), AT).name == "Alice"
    assert attachable(ROSTER, key("Bob"), AT - 0.1).name == "Bob"


@pytest.mark.parametrize(
    ("name", "code"), [("Phone", "revoked"), ("Bob", "expired"), ("Rogue", "unknown"), ("Kitchen", "unknown")]
)
def test_no_other_may(name: str, code: str) -> None:
    with pytest.raises(AttachError) as caught:
        attachable(ROSTER, key(name), AT)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")
