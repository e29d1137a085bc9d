"""Members in SIP URIs."""

from __future__ import annotations

import pytest

from meshdoor.calls.hosts import host_of, member_at, member_called, user_of
from meshdoor.sip.uri import parse_uri
from meshdoor.trust.roster import Roster
from tests.calls.people import member

HALL = member("Hall")
HOME = Roster(members={HALL.key: HALL})


def test_a_member_is_found_by_its_host() -> None:
    assert member_at(HOME, parse_uri(f"sip:meshdoor@{host_of(HALL.key)}:5061;transport=tls")) is HALL
    assert member_at(HOME, parse_uri(f"sip:{host_of(HALL.key).upper()}")) is HALL


@pytest.mark.parametrize("host", [host_of(member("Attic").key), f"{HALL.device_id}.example.org", HALL.device_id])
def test_other_hosts_are_of_nobody(host: str) -> None:
    assert member_at(HOME, parse_uri(f"sip:x@{host}")) is None
    assert member_at(HOME, parse_uri("tel:5")) is None


def test_a_name_stands_in_a_uri_in_small_letters_with_dashes() -> None:
    assert user_of(" Front  Door_2! ") == "front-door-2"


def test_a_member_is_found_by_what_it_is_called_unless_two_are_called_so() -> None:
    front, door = member("Front door"), member("front-door")
    assert member_called(HOME, "hall") is HALL
    assert member_called(HOME, "attic") is None
    assert member_called(Roster(members={front.key: front}), "Front-Door") is front
    assert member_called(Roster(members={front.key: front, door.key: door}), "front-door") is None
