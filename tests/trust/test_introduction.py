from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import PairingError
from meshdoor.trust.identity import Identity
from meshdoor.trust.introduction import Introduction, Newcomer, Offer, pack, unpack
from meshdoor.trust.permissions import Role

ME = Identity.generate()
INTRODUCTION = Introduction("Küche", Role.SCREEN, ME.certificate, bytes(64))
OFFER = Offer(3, ("192.0.2.1:5071", "[fe80::1%eth0]:5071"), bytes(64))


def with_field(message: Introduction | Offer, **changed: Any) -> bytes:
    return json.dumps({**json.loads(bytes(message)), **changed}).encode()


def test_round_trips() -> None:
    assert Introduction.parse(bytes(INTRODUCTION)) == INTRODUCTION
    assert Offer.parse(bytes(OFFER)) == OFFER


def test_the_newcomer_of_an_introduction() -> None:
    ticket = bytes(16)
    assert INTRODUCTION.newcomer(ME.key, ticket) == Newcomer(
        ME.key, ME.certificate, "Küche", Role.SCREEN, ticket
    )
    with pytest.raises(PairingError, match="of another key"):
        INTRODUCTION.newcomer(Identity.generate().key, ticket)
    with pytest.raises(PairingError, match="not a mesh certificate"):
        Introduction("a", Role.DOOR, b"x", bytes(64)).newcomer(ME.key, ticket)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 4096,
        with_field(INTRODUCTION, more=1),
        with_field(INTRODUCTION, name=""),
        with_field(INTRODUCTION, name="a\x1b[2J"),
        with_field(INTRODUCTION, name=["a"]),
        with_field(INTRODUCTION, role="owner"),
        with_field(INTRODUCTION, role=["door"]),
        with_field(INTRODUCTION, certificate=5),
        with_field(INTRODUCTION, certificate="!"),
        with_field(INTRODUCTION, certificate="é"),
        with_field(INTRODUCTION, certificate=""),
        with_field(INTRODUCTION, certificate="QUJD" * 400),
    ],
)
def test_introductions_that_are_refused(text: bytes) -> None:
    with pytest.raises(PairingError):
        Introduction.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        with_field(OFFER, statements=0),
        with_field(OFFER, statements=4097),
        with_field(OFFER, statements=True),
        with_field(OFFER, statements=1.5),
        with_field(OFFER, hints="192.0.2.1"),
        with_field(OFFER, hints=["a"] * 17),
        with_field(OFFER, hints=["a" * 65]),
        with_field(OFFER, hints=[""]),
        with_field(OFFER, hints=["a\n"]),
        with_field(OFFER, hints=[1]),
        with_field(OFFER, signature=None),
    ],
)
def test_offers_that_are_refused(text: bytes) -> None:
    with pytest.raises(PairingError):
        Offer.parse(text)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=30))
def test_packed_statements_come_out(statements: list[bytes]) -> None:
    out: list[bytes] = []
    for batch in pack(statements, 100):
        assert 0 < len(batch) <= 100
        out += unpack(batch, len(statements) - len(out))
    assert out == statements


@pytest.mark.parametrize("batch", [b"", b"\0", b"\0\0", b"\0\x02a", b"\0\x01a\0", b"\x20\x01" + bytes(0x2001)])
def test_batches_that_are_refused(batch: bytes) -> None:
    with pytest.raises(PairingError, match="not what it announced"):
        unpack(batch, 10)


def test_more_than_was_announced() -> None:
    with pytest.raises(PairingError, match="not what it announced"):
        unpack(b"\0\x01a\0\x01b", 1)
