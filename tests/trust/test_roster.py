from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from meshdoor.errors import NotFound
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster, evaluate
from meshdoor.trust.statement import Change, Statement
from tests.trust.house import DEVICES, admit, chain, founding, key, names, revoke, say

FOUND = founding()
# Hall admits Kitchen, who admits Bedroom; each of the three may admit.
FAMILY = chain(FOUND, ("Hall", admit("Kitchen")), ("Kitchen", admit("Bedroom")))
LAST = FAMILY[-1]


def test_without_statements_there_is_no_home() -> None:
    assert evaluate([]) == Roster()
    assert not Roster().may(key("Hall"), Permission.VIEW)


def test_the_founder_is_the_first_member() -> None:
    roster = evaluate([FOUND])
    hall = roster.member(key("Hall"))
    assert hall is not None
    assert (roster.home, roster.home_name, roster.heads) == (FOUND.id, "Our house", (FOUND.id,))
    assert (hall.name, hall.role, hall.admitted_by) == ("Hall", Role.SCREEN, key("Hall"))
    assert hall.certificate == DEVICES["Hall"].certificate
    assert roster.may(key("Hall"), Permission.ADMIT)
    assert str(hall) == f"Hall ({DEVICES['Hall'].device_id})"


def test_an_admitted_admin_admits() -> None:
    roster = evaluate(FAMILY)
    assert names(roster) == {"Hall", "Kitchen", "Bedroom"}
    assert roster.members[key("Bedroom")].admitted_by == key("Kitchen")
    assert [member.name for member in sorted(roster.members.values(), key=seniority)] == [
        "Hall",
        "Kitchen",
        "Bedroom",
    ]


def seniority(member: Member) -> tuple[int, bytes]:
    return member.seniority


def test_the_digest_is_of_the_heads() -> None:
    assert len(evaluate(FAMILY).digest) == 16
    assert evaluate(FAMILY).digest == evaluate(FAMILY[::-1]).digest != evaluate(FAMILY[:-1]).digest


@pytest.mark.parametrize("device", ["Phone", "Gate", "Lock", "Rogue"])
def test_who_may_not_admit_admits_nobody(device: str) -> None:
    welcome = [("Hall", admit(device))] if device != "Rogue" else []
    statements = chain(FOUND, *welcome, (device, admit("Attic")))
    assert "Attic" not in names(evaluate(statements))


def test_an_admission_that_the_author_had_not_seen_gives_it_nothing() -> None:
    kitchen = say("Hall", admit("Kitchen"), FOUND)
    early = say("Kitchen", admit("Attic"), FOUND)
    assert names(evaluate([FOUND, kitchen, early])) == {"Hall", "Kitchen"}


def test_a_door_only_rings_whatever_anyone_signs() -> None:
    statements = chain(
        FOUND,
        ("Hall", admit("Gate", permissions=Permission)),
        ("Hall", Change(key("Gate"), permissions=frozenset({Permission.RING, Permission.OPEN}))),
        ("Hall", admit("Gate", Role.SCREEN, Permission)),
        ("Gate", admit("Attic")),
    )
    roster = evaluate(statements)
    assert roster.members[key("Gate")].permissions == {Permission.RING}
    assert names(roster) == {"Hall", "Gate"}


def test_a_change_renames_and_sets_permissions() -> None:
    statements = chain(
        LAST,
        ("Hall", Change(key("Kitchen"), name="Küche")),
        ("Hall", Change(key("Kitchen"), permissions=frozenset({Permission.VIEW}))),
        ("Hall", Change(key("Kitchen"))),
        ("Hall", Change(key("Rogue"), name="Nobody")),
    )
    member = evaluate([*FAMILY[:-1], *statements]).members[key("Kitchen")]
    assert member.name == "Küche"
    assert member.permissions == {Permission.VIEW, Permission.ADMIT}


def test_of_two_concurrent_changes_the_later_one_counts() -> None:
    one, two = (say("Hall", Change(key("Hall"), name=name), FOUND) for name in ("One", "Two"))
    expected = "One" if one.id > two.id else "Two"
    assert names(evaluate([FOUND, one, two])) == names(evaluate([two, one, FOUND])) == {expected}


def test_a_revoked_device_is_out_and_remembered() -> None:
    roster = evaluate([*FAMILY, say("Hall", revoke("Bedroom"), LAST)])
    assert names(roster) == {"Hall", "Kitchen"}
    assert roster.revoked[key("Bedroom")].name == "Bedroom"


