"""Calls between nodes: real SIP and SDP, engines that take notes."""

from __future__ import annotations

import pytest

from meshdoor.calls.plan import Policy
from meshdoor.errors import NotFound, Refused
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import INACTIVE, RECVONLY, SENDONLY, SENDRECV, Gates, StreamPlan
from meshdoor.media.reports import LegOpened
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import media_plan, talking
from meshdoor.node.digits import Digits
from meshdoor.node.talking import Settings
from meshdoor.sip import events as sip
from meshdoor.sip.uas import UasSession
from meshdoor.trust.permissions import Permission, Role
from tests.calls.people import member
from tests.fakes.rooms import FakeRooms, rooms
from tests.mesh.nodes import turn_until as until

DOOR, HALL, KITCHEN, ATTIC = member("Door", Role.DOOR), member("Hall"), member("Kitchen"), member("Attic")
LOCK = member("Lock", Role.LOCK)
AUTO = Settings(Policy(frozenset({"hall"})))
SHUT, ALL = Gates(picture=False), Gates(microphone=True, speaker=True, picture=True)


def plans(command: StartLeg | Gates) -> tuple[StreamPlan, StreamPlan]:
    assert isinstance(command, StartLeg)
    assert command.audio is not None
    assert command.video is not None
    return command.audio, command.video


def directions(command: StartLeg | Gates) -> tuple[str, str]:
    audio, video = plans(command)
    return audio.direction, video.direction


async def looking(hall: FakeRooms, door: FakeRooms) -> None:
    hall.talking.monitor("door")
    await hall.leg()
    await door.leg()


async def conversing(one: FakeRooms, other: FakeRooms) -> None:
    one.talking.call(other.member.name)
    await other.tells("ring", on=True)
    assert other.talking.answer() is not None
    await one.tells("call", state="connected")


async def test_who_looks_sees_and_neither_hears_nor_is_heard() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        row = hall.talking.monitor(None)
        assert row == {"call": 1, "kind": "monitor", "with": "Door", "called": False, "state": "calling", "why": ""}
        (seen,), (shown,) = await hall.leg(), await door.leg()
        assert (directions(seen), directions(shown)) == ((INACTIVE, RECVONLY), (INACTIVE, SENDONLY))
        assert isinstance(seen, StartLeg)
        assert isinstance(shown, StartLeg)
        assert seen.gates == shown.gates == Gates(picture=True)
        kinds = [event["event"] for event in door.events]
        assert kinds.index("monitored") == 0
        assert (hall.talking.busy, door.talking.busy) == (Busy.FREE, Busy.FREE)
        assert not hall.talking.engaged
        assert hall.talking.hang_up() == ["Door"]
        await door.tells("monitored", by="Hall", on=False)
        await until(lambda: hall.fake.closed and door.fake.closed)
        assert (hall.engaged, hall.talking.rows(), hall.hurried) == ([], [], {DOOR.key: None})


async def test_talk_opens_the_sound_and_leaves_the_picture_as_it_is() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        assert hall.talking.talk()["state"] == "asking"
        before, after = await hall.leg(commands=2)
        assert directions(after) == (SENDRECV, RECVONLY)
        assert isinstance(after, StartLeg)
        assert after.gates == ALL
        assert plans(after)[1] == plans(before)[1]
        at_door = await door.leg(commands=2)
        assert plans(at_door[1])[1] == plans(at_door[0])[1]
        audio = plans(after)[0]
        assert (audio.tx_key, audio.rx_key) == (plans(at_door[1])[0].rx_key, plans(at_door[1])[0].tx_key)
        assert plans(before)[0].tx_key == audio.tx_key
        assert (hall.talking.busy, hall.engaged) == (Busy.IN_CALL, [True])
        assert hall.talking.talk()["state"] == "talking"
        with pytest.raises(Refused, match="talks here with Door"):
            hall.talking.monitor("door")


async def test_who_may_not_talk_is_told_so() -> None:
    async with rooms(member("Hall", Role.SCREEN, Permission.TALK), DOOR) as (hall, door):
        await looking(hall, door)
        hall.talking.talk()
        assert (await hall.tells("no talk"))["why"] == "not permitted"
        assert hall.talking.rows()[0]["state"] == "connected"


@pytest.mark.parametrize("visitor", [True, False])
async def test_one_talks_at_a_door(visitor: bool) -> None:
    async with rooms(HALL, KITCHEN, DOOR) as (hall, kitchen, door):
        await looking(hall, door)
        door.visitor = visitor
        if not visitor:
            kitchen.talking.monitor("door")
            await kitchen.leg()
            kitchen.talking.talk()
            await kitchen.tells("call", state="talking")
        hall.talking.talk()
        assert (await hall.tells("no talk"))["why"] == "somebody talks there"
        door.talking.yield_sound()
        assert len(door.talking.active) == 1


