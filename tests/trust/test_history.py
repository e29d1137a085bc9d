from __future__ import annotations

import pytest

from meshdoor.errors import Refused, StatementError
from meshdoor.trust import history as module
from meshdoor.trust.history import MAX_PENDING, Added, History
from meshdoor.trust.permissions import Permission
from meshdoor.trust.statement import Change, Statement
from tests.trust.house import AT, DEVICES, admit, chain, founding, history, key, names, revoke, say

FOUND = founding()
FAMILY = chain(FOUND, ("Hall", admit("Kitchen")), ("Kitchen", admit("Bedroom")))
LAST = FAMILY[-1]


def test_an_empty_history_is_of_no_home() -> None:
    assert len(History()) == 0
    assert History().roster.home is None
    assert History().wire() == []


def test_statements_are_new_once() -> None:
    held = History()
    assert [held.add(each.carried) for each in FAMILY] == [Added.NEW] * 3
    assert [held.add(each.carried) for each in FAMILY] == [Added.KNOWN] * 3
    assert (len(held), held.heads, held.roster.heads) == (3, (LAST.id,), (LAST.id,))
    assert LAST.id in held


def test_what_comes_before_its_parents_waits() -> None:
    held = History()
    assert [held.add(each.carried) for each in FAMILY[::-1]] == [Added.PENDING, Added.PENDING, Added.NEW]
    assert names(held.roster) == {"Hall", "Kitchen", "Bedroom"}


def test_what_waits_is_asked_for_once() -> None:
    held = History()
    assert [held.add(LAST.carried) for _ in range(2)] == [Added.PENDING] * 2


def test_the_wire_is_in_causal_order() -> None:
    held = history(FAMILY[::-1])
    again = History()
    assert [again.add(carried) for carried in held.wire()] == [Added.NEW] * 3


def test_a_known_statement_is_not_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    held = history(FAMILY)
    monkeypatch.setattr(Statement, "parse", None)
    assert held.add(LAST.carried) is Added.KNOWN


def test_a_new_statement_verifies_one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    held = history(FAMILY)
    parsed: list[bytes] = []
    parse = Statement.parse

    def counting(carried: bytes) -> Statement:
        parsed.append(carried)
        return parse(carried)

    monkeypatch.setattr(Statement, "parse", counting)
    new = say("Hall", revoke("Bedroom"), LAST)
    held.add(new.carried)
    assert names(held.roster) == {"Hall", "Kitchen"}
    assert parsed == [new.carried]


@pytest.mark.parametrize(
    "statement",
    [
        founding("Kitchen"),
        founding(nonce=b"\x01" * 16),
        say("Rogue", admit("Rogue"), LAST),
        say("Bedroom", admit("Attic"), FAMILY[1]),
    ],
    ids=["another founder", "another home", "a stranger", "not admitted yet"],
)
def test_what_can_never_count_is_refused(statement: Statement) -> None:
    held = history(FAMILY)
    with pytest.raises(StatementError):
        held.add(statement.carried)
    assert len(held) == 3


def test_a_door_states_nothing() -> None:
    gate = say("Hall", admit("Gate", permissions=Permission), LAST)
    with pytest.raises(StatementError, match="no permission"):
        history([*FAMILY, gate]).add(say("Gate", admit("Rogue"), gate).carried)


def test_what_waited_and_can_never_count_is_forgotten() -> None:
    held = History()
    gate = say("Hall", admit("Gate"), FOUND)
    assert held.add(say("Gate", admit("Rogue"), gate).carried) is Added.PENDING
    assert held.add(FOUND.carried) is held.add(gate.carried) is Added.NEW
    assert held.add(FAMILY[1].carried) is Added.NEW
    assert names(held.roster) == {"Hall", "Gate", "Kitchen"}


def test_a_forged_or_oversized_statement_is_refused() -> None:
    held = history(FAMILY)
    for carried in (b"", bytes(5000), LAST.carried[:-1], LAST.carried + b" "):
        with pytest.raises(StatementError):
            held.add(carried)


def test_a_history_can_be_of_one_home_only() -> None:
    held = History(FOUND.id)
    with pytest.raises(StatementError, match="another home"):
        held.add(founding("Rogue").carried)
    assert held.add(FOUND.carried) is Added.NEW


def test_since_gives_what_a_holder_of_these_heads_lacks() -> None:
    side = say("Hall", admit("Attic"), FAMILY[1])
    held = history([*FAMILY, side])
    assert held.since([]) == held.since([b"unknown"]) == held.wire()
    assert held.since([FAMILY[1].id]) == [LAST.carried, side.carried]
    assert held.since([LAST.id, b"unknown"]) == [side.carried]
    assert held.since(held.heads) == []


def test_the_oldest_orphan_makes_room() -> None:
    held = History()
    orphans = [say("Hall", Change(key("Hall"), name=f"Hall {number}"), FOUND) for number in range(MAX_PENDING + 1)]
    assert {held.add(orphan.carried) for orphan in orphans} == {Added.PENDING}
    held.add(FOUND.carried)
    assert len(held) == 1 + MAX_PENDING
    assert orphans[0].id not in held


