"""Bindings of STUN. The answers are those of RFC 5769 §2.2 and §2.3, without what needs a password."""

from __future__ import annotations

import pytest

from meshdoor.rtp.stun import COOKIE, binding_request, mapped_address, transaction_of

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
V4 = bytes.fromhex("002000080001a147e112a643")
V6 = bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")
PLAIN = bytes.fromhex("0001000800018055c0000201")
SOFTWARE = bytes.fromhex("8022000b7465737420766563746f7220")


def answer(*attributes: bytes, kind: int = 0x0101) -> bytes:
    body = b"".join(attributes)
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + COOKIE + ID + body


def test_a_request_is_nothing_but_its_header() -> None:
    assert binding_request(ID).hex() == "00010000" + COOKIE.hex() + ID.hex()
    assert transaction_of(binding_request(ID)) == ID


@pytest.mark.parametrize("data", [b"", b"\x80" + bytes(30), bytes(20), binding_request(ID)[:-1]])
def test_what_is_something_else(data: bytes) -> None:
    assert transaction_of(data) is None


@pytest.mark.parametrize(("attributes", "expected"), [
    ((SOFTWARE, V4), ("192.0.2.1", 32853)),
    ((V6,), ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ((PLAIN,), ("192.0.2.1", 32853)),
    ((PLAIN.replace(b"\xc0", b"\xc1"), V4), ("192.0.2.1", 32853)),
])  # fmt: skip
def test_where_a_request_came_from(attributes: tuple[bytes, ...], expected: tuple[str, int]) -> None:
    assert mapped_address(answer(*attributes)) == expected


@pytest.mark.parametrize(
    "data",
    [
        answer(),
        answer(SOFTWARE),
        answer(V4, kind=0x0111),
        answer(V4)[:-1],
        answer(V4[:-4]),
        answer(V4[:5] + b"\x03" + V4[6:]),
        answer(bytes.fromhex("00200002") + bytes(4)),
        answer(b"\x00\x20\xff\xff"),
    ],
)
def test_an_answer_that_says_nothing(data: bytes) -> None:
    assert mapped_address(data) is None