async def test_a_room_rings_and_is_answered() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        hall.talking.call("kitchen")
        assert (await kitchen.tells("ring", on=True))["with"] == "Hall"
        await hall.tells("call", state="ringing")
        assert (hall.talking.busy, kitchen.talking.busy) == (Busy.RINGING, Busy.RINGING)
        assert kitchen.fake.legs == {"call-1": []}  # not one device is open before somebody answers
        assert kitchen.talking.answer(9) is None
        assert kitchen.talking.answer(1)["state"] == "connected"
        for each in (hall, kitchen):
            (command,) = await each.leg()
            assert directions(command) == (SENDRECV, INACTIVE)
        assert kitchen.told("ring", on=False)
        assert kitchen.talking.answer() is None
        assert kitchen.talking.involves(HALL.key)
        with pytest.raises(Refused, match="nobody to talk to"):
            kitchen.talking.talk()
        kitchen.talking.hang_up()
        assert (await hall.tells("call", state="ended"))["why"] == "answered"


async def test_rooms_with_cameras_see_each_other() -> None:
    async with rooms(HALL, KITCHEN, settings=Settings(camera=True)) as (hall, kitchen):
        await conversing(hall, kitchen)
        assert directions((await hall.leg())[0]) == (SENDRECV, SENDRECV)


async def test_nobody_cuts_into_a_conversation() -> None:
    async with rooms(HALL, KITCHEN, ATTIC) as (hall, kitchen, attic):
        await conversing(hall, kitchen)
        attic.talking.call("hall")
        assert (await attic.tells("call", state="ended"))["why"] == "busy"


@pytest.mark.parametrize(("verb", "why"), [("decline", "declined"), ("hang_up", "cancelled")])
async def test_a_call_that_comes_to_nothing(verb: str, why: str) -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        hall.talking.call("kitchen")
        await hall.tells("call", state="ringing")
        assert kitchen.talking.hang_up() == []  # it only rings
        assert (kitchen if verb == "decline" else hall).talking.__getattribute__(verb)()
        assert (await hall.tells("call", state="ended"))["why"] == why
        await kitchen.tells("call", state="ended")
        await until(lambda: hall.fake.closed and kitchen.fake.closed)
        assert not hall.talking._conversations
        assert hall.talking.decline() is None


async def test_nobody_answers_in_time() -> None:
    async with rooms(HALL, KITCHEN, settings=Settings(timeout=0.05)) as (hall, kitchen):
        hall.talking.call("kitchen")
        assert (await hall.tells("call", state="ended"))["why"] == "missed"
        assert (await kitchen.tells("call", state="ended"))["why"] == "missed"


async def test_given_up_before_the_engine_is_there() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        hall.fake.slow.clear()
        hall.talking.call("kitchen")
        hall.talking.hang_up()
        assert not hall.talking._conversations
        hall.fake.slow.set()
        await until(lambda: hall.fake.closed)
        assert kitchen.events == []


async def test_given_up_before_the_other_engine_is_there() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        kitchen.fake.slow.clear()
        hall.talking.call("kitchen")
        await hall.tells("call", state="ringing")
        kitchen.talking.answer()
        hall.talking.hang_up()
        await kitchen.tells("call", state="ended")
        kitchen.fake.slow.set()
        await until(lambda: kitchen.fake.closed)


async def test_without_an_engine_there_is_no_call() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        kitchen.fake.broken = True
        hall.talking.call("kitchen")
        assert (await hall.tells("call", state="ended"))["why"] == "failed"
        await kitchen.tells("call", state="ended")
        hall.fake.broken = True
        hall.talking.call("kitchen")
        await hall.tells("call", call=2, state="ended", why="failed")


async def test_an_engine_that_breaks_meanwhile_is_survived() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        hall.fake.broken = True
        hall.talking.talk()
        await hall.tells("call", state="talking")
        hall.talking.hang_up()
        await door.tells("call", state="ended")


async def test_an_engine_that_died_ends_its_calls() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        hall.talking.legs_lost(("call-9",))
        assert hall.talking.active
        hall.talking.legs_lost(("call-1",))
        assert not hall.talking.active
        await door.tells("call", state="ended")


