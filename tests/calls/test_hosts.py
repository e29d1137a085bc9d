"""Members in SIP URIs."""

from __future__ import annotations

import pytest

from meshdoor.calls.hosts import host_of, member_at
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
