"""What is agreed on with the other end, as the media engine gets it."""

from __future__ import annotations

import pytest

from meshdoor.media.reports import LegOpened
from meshdoor.node.media_plan import Place, agreed, answer, offer, offer_body

OPENED = LegOpened(4000, 4002, 1, 2)


@pytest.mark.parametrize(
    ("before", "after", "sent", "heard"),
    [
        (b"x", b"x", 101, {101, 102}),  # all of ours, whichever it prefers: browsers send that of 8000 Hz
        (b"101", b"97", 97, {97, 101, 102}),  # under its own number, or under ours
        (b"telephone-event", b"nothing", None, {None, 101, 102}),
        (b"102", b"103", 101, {101, 102}),
    ],
)
def test_digits_come_under_our_numbers_and_theirs(
    before: bytes, after: bytes, sent: int | None, heard: set[int | None]
) -> None:
    plan = offer("10.0.0.1", OPENED)
    place = Place("10.0.0.2", OPENED, "10.0.0.1")
    body, _ = answer(offer_body(plan), place)
    sound = agreed(plan, body.replace(before, after), "10.0.0.2").audio
    assert sound is not None
    assert sound.dtmf_payload_type == sent
    assert sound.digits == heard


def test_a_number_that_the_peer_has_for_its_sound_is_sound() -> None:
    plan = offer("10.0.0.1", OPENED)
    body, _ = answer(offer_body(plan), Place("10.0.0.2", OPENED, "10.0.0.1"))
    lines = [line.replace(b"111", b"102") for line in body.split(b"\r\n") if b"telephone" not in line]
    sound = agreed(plan, b"\r\n".join(lines), "10.0.0.2").audio
    assert sound is not None
    assert sound.payload_type == 102
    assert sound.digits == {None, 101}
