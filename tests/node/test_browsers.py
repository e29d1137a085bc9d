"""Phones take WebRTC where screens take SDES: whoever offers, while it rings, talks, or the engine dies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import INACTIVE, RECVONLY, SENDONLY, SENDRECV, IceRemote
from meshdoor.node import media_plan
from meshdoor.node.calling import open_leg
from meshdoor.node.media_plan import NOTHING, Wish, offer_body
from meshdoor.node.pressing import EARLY, TALK
from meshdoor.sdp.attributes import Direction
from meshdoor.trust.permissions import Role
from tests.calls.people import member
from tests.fakes.desks import DOOR, HALL, FakeDesk, desks
from tests.fakes.rooms import CANDIDATE, ICE, rooms
from tests.mesh.nodes import turn_until as until
from tests.node.test_pressing import ring
from tests.node.test_talking import looking

ALICE = member("Alice", Role.PHONE)


def ice_of(start: object) -> IceRemote:
    assert isinstance(start, StartLeg)
    assert start.ice is not None
    return start.ice


async def offers(phone: FakeDesk, make: Callable[[bytes], bytes]) -> None:
    """A phone that talks with a visitor makes another offer, from its last description."""
    (talk,) = phone.answering.talks()
    session, dialog = talk.session, talk.session.dialog
    assert dialog is not None
    await until(lambda: not session.offers(dialog).busy)
    with phone.endpoint.acting() as now:
        session.reinvite(make(session.local_body), now)


def flowing(door: FakeDesk) -> tuple[str, str]:
    """The directions of sound and pictures to the first who was rung."""
    plan = door.fake.plan("p1-1")
    assert plan.audio is not None
    assert plan.video is not None
    return plan.audio.direction, plan.video.direction


async def test_a_press_rings_a_phone_and_a_screen_each_in_its_way() -> None:
    async with desks(DOOR, HALL, ALICE) as (door, hall, alice):
        await ring(door, hall, alice)
        screen, phone = door.fake.plan("p1-1"), door.fake.plan("p1-2")
        assert screen.ice is None
        assert screen.video is not None
        assert screen.video.tx_key is not None
        assert phone.ice == IceRemote(
            ICE.ufrag, ICE.password, ICE.fingerprint, (CANDIDATE,), controlling=True, client=False
        )
        assert phone.audio is not None
        assert phone.video is not None
        assert (phone.audio.direction, phone.video.direction) == (SENDRECV, SENDONLY)
        assert (phone.video.codec, phone.video.tx_key, phone.video.rtcp) == ("H264", None, None)
        assert "nack pli" in phone.video.feedback
        assert phone.gates == EARLY
        theirs = ice_of(alice.fake.plan("visit-1"))
        assert (theirs.controlling, theirs.client) == (False, True)
        alice.answering.answer()
        await hall.tells("over", why="answered elsewhere")
        assert door.fake.gates("p1-2") == TALK


async def test_a_phone_rings_on_without_a_picture_when_the_engine_dies() -> None:
    async with desks(DOOR, ALICE) as (door, alice):
        await ring(door, alice)
        for desk, legs in ((door, ["p1-1"]), (alice, ["visit-1"])):
            desk.fake.legs.clear()
            desk.pressing.legs_lost(legs)
            desk.answering.legs_lost(legs)
            desk.pressing.engine_back()
            desk.answering.engine_back()
        assert door.pressing.press is not None
        assert not door.fake.reopened
        assert not alice.fake.reopened


async def test_a_talk_with_a_phone_is_over_when_the_engine_dies() -> None:
    async with desks(DOOR, ALICE) as (door, alice):
        await ring(door, alice)
        alice.answering.answer()
        await door.tells("step", step="answered")
        door.fake.legs.clear()
        door.pressing.legs_lost(["p1-1"])
        door.pressing.engine_back()
        await alice.tells("over")
        assert door.pressing.press is None


async def test_who_was_rung_holds_the_talk_and_goes_on() -> None:
    async with desks(DOOR, ALICE) as (door, alice):
        await ring(door, alice)
        alice.answering.answer()
        await door.tells("step", step="answered")
        for wish, audio, video in (
            (Wish(Direction.SENDONLY, Direction.INACTIVE), RECVONLY, INACTIVE),
            (media_plan.RUNG, SENDRECV, SENDONLY),
        ):
            await offers(alice, lambda before, wish=wish: offer_body(media_plan.offer_again(before, wish)))  # type: ignore[misc]
            await until(lambda wanted=(audio, video): flowing(door) == wanted)  # type: ignore[misc]
            assert door.fake.gates("p1-1") == TALK
        assert door.pressing.press is not None


@pytest.mark.parametrize("body", [b"", b"nonsense", offer_body(media_plan.offer("127.0.0.1", None))])
async def test_an_offer_that_a_door_cannot_use_changes_nothing(body: bytes) -> None:
    async with desks(DOOR, ALICE) as (door, alice):
        await ring(door, alice)
        alice.answering.answer()
        await door.tells("step", step="answered")
        await offers(alice, lambda before: body)
        await until(lambda: any(b"SIP/2.0 488" in message for _, _, message in door.street.wire))
        assert flowing(door) == (SENDRECV, SENDONLY)
        assert door.pressing.press is not None


async def test_a_phone_looks_through_a_door_and_then_speaks() -> None:
    async with rooms(ALICE, DOOR) as (alice, door):
        await looking(alice, door)
        before = (await door.leg())[0]
        assert isinstance(before, StartLeg)
        assert before.video is not None
        assert before.video.direction == SENDONLY
        assert (ice_of(before).controlling, ice_of(before).client) == (False, True)
        alice.talking.talk()
        after = (await door.leg(commands=2))[1]
        assert isinstance(after, StartLeg)
        assert after.video == before.video
        assert after.audio is not None
        assert after.audio.direction == SENDRECV
        assert ice_of(after) == ice_of(before)
        mine = await alice.leg(commands=2)
        assert [(ice_of(each).controlling, ice_of(each).client) for each in mine] == [(True, False)] * 2
        assert isinstance(mine[1], StartLeg)
        assert mine[1].video is not None
        assert mine[1].video.direction == RECVONLY


async def test_who_was_asked_by_us_stays_the_client_when_it_asks() -> None:
    async with rooms(ALICE, HALL) as (alice, hall):
        hall.talking.call("alice")
        await alice.tells("ring", on=True)
        alice.talking.answer()
        await hall.tells("call", state="connected")
        ours, theirs = hall.talking.active[0].session, alice.talking.active[0].session
        assert ours is not None
        assert theirs is not None
        offer = media_plan.offer_body(media_plan.offer_again(theirs.local_body, media_plan.RUNG))
        body, streams = hall.talking.active[0].media.answer(offer, media_plan.RUNG, ours.local_body)
        assert b"a=setup:passive" in body
        assert streams.ice is not None
        assert not streams.ice.client


async def test_a_browser_may_find_this_node_at_all_its_addresses() -> None:
    async with rooms(HALL, ALICE) as (hall, _):
        opened = await open_leg(hall, "b1", "127.0.0.1", dtls=True)
        assert opened.ice == ICE
        assert (await open_leg(hall, "b2", "127.0.0.1", dtls=False)).ice is None
        await hall.fake.close_leg("b1")
        await hall.fake.close_leg("b2")


def test_an_offer_that_cannot_be_read_asks_for_nothing() -> None:
    assert not media_plan.makes_keys_by_dtls(b"nonsense")
    assert NOTHING.ice is None


@pytest.mark.parametrize("lite", [True, False])
async def test_one_of_two_ends_that_only_answers_is_controlled(lite: bool) -> None:
    async with rooms(ALICE, HALL) as (alice, hall):
        place = media_plan.Place("127.0.0.1", await open_leg(hall, "b1", "127.0.0.1", dtls=True), "")
        theirs = media_plan.offer("127.0.0.1", await open_leg(alice, "b1", "127.0.0.1", dtls=True))
        body = media_plan.offer_body(theirs)
        body = body.replace(b"t=0 0\r\n", b"t=0 0\r\na=ice-lite\r\n") if lite else body
        _, streams = media_plan.answer(body, place)
        assert streams.ice is not None
        assert (streams.ice.controlling, streams.ice.lite) == (lite, lite)
