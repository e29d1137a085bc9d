"""A press at a door: real SIP to the screens, engines that take notes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from meshdoor.calls.fork import Outcome
from meshdoor.errors import EngineError
from meshdoor.media.datagrams import bind_pair
from meshdoor.media.plans import Gates
from meshdoor.media.reports import LegOpened
from meshdoor.mesh.frames import State as Busy
from meshdoor.node.press import Press
from meshdoor.node.pressing import EARLY, TALK
from meshdoor.sip import events as sip
from meshdoor.trust.roster import Member
from tests.fakes.desks import ATTIC, DOOR, HALL, KITCHEN, FakeDesk, desks
from tests.mesh.nodes import turn_until as until


def keys(*members: Member) -> list[bytes]:
    return [each.key for each in members]


async def ring(door: FakeDesk, *screens: FakeDesk) -> Press:
    """Press, and wait until each screen shows the visitor."""
    press = door.pressing.ring("p1", [screen.member.key for screen in screens])
    for screen in screens:
        await screen.shows()
        await door.tells("step", member=screen.member.name, step="first picture")
    for number in press.lines:
        await door.leg(f"p1-{number}")
    return press


def details(door: FakeDesk, name: str) -> list[str]:
    return [event["detail"] for event in door.told("step", member=name, step="ended")]


async def test_each_screen_has_its_own_leg_and_nobody_is_heard_before_an_answer() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        await ring(door, hall, kitchen)
        assert door.fake.captures == [True]
        assert [door.fake.gates(leg) for leg in ("p1-1", "p1-2")] == [EARLY, EARLY]
        assert hall.fake.gates("visit-1") == Gates(microphone=False, speaker=True, picture=True)
        assert door.hurried.keys() == {HALL.key, KITCHEN.key}
        door.pressing.first_packet("p1-2")
        assert door.told("step", member="Kitchen", step="first packet")


async def test_the_first_answer_wins() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        over: list[Press] = []
        door.pressing.over.append(over.append)
        answered: list[tuple[str, bytes]] = []
        door.pressing.answered.append(lambda press, by: answered.append((press.id, by)))
        await ring(door, hall, kitchen)
        hall.answering.answer()
        assert hall.answering.busy is Busy.IN_CALL
        await kitchen.tells("over", why="answered elsewhere")
        await until(lambda: door.fake.legs["p1-1"][-1] == TALK)
        assert answered == [("p1", HALL.key)]
        assert hall.fake.gates("visit-1").microphone
        await until(lambda: door.fake.closed == ["p1-2"])
        door.pressing.hang_up()
        await hall.tells("over", why="answered")
        await until(lambda: over)
        assert over[0].fork.outcome is Outcome.ANSWERED
        assert over[0].dropped[KITCHEN.key] == 0
        assert set(door.hurried.values()) == {None}
        await until(lambda: door.fake.captures == [True, False])


async def test_all_decline() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        press = await ring(door, hall, kitchen)
        hall.answering.decline()
        await door.tells("step", member="Hall", step="ended", detail="declined")
        assert door.pressing.press is press
        kitchen.answering.decline()
        await until(lambda: door.pressing.press is None)
        assert press.fork.outcome is Outcome.DECLINED


async def test_the_visitor_leaves() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        door.pressing.hang_up()
        await hall.tells("over", why="missed")
        await until(lambda: details(door, "Hall") == ["cancelled"])


async def test_nobody_answers_in_time() -> None:
    async with desks(DOOR, HALL, rings_for=0.05) as (door, hall):
        press = await ring(door, hall)
        await hall.tells("over", why="missed")
        assert press.fork.outcome is Outcome.MISSED


async def test_a_second_press_joins_and_knocks_on_who_talks() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        press = await ring(door, hall)
        assert door.pressing.ring("p2", keys(HALL)) is press
        assert not hall.told("knock")
        hall.answering.answer()
        await door.tells("step", member="Hall", step="answered")
        assert door.pressing.ring("p3", keys(HALL)) is press
        await hall.tells("knock")


async def test_a_press_right_after_another_is_a_press_of_its_own() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        first = await ring(door, hall)
        door.pressing.hang_up()
        second = door.pressing.ring("p2", keys(HALL))
        assert second is not first
        await hall.shows(2)
        await door.tells("step", press="p2", step="first picture")
        await until(lambda: first.fork.state == "ENDED")
        assert door.hurried[HALL.key] is not None  # the second one still rings there
        assert door.pressing.press is second


async def test_a_screen_that_comes_is_rung_and_one_that_is_lost_is_not_waited_for() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        await ring(door, hall)
        door.pressing.peer_up(KITCHEN.key)
        await kitchen.shows()
        door.street.lose(door, hall)
        await hall.tells("over", why="lost")
        assert details(door, "Hall") == ["lost"]
        door.street.restore(door, hall)
        await hall.shows(2)
        hall.answering.answer()
        await kitchen.tells("over", why="answered elsewhere")


async def test_who_talks_may_lose_its_link_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.node.pressing.RETURN", 0.02)
    monkeypatch.setattr("meshdoor.node.answering.RETURN", 0.02)
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        hall.answering.answer()
        await door.tells("step", step="answered")
        door.street.lose(door, hall)
        door.street.cut.clear()
        await asyncio.sleep(0.03)
        assert door.pressing.press is not None
        door.street.lose(door, hall)
        await door.tells("step", step="ended", detail="lost")
        await hall.tells("over")


async def test_who_talks_and_falls_silent_is_gone() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        door.pressing.silent("p1-1")
        assert not details(door, "Hall")  # it rings, and has nothing to say
        hall.answering.answer()
        await door.tells("step", step="answered")
        door.pressing.silent("p1-1")
        await hall.tells("over", why="answered")
        assert details(door, "Hall") == ["lost"]


async def test_without_a_link_a_screen_is_unreachable() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        door.street.lose(door, kitchen)
        door.pressing.ring("p1", keys(HALL, KITCHEN))
        await hall.shows()
        assert details(door, "Kitchen") == ["unreachable"]


async def test_without_an_engine_it_rings_and_can_be_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with desks(DOOR, HALL) as (door, hall):
        door.fake.broken = True
        door.pressing.ring("p1", keys(HALL))
        await hall.tells("visitor")
        assert hall.answering.busy is Busy.RINGING
        await door.tells("step", step="early")
        hall.answering.answer()
        await door.tells("step", step="answered")
        assert "no picture for Hall" in caplog.text


async def test_a_visitor_who_leaves_before_the_engine_answers_rings_nowhere() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        door.fake.slow.clear()
        door.pressing.ring("p1", keys(HALL))
        await asyncio.sleep(0)
        door.pressing.hang_up()
        door.fake.slow.set()
        await until(lambda: door.fake.closed == ["p1-1"])
        assert not hall.events


async def test_an_engine_that_dies_goes_on_where_it_was() -> None:
    async with desks(DOOR, HALL, KITCHEN) as (door, hall, kitchen):
        await ring(door, hall, kitchen)
        before = door.fake.plan("p1-1")
        for desk, legs in ((door, ("p1-1", "p1-2")), (hall, ("visit-1",))):
            desk.fake.die()
            desk.pressing.legs_lost(legs)
            desk.answering.legs_lost(legs)
        hall.answering.answer()
        await door.tells("step", step="answered", member="Hall")
        await kitchen.tells("over", why="answered elsewhere")
        for desk in (door, hall):
            desk.fake.broken = False
            desk.pressing.engine_back()
            desk.answering.engine_back()
        await door.leg("p1-1")
        await hall.leg("visit-1")
        after = door.fake.plan("p1-1")
        assert (after.audio, after.video, after.gates) == (before.audio, before.video, TALK)
        assert door.fake.reopened == ["p1-1"]
        assert hall.fake.gates("visit-1").microphone


@pytest.mark.parametrize("early", [True, False])
async def test_the_picture_comes_as_soon_as_the_doors_engine_is_there(early: bool) -> None:
    """Of a door that was just switched on. Who answers meanwhile is heard then, too."""
    async with desks(DOOR, HALL) as (door, hall):
        door.fake.there.clear()
        door.pressing.ring("p1", [HALL.key])
        await hall.leg("visit-1")
        assert not door.fake.legs
        if early:
            hall.answering.answer()
            await door.tells("step", step="answered")
        door.fake.there.set()
        door.pressing.engine_back()
        await door.leg("p1-1")
        assert door.fake.gates("p1-1") == (TALK if early else EARLY)
        there, here = hall.fake.plan("visit-1"), door.fake.plan("p1-1")
        assert there.video is not None
        assert here.video is not None
        assert (there.video.rx_key, there.video.direction) == (here.video.tx_key, "recvonly")
        assert here.video.direction == "sendonly"


async def test_an_engine_that_dies_of_the_press(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a camera that wakes up."""
    async with desks(DOOR, HALL) as (door, hall):
        open_leg = door.fake.open_leg

        async def die(leg: str, local: str) -> LegOpened:
            monkeypatch.setattr(door.fake, "open_leg", open_leg)
            door.fake.there.clear()
            raise EngineError("the media engine died")

        monkeypatch.setattr(door.fake, "open_leg", die)
        door.pressing.ring("p1", [HALL.key])
        await hall.leg("visit-1")
        door.fake.there.set()
        door.pressing.engine_back()
        await door.leg("p1-1")
        assert door.fake.gates("p1-1") == EARLY


