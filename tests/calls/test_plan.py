"""Who is rung, who may call whom, who is answered without a person."""

from __future__ import annotations

import pytest

from meshdoor.calls.plan import (
    Answer,
    Asked,
    Kind,
    Policy,
    Reception,
    Silent,
    may_talk,
    no_hand_over,
    objection,
    receive,
    who_is_paged,
    who_rings,
)
from meshdoor.mesh.peer import State
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster
from tests.calls.people import member, peer

DOOR = member("Front", Role.DOOR)
KITCHEN, HALL, BEDROOM = member("Kitchen"), member("Hall"), member("Bedroom")
PHONE = member("Ana", Role.PHONE)
LOCK = member("Lock", Role.LOCK)
BLIND = member("Guest", Role.SCREEN, Permission.VIEW)
DEAF = member("Wall", Role.SCREEN, Permission.TALK)
MUTE = member("Gate", Role.DOOR, Permission.RING)


def test_a_press_rings_who_may_view_and_can_be_reached() -> None:
    everyone = [DOOR, KITCHEN, PHONE, LOCK]
    asked = who_rings([peer(who) for who in everyone], DOOR.key)
    assert asked.rung == (KITCHEN.key, PHONE.key)
    assert asked.silent == ()


@pytest.mark.parametrize("state", [State.READY, State.RINGING, State.IN_CALL])
def test_who_is_busy_is_rung_too(state: State) -> None:
    assert who_rings([peer(KITCHEN, state)], DOOR.key).rung == (KITCHEN.key,)


def test_who_stays_silent_is_told_in_words() -> None:
    peers = [
        peer(KITCHEN, State.UNREACHABLE, None),
        peer(HALL, State.UNREACHABLE, 5.0),
        peer(BEDROOM, State.UNREACHABLE, 5.0, "silent for 12 s"),
        peer(BLIND),
        peer(PHONE, State.UNREACHABLE, None),
        peer(member("Bob", Role.PHONE), State.QUIET),
    ]
    asked = who_rings(peers, DOOR.key)
    assert asked.rung == ()
    assert asked.silent == (
        Silent(KITCHEN.key, "Kitchen", "never seen"),
        Silent(HALL.key, "Hall", "unreachable"),
        Silent(BEDROOM.key, "Bedroom", "unreachable: silent for 12 s"),
        Silent(BLIND.key, "Guest", "Guest may not view"),
        Silent(PHONE.key, "Ana", "its page is not open"),
        Silent(member("Bob").key, "Bob", "quiet hours"),
    )


def test_a_page_goes_to_the_other_screens() -> None:
    asked = who_is_paged([peer(who) for who in (DOOR, KITCHEN, HALL, PHONE)], KITCHEN)
    assert asked.rung == (HALL.key,)
    assert [silent.why for silent in who_is_paged([peer(HALL)], PHONE).silent] == [
        "Ana is a phone, and pages go from screen to screen"
    ]


@pytest.mark.parametrize(
    ("caller", "callee"),
    [(DOOR, KITCHEN), (DOOR, PHONE), (KITCHEN, DOOR), (PHONE, DOOR), (KITCHEN, PHONE), (PHONE, HALL)],
)
def test_who_may_call_whom(caller: Member, callee: Member) -> None:
    assert objection(caller, callee) == ""


@pytest.mark.parametrize(
    ("caller", "callee", "why"),
    [
        (KITCHEN, KITCHEN, "Kitchen would call itself"),
        (MUTE, KITCHEN, "Gate may not ring"),
        (DOOR, LOCK, "Lock is a lock"),
        (DOOR, MUTE, "Gate is a door"),
        (DOOR, BLIND, "Guest may not view"),
        (BLIND, DOOR, "Guest may not view"),
        (LOCK, DOOR, "Lock is a lock"),
        (LOCK, KITCHEN, "Lock is a lock"),
        (KITCHEN, LOCK, "Lock is a lock"),
        (DEAF, KITCHEN, "Wall may not talk"),
    ],
)
def test_who_may_not_and_why(caller: Member, callee: Member, why: str) -> None:
    assert objection(caller, callee) == why


def test_only_screens_page_screens() -> None:
    assert objection(KITCHEN, HALL, page=True) == ""
    assert objection(KITCHEN, PHONE, page=True) == "Ana is a phone, and pages go from screen to screen"


def test_talk_needs_the_permission() -> None:
    roster = Roster(members={who.key: who for who in (DOOR, KITCHEN)})
    assert may_talk(roster, KITCHEN.key) == ""
    assert may_talk(roster, DOOR.key) == "Front may not talk"
    assert may_talk(roster, HALL.key) == "it is no member of this home"


@pytest.mark.parametrize(
    ("giver", "taker", "why"),
    [
        (KITCHEN, HALL, ""),
        (PHONE, KITCHEN, ""),
        (KITCHEN, PHONE, "Ana: its page is not open"),
        (KITCHEN, BLIND, "Guest: Guest may not view"),
        (KITCHEN, LOCK, "there is no such room"),
        (KITCHEN, KITCHEN, "that is who talks now"),
        (DEAF, HALL, "Wall may not talk"),
        (BEDROOM, HALL, "it is no member of this home"),
    ],
)
def test_who_may_hand_over_to_whom(giver: Member, taker: Member, why: str) -> None:
    rooms = (KITCHEN, HALL, BLIND, LOCK, DEAF)
    roster = Roster(members={who.key: who for who in (*rooms, PHONE)})
    peers = [*map(peer, rooms), peer(PHONE, State.UNREACHABLE, None)]
    assert no_hand_over(roster, peers, DOOR.key, giver.key, taker.key) == why


def test_a_door_is_open_to_who_may_view_even_while_it_is_in_a_call() -> None:
    assert receive(DOOR, KITCHEN, Policy(), busy=True) == Reception(Kind.MONITOR, Answer.AUTO)
    assert receive(DOOR, BLIND, Policy()) == Reception(Kind.MONITOR, Answer.REFUSE, 403, "Guest may not view")


def test_a_visitor_always_rings() -> None:
    listed = Policy(frozenset({"Front"}))
    assert receive(KITCHEN, DOOR, listed, busy=True) == Reception(Kind.VISITOR, Answer.RING)


def test_only_listed_callers_are_answered_without_a_person() -> None:
    listed = Policy(frozenset({" hall ", BEDROOM.device_id}))
    assert receive(KITCHEN, HALL, listed).answer is Answer.AUTO
    assert receive(KITCHEN, BEDROOM, listed, page=True) == Reception(Kind.PAGE, Answer.AUTO)
    assert receive(KITCHEN, PHONE, listed) == Reception(Kind.ROOM, Answer.RING)
    assert receive(KITCHEN, HALL, Policy()).answer is Answer.RING


def test_nobody_cuts_into_a_conversation() -> None:
    listed = Policy(frozenset({"Hall"}))
    assert receive(KITCHEN, HALL, listed, busy=True) == Reception(
        Kind.ROOM, Answer.REFUSE, 486, "Kitchen is in a call"
    )


def test_a_press_may_be_for_some() -> None:
    asked = who_rings([peer(HALL), peer(PHONE), peer(BLIND)], DOOR.key)
    assert asked.only({HALL.key, BLIND.key}) == Asked((HALL.key,), asked.silent)
    assert asked.only(()) == Asked((), ())
