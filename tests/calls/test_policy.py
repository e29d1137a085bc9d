"""Who is who, and who is served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import STRANGER, caller_of, judge_outsider, member_of, policy_for
from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request, parse_message
from meshdoor.sip.stack import Config, Stack
from meshdoor.sip.validate import Fault
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster
from tests.calls.people import member
from tests.transport.strangers import ask, invite

HERE, THERE = ("10.0.0.2", 5060), ("10.0.0.1", 5060)
HALL, ALICE = member("Hall"), member("Alice", Role.PHONE)
GATE = replace(member("Gate", Role.DOOR), certificate=b"DER")
STATION = replace(member("Station", Role.DOOR), certificate=b"")
GUEST = replace(member("Guest", Role.PHONE), until=1000)
HOME = Roster(members={each.key: each for each in (HALL, GATE, ALICE, STATION, GUEST)})
UDP = Flow("UDP", HERE, THERE)
OTHERS = ("INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH", "BREW")


def link(who: Member) -> Flow:
    return Flow("LINK", HERE, THERE, who.key.hex())


def phone(who: Member) -> Flow:
    return Flow("WSS", HERE, THERE, who.key.hex())


def who(request: Request, flow: Flow) -> Member | None:
    return caller_of(request, flow, HOME, 1.0)


def request(method: str, *asserted: str) -> Request:
    parsed = parse_message(ask(method))
    assert isinstance(parsed, Request)
    for value in asserted:
        parsed.headers.add("P-Asserted-Identity", value)
    return parsed


def named(who: Member) -> str:
    return f"<sip:phone@{host_of(who.key)}>"


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS", "WS"])
def test_a_stranger_gets_options_and_nothing_else(method: str, transport: str) -> None:
    flow = Flow(transport, HERE, THERE, HALL.key.hex())
    assert judge_outsider(request(method), flow) == STRANGER
    assert judge_outsider(request("OPTIONS"), flow) is None
    assert policy_for(who)(request(method, named(ALICE)), flow) == STRANGER


@pytest.mark.parametrize("method", [*OTHERS, "OPTIONS"])
def test_a_member_is_known_by_the_key_of_its_link_or_its_socket(method: str) -> None:
    assert policy_for(who)(request(method), link(HALL)) is None
    assert policy_for(who)(request(method), phone(ALICE)) is None
    assert member_of(link(HALL)) == HALL.key
    assert member_of(phone(ALICE)) == ALICE.key
    assert member_of(UDP) is None


def test_who_is_no_member_any_more_counts_as_a_stranger() -> None:
    for flow in (link(member("Rogue")), phone(member("Rogue"))):
        assert policy_for(who)(request("INVITE"), flow) == STRANGER


def test_a_screen_is_believed_about_the_phones_and_the_stations_that_it_knows() -> None:
    assert who(request("INVITE"), link(HALL)) is HALL
    assert who(request("INVITE", named(STATION)), link(HALL)) is STATION
    assert who(request("INVITE", named(ALICE)), link(HALL)) is ALICE


@pytest.mark.parametrize(
    ("values", "flow"),
    [
        ((named(ALICE),), link(GATE)),
        ((named(ALICE),), link(member("Rogue"))),
        ((named(GATE),), link(HALL)),
        ((named(HALL),), link(HALL)),
        ((named(member("Rogue")),), link(HALL)),
        ((named(ALICE), named(ALICE)), link(HALL)),
        ((f"{named(ALICE)}, <tel:5>",), link(HALL)),
        (("<sip:",), link(HALL)),
        (("",), link(HALL)),
    ],
)
def test_forged_identities_are_refused(values: tuple[str, ...], flow: Flow) -> None:
    assert who(request("INVITE", *values), flow) is None
    assert policy_for(who)(request("INVITE", *values), flow) == STRANGER


def test_what_a_phone_says_of_itself_does_not_matter() -> None:
    assert who(request("INVITE", named(HALL)), phone(ALICE)) is ALICE


def test_a_guest_whose_time_is_over_is_a_stranger() -> None:
    for flow, values in ((phone(GUEST), ()), (link(HALL), (named(GUEST),))):
        asked = request("INVITE", *values)
        assert caller_of(asked, flow, HOME, 999.9) is GUEST
        assert caller_of(asked, flow, HOME, 1000.0) is None


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
def test_names_that_exist_and_names_that_do_not_get_the_same(method: str) -> None:
    answers = []
    for user in ("meshdoor", "nobody1!"):
        stack = Stack(Config(policy=policy_for(who)))
        stack.receive(invite(user) if method == "INVITE" else ask(method, user=user), UDP, 0.0)
        ((_, data),) = stack.data_to_send()
        answers.append((data.split(b"\r\n")[0], {line.split(b":")[0] for line in data.split(b"\r\n")}))
    assert answers[0] == answers[1]


def test_what_strangers_are_not_served_may_be_judged_otherwise() -> None:
    unproven = Fault(401, "who is it?")
    judge = policy_for(who, lambda request, flow: unproven)
    assert judge(request("INVITE"), UDP) is unproven
    assert judge(request("OPTIONS"), UDP) is None
    assert judge(request("INVITE"), link(HALL)) is None