def test_who_was_admitted_earlier_has_room_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STATEMENTS", 256)
    held = history(FAMILY)
    last = LAST
    while len(held) < 254:
        last = say("Bedroom", Change(key("Hall")), last)
        held.add(last.carried)
    with pytest.raises(StatementError, match="no room for more statements"):
        held.add(say("Bedroom", Change(key("Hall")), last).carried)
    held.revoke(DEVICES["Kitchen"], key("Bedroom"), AT)
    with pytest.raises(Refused, match="no room"):
        held.change(DEVICES["Kitchen"], Change(key("Kitchen")), AT)
    held.revoke(DEVICES["Hall"], key("Kitchen"), AT)
    with pytest.raises(Refused, match="no room"):
        held.admit(DEVICES["Hall"], admit("Attic"), AT)
    assert len(held) == 256


def test_revokes_have_a_bound_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REVOKES", 4)
    held = history(FAMILY)
    revokes = [say("Kitchen", revoke("Rogue"), FAMILY[1 + number % 2]) for number in range(2)]
    last = revokes[-1]
    for _ in range(2):
        last = say("Kitchen", revoke("Rogue"), last)
        revokes.append(last)
    assert [held.add(each.carried) for each in revokes] == [Added.NEW] * 4
    with pytest.raises(StatementError, match="no room for more revokes"):
        held.add(say("Kitchen", revoke("Hall"), last).carried)
    held.change(DEVICES["Kitchen"], Change(key("Kitchen"), name="Cook"), AT)


def test_a_device_founds_a_home() -> None:
    held = History()
    statement = held.found(DEVICES["Hall"], "Our house", "Hall", AT)
    assert held.roster.home == statement.id
    assert names(held.roster) == {"Hall"}
    with pytest.raises(Refused, match="belongs to a home"):
        held.found(DEVICES["Hall"], "Our house", "Hall", AT)


def test_two_homes_of_one_founder_are_two() -> None:
    homes = [History().found(DEVICES["Hall"], "Our house", "Hall", AT) for _ in range(2)]
    assert homes[0].id != homes[1].id


def test_a_device_admits_changes_and_revokes() -> None:
    held = History()
    held.found(DEVICES["Hall"], "Our house", "Hall", AT)
    held.admit(DEVICES["Hall"], admit("Kitchen"), AT)
    held.change(DEVICES["Kitchen"], Change(key("Kitchen"), name="Küche"), AT)
    assert names(held.roster) == {"Hall", "Küche"}
    statement = held.revoke(DEVICES["Hall"], key("Kitchen"), AT)
    assert names(held.roster) == {"Hall"}
    assert held.heads == (statement.id,)
    assert names(history([Statement.parse(each) for each in held.wire()]).roster) == {"Hall"}


def test_what_a_device_may_not_do_is_refused_and_not_kept() -> None:
    held = history([*FAMILY, say("Hall", admit("Gate"), LAST)])
    with pytest.raises(Refused, match="may not"):
        held.revoke(DEVICES["Gate"], key("Hall"), AT)
    with pytest.raises(Refused, match="no member"):
        held.revoke(DEVICES["Hall"], key("Rogue"), AT)
    with pytest.raises(Refused, match="never admitted"):
        held.change(DEVICES["Hall"], Change(key("Rogue"), name="Nobody"), AT)
    with pytest.raises(Refused, match="already"):
        held.admit(DEVICES["Hall"], admit("Kitchen"), AT)
    assert len(held) == 4


def test_a_revoked_device_is_not_admitted_again() -> None:
    held = history(FAMILY)
    held.revoke(DEVICES["Hall"], key("Bedroom"), AT)
    with pytest.raises(Refused, match="revoked") as caught:
        held.admit(DEVICES["Hall"], admit("Bedroom"), AT)
    assert "new identity" in caught.value.hint


def test_a_revoked_device_admits_nobody_any_more() -> None:
    held = history(FAMILY)
    held.revoke(DEVICES["Hall"], key("Kitchen"), AT)
    with pytest.raises(Refused, match="any more"):
        held.admit(DEVICES["Kitchen"], admit("Attic"), AT)


def test_a_senior_prevails_over_the_junior_that_revoked_it() -> None:
    held = history(FAMILY)
    held.revoke(DEVICES["Bedroom"], key("Hall"), AT)
    assert names(held.roster) == {"Kitchen", "Bedroom"}
    held.revoke(DEVICES["Hall"], key("Bedroom"), AT)
    assert names(held.roster) == {"Hall", "Kitchen"}
    assert len(held.heads) == 2
    held.admit(DEVICES["Hall"], admit("Attic"), AT)
    assert len(held.heads) == 1


def test_a_junior_does_not_prevail_over_the_senior_that_revoked_it() -> None:
    held = history(FAMILY)
    held.revoke(DEVICES["Hall"], key("Bedroom"), AT)
    with pytest.raises(Refused, match="admitted earlier"):
        held.revoke(DEVICES["Bedroom"], key("Hall"), AT)


def test_many_heads_are_joined_first() -> None:
    held = history(FAMILY)
    for number in range(70):
        held.add(say("Kitchen", Change(key("Hall"), name=f"Hall {number}"), LAST).carried)
    assert len(held.heads) == 70
    held.revoke(DEVICES["Hall"], key("Kitchen"), AT)
    assert len(held.heads) == 1
    assert names(held.roster) != {"Hall", "Bedroom"}
    assert len(held.roster.members) == 2
