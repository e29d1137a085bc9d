"""Visitors at a screen: what the person does, what the door does, what goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from meshdoor.calls.visitors import MAX_VISITS, SNAPSHOT_AFTER
from meshdoor.errors import Refused
from meshdoor.media.plans import Gates
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import calling
from meshdoor.trust.permissions import Role
from tests.calls.people import member
from tests.fakes.desks import DOOR, HALL, KITCHEN, FakeDesk, desks
from tests.mesh.nodes import turn_until as until
from tests.patience import PATIENCE

GATE = member("Gate", Role.DOOR)
PEEK = Gates(picture=True)


async def ring(screen: FakeDesk, *doors: FakeDesk) -> None:
    for number, door in enumerate(doors, 1):
        door.pressing.ring(f"p{number}", [screen.member.key])
        await screen.leg(f"visit-{number}")


async def test_who_is_there() -> None:
    async with desks(HALL, DOOR) as (hall, door):
        assert hall.answering.busy is Busy.FREE
        await ring(hall, door)
        assert hall.answering.visits() == [{"visit": 1, "door": "Door", "state": "ringing"}]
        assert hall.answering.rings
        assert hall.answering.involves(DOOR.key)
        assert hall.told("bell", on=True)
        assert hall.answering.answer() == {"visit": 1, "door": "Door"}
        assert hall.told("answered", visit=1)
        await door.tells("step", step="answered")
        assert hall.answering.hang_up()
        await door.tells("step", step="ended", detail="answered")


async def test_nothing_rings() -> None:
    async with desks(HALL) as (hall,):
        for act in (hall.answering.answer, hall.answering.decline):
            with pytest.raises(Refused, match="nothing rings here"):
                act()
        assert not hall.answering.hang_up()


async def test_an_answer_before_the_engine_is_there() -> None:
    async with desks(HALL, DOOR) as (hall, door):
        hall.fake.slow.clear()
        door.pressing.ring("p1", [HALL.key])
        await hall.tells("visitor")
        hall.answering.answer()
        assert not door.told("step", step="answered")
        hall.fake.slow.set()
        await door.tells("step", step="answered")
        assert hall.fake.gates("visit-1").microphone


async def test_a_door_that_gives_up_before_the_engine_is_there() -> None:
    async with desks(HALL, DOOR) as (hall, door):
        hall.fake.slow.clear()
        door.pressing.ring("p1", [HALL.key])
        await hall.tells("visitor")
        door.street.lose(door, hall)
        await hall.tells("over", why="lost")
        hall.fake.slow.set()
        await asyncio.sleep(0.01)
        assert not hall.fake.legs


async def test_the_picture_comes_as_soon_as_the_engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a screen that was just switched on."""
    monkeypatch.setattr(calling, "ENGINE_PATIENCE", 0.01)
    async with desks(HALL, DOOR) as (hall, door):
        hall.fake.there.clear()
        door.pressing.ring("p1", [HALL.key])
        await door.tells("step", step="provisional")
        assert not door.told("step", step="early")
        hall.fake.there.set()
        await door.tells("step", step="early")
        await hall.leg("visit-1")
        assert hall.fake.gates("visit-1").picture
        assert not hall.fake.gates("visit-1").microphone
        hall.answering.answer()
        await door.tells("step", step="answered")


@pytest.mark.parametrize("decision", ["answer", "decline", "lost"])
async def test_nobody_waits_for_an_engine_that_does_not_come(monkeypatch: pytest.MonkeyPatch, decision: str) -> None:
    monkeypatch.setattr(calling, "ENGINE_PATIENCE", 0.01)
    async with desks(HALL, DOOR) as (hall, door):
        hall.fake.there.clear()
        door.pressing.ring("p1", [HALL.key])
        await door.tells("step", step="provisional")
        if decision == "answer":
            hall.answering.answer()
            await door.tells("step", step="answered")
        elif decision == "decline":
            hall.answering.decline()
            await door.tells("step", step="ended", detail="declined")
        else:
            door.street.lose(door, hall)
            await hall.tells("over", why="lost")


async def test_the_second_door_knocks_while_the_first_one_talks() -> None:
    async with desks(HALL, DOOR, GATE) as (hall, door, gate):
        await ring(hall, door)
        hall.answering.answer()
        gate.pressing.ring("p2", [HALL.key])
        await hall.leg("visit-2")
        assert hall.told("knock", visit=2)
        assert hall.fake.gates("visit-2") == PEEK
        hall.answering.answer(2)
        await hall.tells("over", visit=1, why="answered")
        await gate.tells("step", step="answered")


async def test_a_conversation_is_left_for_a_visitor() -> None:
    async with desks(HALL, DOOR) as (hall, door):
        hall.answering.in_call(True)
        await ring(hall, door)
        assert hall.told("knock")
        hall.answering.answer()
        assert hall.left_calls == 1


async def test_too_many_visitors_are_sent_away() -> None:
    doors = [member(f"Door {number}", Role.DOOR) for number in range(MAX_VISITS + 1)]
    async with desks(HALL, *doors) as (hall, *made):
        for number, door in enumerate(made[:-1], 1):
            door.pressing.ring(f"p{number}", [HALL.key])
            await hall.leg(f"visit-{number}")
        made[-1].pressing.ring("late", [HALL.key])
        await made[-1].tells("step", step="ended", detail="busy")


async def test_without_an_engine_it_rings_in_the_dark(caplog: pytest.LogCaptureFixture) -> None:
    async with desks(HALL, DOOR) as (hall, door):
        hall.fake.broken = True
        door.pressing.ring("p1", [HALL.key])
        await door.tells("step", step="early")
        assert "no picture" in caplog.text
        hall.answering.answer()
        await door.tells("step", step="answered")


async def test_an_offer_that_makes_no_sense_is_refused() -> None:
    async with desks(HALL, DOOR) as (hall, door):
        target = door.target(HALL.key)
        assert target is not None
        door.endpoint.invite(target, b"v=1")
        await hall.tells("over", why="lost")


async def test_a_door_that_falls_silent_is_gone() -> None:
    async with desks(HALL, DOOR, GATE) as (hall, door, _):
        await ring(hall, door)
        hall.answering.silent("visit-1")
        assert not hall.told("over")
        hall.answering.answer()
        await door.tells("step", step="answered")
        hall.answering.peer_down(GATE.key)  # another door
        hall.answering.silent("visit-1")
        assert hall.told("over")
        await until(lambda: not hall.answering.visits())


async def test_a_picture_is_kept_of_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.calls.visitors.SNAPSHOT_AFTER", 0.01)
    assert SNAPSHOT_AFTER > 1
    taken, done = [], asyncio.Event()

    async def snap(press: str, leg: str, door: bytes) -> None:
        taken.append((press, leg, door))
        done.set()

    async with desks(HALL, DOOR) as (hall, door):
        hall.answering.snap = snap
        await ring(hall, door)
        await asyncio.wait_for(done.wait(), PATIENCE)
    assert taken == [("p1", "visit-1", DOOR.key)]


async def test_two_answer_at_once_and_one_talks() -> None:
    async with desks(HALL, KITCHEN, DOOR) as (hall, kitchen, door):
        door.pressing.ring("p1", [HALL.key, KITCHEN.key])
        await hall.leg("visit-1")
        await kitchen.leg("visit-1")
        hall.answering.answer()
        kitchen.answering.answer()
        await until(lambda: hall.told("over") or kitchen.told("over"))
        loser = hall if hall.told("over") else kitchen
        assert loser.told("over", why="answered elsewhere")
        assert len(door.told("step", step="answered")) == 1
