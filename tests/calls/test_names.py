"""What a name or an address means."""

from __future__ import annotations

import pytest

from meshdoor.calls.names import MAX_MEANT, Meant, Names, fold
from meshdoor.errors import NotFound
from meshdoor.sip.uri import SipUri
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Roster
from tests.calls.people import member

HOME = member("Home screen")
BATH = member("Bath")
ALICE = member("Alice", Role.PHONE)
ROSTER = Roster(members={each.key: each for each in (HOME, BATH, ALICE)})
BOB = "sip:bob@sip.example.org"


def resolve(text: str, domain: str = "", **routes: tuple[str, ...]) -> Meant:
    return Names(domain, routes, {"door.local", "192.168.1.9"}).resolve(text, ROSTER)


@pytest.mark.parametrize(
    "text",
    [
        "homescreen",
        "Home screen",
        "sip:homescreen@myhouse",
        "sip:HOME-SCREEN@myhouse;transport=tcp",
        "sip:home%20screen@door.local",
        "sips:homescreen@192.168.1.9",
        '"Home" <sip:homescreen@myhouse>',
        "homescreen@myhouse",
        f"sip:{HOME.device_id}@myhouse",
    ],
)
def test_a_member_is_found_by_its_name(text: str) -> None:
    assert resolve(text) == Meant(members=(HOME.key,))


def test_the_domain_of_the_house_may_have_dots() -> None:
    assert resolve("sip:bath@My.House.example.", "my.house.example") == Meant(members=(BATH.key,))


@pytest.mark.parametrize("text", [BOB, "bob@sip.example.org", f"<{BOB}>"])
def test_another_domain_is_outside(text: str) -> None:
    assert resolve(text) == Meant(outside=(SipUri.parse(BOB),))


@pytest.mark.parametrize("host", ["10.0.0.1", "[fe80::1]", "[2001:db8::1]:5070"])
def test_the_address_of_a_stranger_is_outside(host: str) -> None:
    assert resolve(f"sip:panel@{host}").outside == (SipUri.parse(f"sip:panel@{host}"),)


@pytest.mark.parametrize("text", ["everyone", "sip:everyone@myhouse", "sip:myhouse"])
def test_everyone_is_who_rings_at_a_press(text: str) -> None:
    assert resolve(text) == Meant(everyone=True)


def test_a_route_goes_before_a_member_of_that_name() -> None:
    assert resolve("bath", bath=("Alice", BOB)) == Meant(members=(ALICE.key,), outside=(SipUri.parse(BOB),))


def test_routes_lead_to_routes_and_nobody_is_asked_twice() -> None:
    upstairs = ("bath", "alice", BOB, "all_but")
    found = resolve("sip:all@myhouse", all=("upstairs", "bath", BOB), upstairs=upstairs, all_but=("alice",))
    assert found == Meant(members=(BATH.key, ALICE.key), outside=(SipUri.parse(BOB),))


def test_a_route_to_itself_means_the_member() -> None:
    assert resolve("bath", bath=("bath", "alice")) == Meant(members=(BATH.key, ALICE.key))


def test_everyone_may_be_more_than_what_is_discovered() -> None:
    names = Names(routes={"everyone": ("homescreen", BOB)})
    both = Meant(True, (HOME.key,), (SipUri.parse(BOB),))
    assert names.everyone(ROSTER) == names.resolve("everyone", ROSTER) == both
    assert Names().everyone(ROSTER) == Meant(everyone=True)
    assert resolve("all", all=("everyone", "bath")) == Meant(True, (BATH.key,))


NOBODY = ["", "sip:", "sip:cat@myhouse", "cat", "--", "sip:a@b@c d", "x@exa mple.org", "tel@+1"]


@pytest.mark.parametrize("text", NOBODY)
def test_what_nobody_is_called_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        resolve(text)


def test_two_members_of_one_name_are_told_apart_by_id() -> None:
    twin = member("bath ")
    roster = Roster(members={BATH.key: BATH, twin.key: twin})
    with pytest.raises(NotFound):
        Names().resolve("b-a-t-h", roster)
    assert Names().resolve(twin.device_id, roster) == Meant(members=(twin.key,))


def test_a_name_does_not_come_to_any_number() -> None:
    with pytest.raises(NotFound, match="too many"):
        resolve("all", all=tuple(f"sip:{number}@example.org" for number in range(MAX_MEANT + 1)))
    deep = {f"r{number}": ((f"r{number + 1}",) * 4 if number < 9 else ("bath",)) for number in range(10)}
    with pytest.raises(NotFound, match="too many"):
        Names(routes=deep).resolve("r0", ROSTER)


def test_only_letters_and_digits_matter() -> None:
    assert fold("Küche (oben) 2") == fold("KÜCHE-oben_2") == "kücheoben2"
