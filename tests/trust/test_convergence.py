"""The same statements give the same roster, in whatever order and company they come."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.errors import StatementError
from meshdoor.trust.history import History
from meshdoor.trust.identity import is_p256
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Roster
from meshdoor.trust.statement import Admit, Body, Change, Statement
from tests.trust.house import (
    BROWSERS,
    DEVICES,
    NAMES,
    admit,
    admit_phone,
    chain,
    founding,
    history,
    key,
    names,
    revoke,
    say,
)
from tests.trust.reference import Reference

FAMILY = chain(
    founding(),
    ("Hall", admit("Kitchen")),
    ("Kitchen", admit("Bedroom")),
    ("Bedroom", admit("Gate", permissions=Permission)),
)
ADMINS = ("Hall", "Kitchen", "Bedroom", "Attic")


def a_body(dice: random.Random) -> Body:
    who = dice.choice(NAMES)
    role = dice.choice([None, None, None, *Role])
    browser = dice.choice(list(BROWSERS))
    bodies: list[Body] = [
        a_phone(dice, browser),
        revoke(browser),
        Change(key(browser), name=f"{browser} {dice.randrange(9)}"),
        admit(who, role, dice.choice([None, None, Permission, ()])),
        admit(dice.choice(ADMINS)),
        revoke(who),
        revoke(dice.choice(ADMINS)),
        Change(key(who), name=f"{who} {dice.randrange(9)}"),
        Change(key(who), permissions=frozenset(dice.sample(list(Permission)[:4], 2))),
        Change(key(who)),
    ]
    return dice.choice(bodies)


def a_phone(dice: random.Random, name: str) -> Body:
    """It stays, or is a guest, or may admit; its key may be one that can author statements."""
    if dice.random() < 0.2:
        return replace(admit("Phone"), until=dice.randrange(9))
    until = dice.choice([None, dice.randrange(9)])
    return admit_phone(name, until, dice.choice([None, (), Permission if until is None else (Permission.VIEW,)]))


def a_pool(dice: random.Random, size: int) -> list[Statement]:
    """Statements of a wild household: anyone says anything, having seen anything."""
    pool = list(FAMILY)
    while len(pool) < size:
        parents = dice.sample(pool[-8:], min(len(pool), dice.choice([1, 1, 2, 3])))
        statement = say(dice.choice([*ADMINS, *ADMINS, *NAMES]), a_body(dice), *parents)
        if statement not in pool:
            pool.append(statement)
    return pool


def a_feud(dice: random.Random, size: int) -> list[Statement]:
    """The admins put each other out, mostly without having seen it from the others."""
    pool = [*FAMILY, say("Hall", admit("Attic"), FAMILY[-1])]
    if dice.random() < 0.5:
        pool.append(say("Bedroom", admit("Rogue", permissions=()), pool[2]))
        pool.append(say("Kitchen", admit("Rogue"), pool[1]))
    known = len(pool)
    while len(pool) < size:
        parents = {dice.choice(pool[known - 3 :]).id: None, dice.choice(pool[2:known]).id: None}
        body = dice.choice([*(revoke(name) for name in ADMINS), revoke("Rogue"), admit("Phone"), a_body(dice)])
        author = dice.choice([*ADMINS, "Rogue"])
        statement = Statement.sign(DEVICES[author], body, tuple(parents), 0)
        if statement not in pool:
            pool.append(statement)
    return pool


def forgeries(dice: random.Random, pool: list[Statement]) -> list[bytes]:
    """Wrongly signed, cut, lengthened, bent, and of another home."""
    one, other = dice.sample(pool, 2)
    body = one.carried[64:]
    return [
        other.carried[:64] + body,
        DEVICES["Rogue"].sign(body) + body,
        one.carried[: dice.randrange(len(one.carried))],
        one.carried + b"\n",
        body,
        founding("Rogue").carried,
    ]


def hear(carried: list[bytes]) -> History:
    """A history that heard all this in this order, and refused what it refused."""
    held = History(FAMILY[0].id)
    for each in carried:
        try:
            held.add(each)
        except StatementError:
            continue
    return held


def check(roster: Roster) -> None:
    """What holds in every roster."""
    for member in [*roster.members.values(), *roster.revoked.values()]:
        if is_p256(member.key) or member.until is not None:
            assert member.role is Role.PHONE
        if member.until is not None:
            assert Permission.ADMIT not in member.permissions
        if member.role in (Role.DOOR, Role.LOCK):
            assert member.permissions <= {Permission.RING}
    assert not roster.members.keys() & roster.revoked.keys()


def same(one: History, other: History) -> None:
    assert one.heads == other.heads
    assert one.roster == other.roster
    assert one.roster.digest == other.roster.digest


@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_histories_each_heard_in_two_orders(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # What was verified once is not verified again, or most of the time would go into that.
    monkeypatch.setattr(Statement, "parse", lru_cache(maxsize=4096)(Statement.parse))
    dice = random.Random(seed)
    for _ in range(20):
        pool = dice.choice([a_pool, a_feud])(dice, 20)
        false = forgeries(dice, pool)
        for _ in range(50):
            heard = [each.carried for each in dice.sample(pool, dice.randrange(8, 20))]
            one = hear(heard)
            again = [*heard, *dice.sample(heard, 3), dice.choice(false)]
            dice.shuffle(again)
            same(one, hear(again))
            if len(one):
                check(one.roster)


@pytest.mark.parametrize("seed", range(4))
def test_the_roster_is_what_its_rules_say(seed: int) -> None:
    dice = random.Random(seed)
    for number in range(40):
        held = hear([each.carried for each in (a_feud if number % 4 else a_pool)(dice, 16)])
        statements = [Statement.parse(carried) for carried in held.wire()]
        assert set(held.roster.members) == Reference(statements).members()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_order_duplicates_and_forgeries_do_not_matter(data: st.DataObject) -> None:
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    pool = a_pool(dice, 14)
    true = [each.carried for each in pool]
    heard = data.draw(st.permutations(true + data.draw(st.lists(st.sampled_from(true), max_size=5))))
    for false in forgeries(dice, pool):
        heard.insert(data.draw(st.integers(0, len(heard))), false)
    same(hear(true), hear(heard))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_two_histories_converge_by_asking_each_other_what_is_new(seed: int) -> None:
    dice = random.Random(seed)
    pool = [each.carried for each in a_pool(dice, 20)]
    one, other = (hear([each for each in pool if dice.random() < 0.8]) for _ in range(2))
    rounds = 0
    while one.heads != other.heads:  # more than once, when what waited for its parents can be told only then
        rounds += 1
        for asking, telling in ((one, other), (other, one)):
            for carried in telling.since(asking.heads):
                asking.add(carried)
    assert rounds <= len(pool)
    same(one, other)
    assert one.since(other.heads) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_partitions_that_revoke_each_other_converge_after_healing(seed: int) -> None:
    dice = random.Random(seed)
    sides = []
    for admins, others in ((["Hall", "Attic"], ["Kitchen", "Bedroom"]), (["Kitchen", "Bedroom"], ["Hall", "Attic"])):
        side = [*FAMILY, say("Hall", admit("Attic"), FAMILY[-1])]
        for target in dice.sample(others, 2):
            side.append(say(dice.choice(admins), revoke(target), side[-1]))
            side.append(say(dice.choice(admins), a_body(dice), side[-1]))
        sides.append([each.carried for each in side])
    one, other = hear(sides[0] + sides[1]), hear(sides[1] + sides[0])
    same(one, other)
    check(one.roster)


def test_two_halves_of_a_house_put_each_other_out_and_heal() -> None:
    hall, kitchen = history(FAMILY), history(FAMILY)
    hall.revoke(DEVICES["Hall"], key("Kitchen"), 1)
    hall.admit(DEVICES["Hall"], admit("Attic"), 2)
    kitchen.revoke(DEVICES["Kitchen"], key("Hall"), 1)
    kitchen.admit(DEVICES["Kitchen"], admit("Phone"), 2)
    assert names(kitchen.roster) == {"Kitchen", "Bedroom", "Gate", "Phone"}
    for carried in hall.since(kitchen.heads):
        kitchen.add(carried)
    for carried in kitchen.since(hall.heads):
        hall.add(carried)
    same(hall, kitchen)
    assert names(hall.roster) == {"Hall", "Bedroom", "Gate", "Attic"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_said_of_phones_in_their_absence_converges(seed: int) -> None:
    dice = random.Random(seed)
    pool = list(FAMILY)
    while len(pool) < 16:
        name = dice.choice(list(BROWSERS))
        body = dice.choice([a_phone(dice, name), a_phone(dice, name), revoke(name), revoke(dice.choice(ADMINS))])
        statement = say(dice.choice(ADMINS[:3]), body, *dice.sample(pool[-6:], dice.choice([1, 2])))
        if statement not in pool:
            pool.append(statement)
    shuffled = dice.sample(pool, len(pool))
    one, other = hear([each.carried for each in pool]), hear([each.carried for each in shuffled])
    same(one, other)
    check(one.roster)
    heard = [Statement.parse(carried) for carried in one.wire()]
    assert set(one.roster.members) == Reference(heard).members()
    for member in one.roster.members.values():
        if member.role is Role.PHONE:
            (first,) = [each for each in heard if each.id == member.seniority[1]]
            assert isinstance(first.body, Admit)
            assert member.until == first.body.until


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_no_one_brings_a_revoked_key_back(seed: int) -> None:
    dice = random.Random(seed)
    pool = [*FAMILY, say("Hall", revoke("Bedroom"), FAMILY[-1])]
    while len(pool) < 20:
        body = dice.choice([a_body(dice), admit("Bedroom")])
        statement = say(dice.choice(NAMES), body, *dice.sample(pool[2:], dice.choice([1, 2])))
        if body != revoke("Hall") and statement not in pool:
            pool.append(statement)
    assert key("Bedroom") not in hear([each.carried for each in pool]).roster.members


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_door_stays_a_door_for_all_who_know_it(seed: int) -> None:
    dice = random.Random(seed)
    pool = list(FAMILY)
    while len(pool) < 16:
        body = dice.choice([admit("Gate", Role.SCREEN, Permission), a_body(dice)])
        statement = say(dice.choice([*ADMINS, "Gate"]), body, dice.choice(pool[3:]))
        if statement not in pool:
            pool.append(statement)
    roster = hear([each.carried for each in pool]).roster
    gate = roster.members.get(key("Gate")) or roster.revoked[key("Gate")]
    assert gate.permissions <= {Permission.RING}
    assert not roster.may(key("Gate"), Permission.OPEN)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_an_older_copy_takes_nothing_away(seed: int) -> None:
    pool = [each.carried for each in a_pool(random.Random(seed), 16)]
    held = hear(pool)
    before = held.roster
    for carried in hear(pool[:8]).wire():
        held.add(carried)
    assert held.roster == before
