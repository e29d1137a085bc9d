from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import SdpError
from meshdoor.sdp.crypto import KEY_LENGTHS, Crypto
from tests.sdp.samples import KEY_CM, KEY_GCM

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"


@pytest.mark.parametrize(
    "text",
    [
        f"1 {CM} inline:{KEY_CM}",
        f"1 {CM} inline:{KEY_CM}|2^20",
        f"1 {CM} inline:{KEY_CM}|1066:4",
        f"1 {CM} inline:{KEY_CM}|2^20|1:4",
        f"999999999 {GCM} inline:{KEY_GCM}|1048576 WSH=128 -X",
        "3 AES_256_CM_HMAC_SHA1_80 inline:" + "A" * 60 + "AA==",
    ],
)
def test_round_trip(text: str) -> None:
    assert str(Crypto.parse(text)) == text


@given(st.sampled_from(sorted(KEY_LENGTHS)), st.integers(0, 999_999_999), st.binary(min_size=28, max_size=30))
def test_generated_keys_round_trip(suite: str, tag: int, noise: bytes) -> None:
    crypto = Crypto.generate(tag, suite, lambda length: noise.ljust(length)[:length])
    assert Crypto.parse(str(crypto)) == crypto
    assert crypto.usable


def test_padding_may_be_missing() -> None:
    assert Crypto.parse(f"1 {GCM} inline:{KEY_GCM.rstrip('=')}").key == bytes(range(28))


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        (f"1 {CM} inline:{KEY_CM}|2^31", True),
        (f"1 {CM} inline:{KEY_CM} WSH=64 -HINT", True),
        (f"1 {CM} inline:{KEY_CM}|2^20|1:4", False),
        (f"1 {CM} inline:{KEY_CM} UNENCRYPTED_SRTP", False),
        (f"1 {CM} inline:{KEY_CM} KDR=1", False),
        (f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY_CM}", False),
    ],
)
def test_what_can_be_used(text: str, usable: bool) -> None:
    assert Crypto.parse(text).usable is usable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"x {CM} inline:{KEY_CM}",
        f"1000000000 {CM} inline:{KEY_CM}",
        f"1 {CM}",
        f"1 {CM} prompt:{KEY_CM}",
        f"1 {CM} inline:{KEY_CM};inline:{KEY_CM}",
        f"1 {CM} inline:{KEY_GCM}",
        f"1 {GCM} inline:{KEY_CM}",
        f"1 {CM} inline:{KEY_CM}|2^49",
        f"1 {CM} inline:{KEY_CM}|0",
        f"1 {CM} inline:{KEY_CM}|2^20|1:4|x",
        f"1 {CM} inline:{KEY_CM}|",
        f"1 {CM} inline:é",
        f"1 {CM} inline:A",
        "1 OTHER inline:",
        "1 OTHER inline:" + "AAAA" * 30,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(SdpError) as caught:
        Crypto.parse(text)
    assert KEY_CM not in str(caught.value)


def test_keys_are_not_shown() -> None:
    crypto = Crypto.parse(f"1 {CM} inline:{KEY_CM}")
    assert repr(crypto.key) not in repr(crypto)
    assert KEY_CM not in repr(crypto)