async def test_a_link_that_comes_back_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "RETURN", 0.02)
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        await conversing(hall, kitchen)
        hall.house.lose(hall, kitchen)
        hall.house.restore()
        await hall.leg()
        hall.talking._vanished(hall.talking.active[0])
        assert hall.talking.active
        hall.house.lose(hall, kitchen)
        await hall.tells("call", state="ended")
        await kitchen.tells("call", state="ended")


async def test_a_link_lost_while_it_rings_ends_it_at_once() -> None:
    async with rooms(HALL, KITCHEN, ATTIC) as (hall, kitchen, attic):
        hall.talking.call("kitchen")
        await hall.tells("call", state="ringing")
        hall.house.lose(hall, attic)
        assert hall.talking.active
        hall.house.lose(hall, kitchen)
        assert (await hall.tells("call", state="ended"))["why"] == "lost"
        await kitchen.tells("call", state="ended", why="lost")


async def test_who_is_revoked_sees_nothing_more() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        del door.house.members[HALL.key]
        door.house.lose(hall, door)
        assert door.told("monitored", on=False)


async def test_a_page_is_heard_where_policy_says_so_and_rings_elsewhere() -> None:
    async with rooms(HALL, KITCHEN, ATTIC, DOOR, settings=AUTO) as (hall, kitchen, attic, _):
        attic.settings = Settings()
        said = hall.talking.page()
        assert [row["with"] for row in said["calls"]] == ["Kitchen", "Attic"]
        (heard,) = await kitchen.leg()
        assert directions(heard) == (RECVONLY, INACTIVE)
        assert kitchen.told("monitored", by="Hall", on=True)
        assert (await attic.tells("ring", on=True))["kind"] == "page"
        assert attic.fake.legs == {"call-1": []}
        assert kitchen.talking.talk()["state"] == "asking"
        await hall.tells("call", call=1, state="talking")
        assert hall.talking.hang_up() == ["Kitchen", "Attic"]


async def test_nobody_to_page() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        hall.house.lose(hall, kitchen)
        with pytest.raises(Refused, match="no screen to page") as caught:
            hall.talking.page()
        assert caught.value.hint == "Kitchen: unreachable"


@pytest.mark.parametrize(
    ("name", "verb", "args", "why"),
    [
        ("Door", "call", ["hall"], "Door is a door, and calls nobody"),
        ("Lock", "monitor", ["door"], "Lock is a lock, and calls nobody"),
        ("Lock", "page", [], "Lock is a lock, and calls nobody"),
        ("Hall", "call", ["door"], "Door is a door"),
        ("Hall", "call", ["lock"], "Hall may not call Lock: Lock is a lock"),
        ("Hall", "call", ["hall"], "Hall would call itself"),
        ("Hall", "monitor", ["kitchen"], "Kitchen is a screen, not a door"),
        ("Hall", "talk", [], "nobody to talk to"),
    ],
)
async def test_what_is_refused_in_words(name: str, verb: str, args: list[str], why: str) -> None:
    async with rooms(HALL, KITCHEN, DOOR, LOCK) as made:
        node = next(each for each in made if each.member.name == name)
        with pytest.raises(Refused, match=why):
            node.talking.__getattribute__(verb)(*args)
        assert node.talking.rows() == []


async def test_who_cannot_be_called() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        with pytest.raises(NotFound, match="no member is called"):
            hall.talking.call("Cellar")
        with pytest.raises(NotFound, match="no door in this home"):
            hall.talking.monitor(None)
        hall.house.lose(hall, kitchen)
        with pytest.raises(Refused, match="Kitchen is unreachable"):
            hall.talking.call("kitchen")
        hall.visitor = True
        hall.house.restore()
        with pytest.raises(Refused, match="talks here with a visitor"):
            hall.talking.call("kitchen")
        del hall.house.members[HALL.key]
        with pytest.raises(Refused, match="in no home"):
            hall.talking.call("kitchen")


async def test_several_doors() -> None:
    async with rooms(HALL, DOOR, member("Gate", Role.DOOR)) as (hall, _, _):
        with pytest.raises(NotFound, match="several doors: Door, Gate"):
            hall.talking.monitor(None)


async def test_looking_gives_way_to_what_a_person_begins_or_answers() -> None:
    async with rooms(HALL, KITCHEN, DOOR) as (hall, kitchen, door):
        await looking(hall, door)
        hall.talking.monitor("door")
        await hall.tells("call", call=1, state="ended")
        await hall.tells("call", call=2, state="connected")
        kitchen.talking.call("hall")
        await hall.tells("ring", on=True)
        assert len(hall.talking.active) == 2
        hall.talking.answer()
        await hall.tells("call", call=2, state="ended")
        assert [row["with"] for row in hall.talking.rows()] == ["Kitchen"]
        hall.talking.leave()
        assert (hall.talking.rows(), hall.engaged) == ([], [True, False])