async def test_a_press_that_ends_before_the_engine_is_there_keeps_no_port() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        door.fake.there.clear()
        press = door.pressing.ring("p1", [HALL.key])
        await hall.leg("visit-1")
        line = press.lines[1]
        assert line.opened is not None
        port = line.opened.video_port
        with pytest.raises(EngineError):
            bind_pair("127.0.0.1", port)
        door.pressing.hang_up()
        await until(lambda: line.reservation is None)
        for each in bind_pair("127.0.0.1", port):
            each.close()


async def test_an_engine_that_dies_again_leaves_it_dark(caplog: pytest.LogCaptureFixture) -> None:
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        for desk, legs in ((door, ["p1-1"]), (hall, ["visit-1"])):
            desk.fake.die()
            desk.pressing.legs_lost(legs)
            desk.answering.legs_lost(legs)
            desk.pressing.engine_back()
            desk.answering.engine_back()
        await until(lambda: caplog.text.count("no picture") == 2)


async def test_what_came_back_too_late_is_closed() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        for desk, legs in ((door, ["p1-1"]), (hall, ["visit-1"])):
            desk.fake.die()
            desk.pressing.legs_lost(legs)
            desk.answering.legs_lost(legs)
            desk.fake.broken = False
            desk.fake.slow.clear()
            desk.pressing.engine_back()
            desk.answering.engine_back()
        await asyncio.sleep(0)
        door.pressing.hang_up()
        await hall.tells("over")
        for desk in (door, hall):
            desk.fake.slow.set()
        await until(lambda: door.fake.closed == ["p1-1"] and hall.fake.closed == ["visit-1"])