def test_a_revoked_key_never_returns() -> None:
    statements = chain(LAST, ("Hall", revoke("Bedroom")), ("Hall", admit("Bedroom")), ("Bedroom", admit("Attic")))
    beside = say("Kitchen", admit("Bedroom"), LAST)
    assert names(evaluate([*FAMILY[:-1], *statements, beside])) == {"Hall", "Kitchen"}


def test_a_revoke_of_an_unknown_key_bars_it() -> None:
    statements = chain(FOUND, ("Hall", revoke("Rogue")), ("Hall", admit("Rogue")))
    assert names(evaluate(statements[:2])) == {"Hall"}
    assert names(evaluate(statements)) == {"Hall"}


def test_a_revoke_voids_what_it_had_not_seen() -> None:
    unseen = chain(LAST, ("Kitchen", admit("Attic")), ("Attic", admit("Phone")))
    out = say("Hall", revoke("Kitchen"), LAST)
    assert names(evaluate([*FAMILY[:-1], *unseen, out])) == {"Hall", "Bedroom"}


def test_a_revoke_keeps_what_it_had_seen() -> None:
    assert names(evaluate([*FAMILY, say("Hall", revoke("Kitchen"), LAST)])) == {"Hall", "Bedroom"}


def test_who_was_admitted_by_a_void_statement_can_be_admitted_again() -> None:
    attic = say("Kitchen", admit("Attic"), LAST)
    out = say("Hall", revoke("Kitchen"), LAST)
    again = say("Hall", admit("Attic"), attic, out)
    by_attic = say("Attic", admit("Phone"), again)
    assert names(evaluate([*FAMILY, attic, out, again, by_attic])) == {"Hall", "Bedroom", "Attic", "Phone"}


def test_a_device_can_leave() -> None:
    leaving = chain(LAST, ("Kitchen", revoke("Kitchen")), ("Kitchen", admit("Attic")))
    assert names(evaluate([*FAMILY[:-1], *leaving])) == {"Hall", "Bedroom"}


@pytest.mark.parametrize(("senior", "junior"), [("Hall", "Kitchen"), ("Kitchen", "Bedroom"), ("Hall", "Bedroom")])
def test_of_two_who_revoke_each_other_the_one_admitted_earlier_stands(senior: str, junior: str) -> None:
    duel = [say(senior, revoke(junior), LAST), say(junior, revoke(senior), LAST)]
    roster = evaluate([*FAMILY, *duel])
    assert key(senior) in roster.members
    assert key(junior) in roster.revoked


def test_who_saw_its_own_revoke_cannot_strike_back() -> None:
    out = say("Bedroom", revoke("Hall"), LAST)
    back = say("Hall", revoke("Bedroom"), out)
    assert names(evaluate([*FAMILY, out, back])) == {"Kitchen", "Bedroom"}


def test_a_revoke_strikes_down_the_revokes_of_its_target() -> None:
    first = say("Hall", revoke("Kitchen"), LAST)
    second = say("Kitchen", revoke("Bedroom"), LAST)
    third = say("Bedroom", revoke("Attic"), LAST)
    assert names(evaluate([*FAMILY, first, second, third])) == {"Hall", "Bedroom"}


def test_a_revoke_strikes_down_the_revokes_of_whom_its_target_let_in() -> None:
    attic = say("Kitchen", admit("Attic"), LAST)
    by_attic = say("Attic", revoke("Bedroom"), attic)
    out = say("Hall", revoke("Kitchen"), LAST)
    assert names(evaluate([*FAMILY, attic, by_attic, out])) == {"Hall", "Bedroom"}


def test_a_circle_of_three_is_won_by_the_most_senior() -> None:
    circle = [
        say("Hall", revoke("Kitchen"), LAST),
        say("Kitchen", revoke("Bedroom"), LAST),
        say("Bedroom", revoke("Hall"), LAST),
    ]
    # Hall's revoke stands and Bedroom's, which attacked it, falls; Kitchen's is void.
    assert names(evaluate([*FAMILY, *circle])) == {"Hall", "Bedroom"}


def test_what_a_circle_attacks_waits_for_the_circle() -> None:
    # Kitchen and Bedroom duel; Bedroom also revoked Attic, and Attic revoked Phone.
    attic = say("Hall", admit("Attic"), LAST)
    phone = say("Hall", admit("Phone"), attic)
    statements = [
        say("Kitchen", revoke("Bedroom"), phone),
        say("Bedroom", revoke("Kitchen"), phone),
        say("Bedroom", revoke("Attic"), phone),
        say("Attic", revoke("Phone"), phone),
    ]
    for seed in range(6):
        shuffled = [*FAMILY, attic, phone, *statements]
        random.Random(seed).shuffle(shuffled)
        assert names(evaluate(shuffled)) == {"Hall", "Kitchen", "Attic"}


