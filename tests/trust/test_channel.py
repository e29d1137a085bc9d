from __future__ import annotations

import pytest

from meshdoor.errors import PairingError, WrongCode
from meshdoor.trust.channel import ADMITTER, NEWCOMER, Channel
from meshdoor.trust.identity import Identity

KEY, TRANSCRIPT = bytes(range(32)), bytes(range(32, 64))


def pair() -> tuple[Channel, Channel]:
    return Channel(ADMITTER, KEY, TRANSCRIPT), Channel(NEWCOMER, KEY, TRANSCRIPT)


def test_boxes_both_ways() -> None:
    one, other = pair()
    for text in (b"first", b"second", b""):
        assert other.open(one.seal(text)) == text
        assert one.open(other.seal(text)) == text


def test_every_bit_of_a_box_counts() -> None:
    one, _ = pair()
    box = one.seal(b"what was said")
    for position in range(8 * len(box)):
        flipped = bytearray(box)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(PairingError):
            pair()[1].open(bytes(flipped))


def test_a_box_opens_once_in_its_turn_and_not_at_its_sender() -> None:
    one, other = pair()
    first, second = one.seal(b"1"), one.seal(b"2")
    with pytest.raises(PairingError):
        pair()[1].open(second)
    with pytest.raises(PairingError):
        one.open(first)
    assert other.open(first) == b"1"
    with pytest.raises(PairingError):
        other.open(first)


def test_a_box_that_is_too_short() -> None:
    with pytest.raises(PairingError):
        pair()[0].open(b"")


def test_confirmations() -> None:
    one, other = pair()
    other.check_confirmation(one.confirmation())
    one.check_confirmation(other.confirmation())
    for wrong in (one.confirmation(), b"", bytes(32)):
        with pytest.raises(WrongCode):
            one.check_confirmation(wrong)


@pytest.mark.parametrize("strange", [(bytes(32), TRANSCRIPT), (KEY, bytes(32))])
def test_another_key_or_another_conversation(strange: tuple[bytes, bytes]) -> None:
    stranger = Channel(NEWCOMER, *strange)
    with pytest.raises(WrongCode):
        pair()[0].check_confirmation(stranger.confirmation())
    with pytest.raises(PairingError):
        pair()[0].open(stranger.seal(b"x"))


def test_signatures_are_of_one_side_of_one_conversation() -> None:
    me, someone = Identity.generate(), Identity.generate()
    one, other = pair()
    signature = one.signature(me)
    other.check_signature(me.key, signature)
    for channel, key in ((one, me.key), (other, someone.key), (Channel(NEWCOMER, KEY, bytes(32)), me.key)):
        with pytest.raises(PairingError, match="does not hold the key"):
            channel.check_signature(key, signature)