async def test_too_many_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "MAX_CALLS", 1)
    async with rooms(HALL, KITCHEN, DOOR) as (hall, kitchen, door):
        await looking(hall, door)
        kitchen.talking.monitor("door")
        assert (await kitchen.tells("call", state="ended"))["why"] == "busy"


PLAIN = b"v=0\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n"


@pytest.mark.parametrize("body", [b"v=0\r\n", b"nonsense", PLAIN])
async def test_an_offer_that_is_of_no_use(body: bytes) -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        target = hall.target(KITCHEN.key)
        assert target is not None
        hall.endpoint.invite(target, body)
        await until(lambda: hall.strays and isinstance(hall.strays[-1], sip.Rejected))
        assert isinstance(over := hall.strays[-1], sip.Rejected)
        assert over.response.status == 488
        assert kitchen.told("call", state="ended")


@pytest.mark.parametrize("body", [b"", b"nonsense"])
async def test_a_later_offer_that_is_of_no_use_changes_nothing(body: bytes) -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        (call,) = hall.talking.active
        assert call.session is not None
        with hall.endpoint.acting() as now:
            call.session.reinvite(body, now)
        assert hall.talking.talk()["state"] == "asking"  # once that offer is out of the way
        await hall.tells("call", state="talking")
        assert not hall.told("no talk")
        assert not door.told("call", state="ended")


async def test_the_door_does_not_open_the_sound_of_who_looks() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        with pytest.raises(Refused, match="nobody to talk to"):
            door.talking.talk()
        session = door.talking.active[0].session
        assert session is not None
        body = session.local_body.replace(b"a=inactive", b"a=sendrecv")
        assert body != session.local_body
        await until(lambda: session.phase.value == "confirmed")
        with door.endpoint.acting() as now:
            session.reinvite(body, now)
        for _ in range(50):
            await until(lambda: True)
        assert hall.talking.rows()[0]["state"] == "connected"
        assert len(await hall.leg()) == 1


async def test_a_session_that_the_stack_ends_is_over() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        session = hall.talking.active[0].session
        assert session is not None
        with hall.endpoint.acting() as now:
            session.bye((), now)
        await hall.tells("call", state="ended")
        await door.tells("call", state="ended")


@pytest.mark.parametrize("broken", [False, True])
async def test_somebody_who_answers_in_another_way(broken: bool) -> None:
    """Early media is heard; an answer that is of no use ends the call."""
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        kitchen.fake.slow.clear()
        hall.talking.call("kitchen")
        await hall.tells("call", state="ringing")
        (call,) = kitchen.talking.active
        offer = hall.talking.active[0].session
        assert isinstance(call.session, UasSession)
        assert offer is not None
        place = media_plan.Place("127.0.0.1", LegOpened(4000, 4002, 1, 2), "127.0.0.1")
        body, _ = media_plan.answer(offer.local_body, place)
        with kitchen.endpoint.acting() as now:
            call.session.provisional(183, b"nonsense" if broken else body, now)
        if not broken:
            (heard,) = await hall.leg()
            assert isinstance(heard, StartLeg)
            assert heard.gates == Gates(speaker=True, picture=False)
        with kitchen.endpoint.acting() as now:
            call.session.accept(b"nonsense" if broken else body, now)
        if not broken:
            await hall.tells("call", state="connected")
            assert (await hall.leg(commands=2))[1] == ALL
            hall.talking.hang_up()
        for each in (hall, kitchen):
            await each.tells("call", state="ended")


async def test_digits_go_to_whom_this_room_talks_with() -> None:
    async with rooms(HALL, KITCHEN) as (hall, kitchen):
        digits = Digits(hall, (hall.talking,))
        hall.talking.call("kitchen")
        with pytest.raises(Refused, match="nobody is talked with"):
            await digits.send("1")
        await kitchen.tells("ring", on=True)
        kitchen.talking.answer()
        await hall.leg()
        assert (await digits.send("1#"))["with"] == "Kitchen"
        assert hall.fake.digits == [("call-1", "1#")]


async def test_who_only_looks_types_nothing() -> None:
    async with rooms(HALL, DOOR) as (hall, door):
        await looking(hall, door)
        with pytest.raises(Refused, match="nobody is talked with"):
            await Digits(hall, (hall.talking,)).send("1")