async def test_an_engine_that_breaks_in_the_middle_breaks_no_press(caplog: pytest.LogCaptureFixture) -> None:
    async with desks(DOOR, HALL) as (door, hall):
        await ring(door, hall)
        door.fake.broken = hall.fake.broken = True
        hall.answering.answer()
        await door.tells("step", step="answered")
        door.pressing.hang_up()
        await hall.tells("over")
        await until(lambda: door.pressing.press is None)
    assert "the media engine is broken" in caplog.text


async def test_an_answer_that_makes_no_sense_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with desks(DOOR, HALL) as (door, hall):
        press = await ring(door, hall)
        session = press.lines[1].session
        assert session is not None
        (dialog,) = session.early.values()
        press.lines[1].streams = None
        with caplog.at_level(logging.WARNING):
            assert door.pressing.handle(sip.EarlyMedia(session, dialog, b"v=1"))
        assert "an answer cannot be used" in caplog.text


async def test_of_two_that_ring_behind_one_branch_the_one_that_answers_is_heard() -> None:
    async with desks(DOOR, HALL) as (door, hall):
        press = await ring(door, hall)
        session, first = press.lines[1].session, press.lines[1].streams
        assert session is not None
        (dialog,) = session.early.values()
        other = dialog.remote_body.replace(b"m=audio 4", b"m=audio 5")
        assert other != dialog.remote_body
        door.pressing.handle(sip.EarlyMedia(session, dialog, other))
        assert press.lines[1].streams == first
        door.pressing.handle(sip.Answered(session, dialog, other))
        await until(lambda: door.fake.gates("p1-1") == TALK)
        audio = door.fake.plan("p1-1").audio
        assert audio is not None
        assert first is not None
        assert first.audio is not None
        assert audio.remote.port == first.audio.remote.port + 10000


async def test_what_is_of_no_press_is_left_to_others() -> None:
    async with desks(DOOR, HALL, ATTIC) as (door, hall, attic):
        await ring(door, hall)
        line = door.pressing.press.lines[1] if door.pressing.press else None
        assert line is not None
        assert line.session is not None
        assert not attic.pressing.handle(sip.Cancelled(line.session, ()))
        assert not attic.answering.handle(sip.Cancelled(line.session, ()))
        assert door.pressing.involves(HALL.key)
        assert not door.pressing.involves(ATTIC.key)
        attic.pressing.hang_up()
        attic.pressing.peer_up(HALL.key)
        attic.pressing.silent("p1-1")
