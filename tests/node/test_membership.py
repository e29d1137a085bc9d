"""The node's copy of the roster: what it may add, what it takes in, and that it is saved before it counts."""

from __future__ import annotations

import pytest

from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node.membership import Membership
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Permission, Role
from tests.node.homes import NOW, Kept, admitted, founded
from tests.trust.house import key


def names(membership: Membership) -> set[str]:
    return {member.name for member in membership.roster.members.values()}


def test_founding_saves_and_tells() -> None:
    kept = Kept()
    kept.membership.found("Home", "Hall", Role.SCREEN, NOW)
    assert kept.membership.itself is not None
    assert kept.saved == [kept.membership.history.wire()]
    assert [roster.home_name for roster in kept.told] == ["Home"]


def test_a_home_is_founded_once() -> None:
    with pytest.raises(Refused, match="already in Home") as caught:
        founded().found("Other", "Hall", Role.SCREEN, NOW)
    assert "meshdoor reset" in caught.value.hint


@pytest.mark.parametrize("role", [Role.DOOR, Role.LOCK])
def test_only_a_screen_founds(role: Role) -> None:
    with pytest.raises(Refused, match=f"a {role} cannot found a home"):
        Kept().membership.found("Home", "Door", role, NOW)


def test_names_are_made_different() -> None:
    hall = founded()
    for _ in range(2):
        admitted(hall, "Kitchen")
    admitted(hall, "kitchen")
    assert names(hall) == {"Hall", "Kitchen", "Kitchen 2", "kitchen 3"}


def test_what_others_state_is_united() -> None:
    hall = founded()
    kitchen = admitted(hall, "Kitchen")
    admitted(kitchen, "Bath")
    assert hall.merge(kitchen.history.wire()) == (1, [])
    assert names(hall) == {"Hall", "Kitchen", "Bath"}
    assert hall.merge(kitchen.history.wire()) == (0, [])


def test_what_does_not_count_is_refused_and_the_rest_taken() -> None:
    hall = founded()
    kitchen = admitted(hall, "Kitchen")
    joined = Kept().membership
    fresh, refused = joined.merge([*kitchen.history.wire(), b"forged", *founded().history.wire()])
    assert fresh == 2
    assert len(refused) == 2


def test_a_member_is_revoked_for_good() -> None:
    hall = founded()
    kitchen = admitted(hall, "Kitchen")
    assert hall.revoke("kitchen", NOW).key == kitchen.identity.key
    kitchen.merge(hall.history.wire())
    assert kitchen.itself is None
    with pytest.raises(Refused, match="this node was revoked") as caught:
        kitchen.revoke("Hall", NOW)
    assert "meshdoor reset" in caught.value.hint
    with pytest.raises(Refused, match="revoked, or never admitted"):
        hall.admit(kitchen.identity.key, kitchen.identity.certificate, "Kitchen", Role.SCREEN, NOW)
    with pytest.raises(NotFound):
        hall.revoke("Kitchen", NOW)


def test_the_last_that_may_admit_stays() -> None:
    hall = founded()
    admitted(hall, "Door", Role.DOOR)
    with pytest.raises(Refused, match="the last one that may admit") as caught:
        hall.revoke("Hall", NOW)
    assert "pair another screen first" in caught.value.hint
    admitted(hall, "Kitchen")
    hall.revoke("Hall", NOW)
    assert hall.itself is None


def test_a_phone_that_may_admit_does_not_replace_the_last_screen() -> None:
    hall = founded()
    may = frozenset({Permission.VIEW, Permission.ADMIT})
    assert hall.admit_phone(key("Alice"), "Alice", may, None, NOW).name == "Alice"
    with pytest.raises(Refused, match="the last one that may admit"):
        hall.revoke("Hall", NOW)
    assert hall.revoke("Alice", NOW).key == key("Alice")


def test_a_guest_is_ended_when_its_time_is_over() -> None:
    hall = founded()
    guest = hall.admit_phone(key("Alice"), "hall", frozenset(), int(NOW) + 9, NOW)
    assert (guest.name, guest.until) == ("hall 2", int(NOW) + 9)
    hall.end_guest(guest, NOW + 9)
    assert key("Alice") in hall.roster.revoked


def test_a_member_gets_another_name() -> None:
    hall = founded()
    admitted(hall, "Kitchen")
    assert hall.rename("kitchen", "Bath", NOW).name == "Kitchen"
    assert names(hall) == {"Hall", "Bath"}
    hall.rename("Bath", "BATH", NOW)
    with pytest.raises(Refused, match="there is a hall already"):
        hall.rename("Bath", "hall", NOW)


def test_a_door_is_told_where_to_do_it() -> None:
    hall = founded()
    door = admitted(hall, "Door", Role.DOOR)
    admitted(hall, "Kitchen")
    door.merge(hall.history.wire())
    with pytest.raises(Refused, match="a door may not admit a device") as caught:
        door.admit(b"k" * 32, b"", "x", Role.SCREEN, NOW)
    assert caught.value.hint == "do it on: Hall, Kitchen"


def test_a_newcomer_may_do_nothing_yet() -> None:
    with pytest.raises(UserError, match="in no home") as caught:
        Kept(Identity.generate()).membership.rename("x", "y", NOW)
    assert "meshdoor found" in caught.value.hint


def test_a_station_is_a_door_without_links() -> None:
    hall = founded()
    kitchen = admitted(hall, "Kitchen")
    member = hall.admit_station(Identity.generate().key, "Gate", NOW)
    assert (member.role, member.permissions, member.linked) == (Role.DOOR, frozenset({Permission.RING}), False)
    kitchen.merge(hall.history.wire())
    assert kitchen.roster.find("Gate").key == member.key
    itself = kitchen.itself
    assert itself is not None
    assert itself.linked
