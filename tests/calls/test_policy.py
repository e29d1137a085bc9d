"""Who is served."""

from __future__ import annotations

import pytest

from meshdoor.calls.policy import STRANGER, judge_outsider, member_of, policy_for
from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request, parse_message
from meshdoor.sip.stack import Config, Stack
from tests.transport.strangers import ask, invite

KEY, REVOKED = b"k" * 32, b"r" * 32
HERE, THERE = ("10.0.0.2", 5060), ("10.0.0.1", 5060)
UDP = Flow("UDP", HERE, THERE)
LINK = Flow("LINK", HERE, THERE, KEY.hex())
OTHERS = ("INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH", "BREW")


def request(method: str) -> Request:
    parsed = parse_message(ask(method))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS", "WSS"])
def test_a_stranger_gets_options_and_nothing_else(method: str, transport: str) -> None:
    flow = Flow(transport, HERE, THERE, KEY.hex())
    assert judge_outsider(request(method), flow) == STRANGER
    assert judge_outsider(request("OPTIONS"), flow) is None
    assert policy_for(lambda key: True)(request(method), flow) == STRANGER


@pytest.mark.parametrize("method", [*OTHERS, "OPTIONS"])
def test_a_member_is_known_by_the_key_of_its_link(method: str) -> None:
    assert policy_for(lambda key: key == KEY)(request(method), LINK) is None
    assert member_of(LINK) == KEY
    assert member_of(UDP) is None


def test_a_link_of_who_is_no_member_any_more_counts_as_a_stranger() -> None:
    flow = Flow("LINK", HERE, THERE, REVOKED.hex())
    assert policy_for(lambda key: key == KEY)(request("INVITE"), flow) == STRANGER


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
def test_names_that_exist_and_names_that_do_not_get_the_same(method: str) -> None:
    answers = []
    for user in ("meshdoor", "nobody1!"):
        stack = Stack(Config(policy=policy_for(lambda key: True)))
        stack.receive(invite(user) if method == "INVITE" else ask(method, user=user), UDP, 0.0)
        ((_, data),) = stack.data_to_send()
        answers.append((data.split(b"\r\n")[0], {line.split(b":")[0] for line in data.split(b"\r\n")}))
    assert answers[0] == answers[1]