def test_of_neighbours_in_a_ring_who_all_revoke_each_other_the_senior_ones_stand() -> None:
    ring = ["Hall", "Kitchen", "Bedroom", "Attic", "Rogue"]
    statements = chain(LAST, ("Hall", admit("Attic")), ("Hall", admit("Rogue")))
    last = statements[-1]
    for left, right in zip(ring, [*ring[1:], ring[0]], strict=True):
        statements += [say(left, revoke(right), last), say(right, revoke(left), last)]
    assert names(evaluate([*FAMILY[:-1], *statements])) == {"Hall", "Bedroom"}


def twice_admitted(name: str) -> list[Statement]:
    """First without `admit`, then beside other things with it: the first counts while it is not void."""
    weak = say("Kitchen", admit(name, permissions=[Permission.VIEW]), FAMILY[1])
    return [weak, say("Bedroom", admit(name), LAST, weak)]


def test_a_circle_of_void_revokes_comes_to_nothing() -> None:
    statements = [*twice_admitted("Attic"), *twice_admitted("Rogue")]
    heads = statements[1::2]
    duel = [say("Attic", revoke("Rogue"), *heads), say("Rogue", revoke("Attic"), *heads)]
    roster = evaluate([*FAMILY, *statements, *duel])
    assert names(roster) == {"Hall", "Kitchen", "Bedroom", "Attic", "Rogue"}


def test_a_void_revoke_in_a_circle_wins_nothing() -> None:
    statements = twice_admitted("Attic")
    rogue = say("Hall", admit("Rogue"), LAST)
    heads = [statements[-1], rogue]
    duel = [say("Attic", revoke("Rogue"), *heads), say("Rogue", revoke("Attic"), *heads)]
    assert names(evaluate([*FAMILY, *statements, rogue, *duel])) == {"Hall", "Kitchen", "Bedroom", "Rogue"}


def test_when_the_first_admission_is_void_the_second_counts() -> None:
    weak, strong = twice_admitted("Attic")
    by_attic = say("Attic", admit("Phone"), strong)
    out = say("Hall", revoke("Kitchen"), LAST)
    before = evaluate([*FAMILY, weak, strong, by_attic])
    assert names(before) == {"Hall", "Kitchen", "Bedroom", "Attic"}
    assert not before.may(key("Attic"), Permission.ADMIT)
    after = evaluate([*FAMILY, weak, strong, by_attic, out])
    assert names(after) == {"Hall", "Bedroom", "Attic", "Phone"}
    assert after.may(key("Attic"), Permission.ADMIT)


def test_a_member_is_found_by_name_id_or_how_the_id_begins() -> None:
    roster = evaluate(FAMILY)
    kitchen = roster.members[key("Kitchen")]
    for text in ("kitchen", " KITCHEN ", kitchen.device_id, kitchen.device_id[:6], kitchen.device_id.replace("-", "")):
        assert roster.find(text) == kitchen


def test_who_is_not_there_is_not_found() -> None:
    for text in ("Attic", "", "-", "9999"):
        with pytest.raises(NotFound, match="no member"):
            evaluate(FAMILY).find(text)


def test_an_ambiguous_name_is_answered_with_the_ids() -> None:
    roster = evaluate([*FAMILY, say("Hall", Change(key("Hall"), name="kitchen"), LAST)])
    with pytest.raises(NotFound, match="more than one") as caught:
        roster.find("Kitchen")
    assert all(DEVICES[name].device_id in str(caught.value) for name in ("Hall", "Kitchen"))


def household(size: int) -> list[Statement]:
    """A long life of a home: renames by three screens that see each other's, and now and then do not."""
    statements, heads = list(FAMILY), [LAST]
    dice = random.Random(size)
    while len(statements) < size:
        author = dice.choice(["Hall", "Kitchen", "Bedroom"])
        statement = say(author, Change(key("Kitchen"), name=f"Kitchen {len(statements)}"), *heads)
        heads = [statement] if dice.random() < 0.8 else [statement, *heads][:3]
        statements.append(statement)
    return [*statements, say("Hall", revoke("Bedroom"), *heads), say("Bedroom", revoke("Hall"), *heads)]


def test_five_hundred_statements_are_evaluated_at_once() -> None:
    """In calls of functions, which no busy machine makes more of: not so many that their number grows by its square."""
    few, many = household(50), household(500)
    assert calls_of(lambda: evaluate(many)) < 15 * calls_of(lambda: evaluate(few))
    assert len(evaluate(many).members) == 2


def calls_of(work: Callable[[], object]) -> int:
    counted: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, argument: counted.update((event,)))
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]
