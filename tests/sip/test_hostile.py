"""Messages made to hurt: the stack answers as it must, stays bounded, and goes on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.sip.core import Config
from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Response, parse_message
from meshdoor.sip.stack import Stack
from meshdoor.sip.validate import DEFAULT, Capabilities
from tests.sip.test_stack import INVITE, TCP, UDP, message, replies
from tests.sip.torture import Case, load
from tests.sip.wire import ANSWER, Datagram, Net, connect, incoming, predictable, ring

CASES = {case.name: case for rfc in ("rfc4475", "rfc5118") for case in load(rfc)}
REGISTRAR = Config(capabilities=Capabilities(methods=(*DEFAULT.methods, "REGISTER")))


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["UDP", "TCP"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_torture(case: Case, flow: Flow) -> None:
    stack = Stack(REGISTRAR, predictable())
    answers = replies(stack, case.wire, flow)
    if flow is TCP and case.outcome.isdigit():
        assert [str(answer.status) for answer in answers] == [case.outcome]
    if case.outcome == "drop":
        assert answers == []
    (alive,) = replies(stack, message(branch="alive", more="Subject: are you there\r\n"), flow)
    assert alive.status == 200


def conversation() -> list[Datagram]:
    """One message of every kind, both ways."""
    net = Net()
    door, screen = net.party(), net.party()
    session, other = connect(net, door, screen)
    session.update(ANSWER, net.now)
    session.info(b"1", "text/plain", net.now)
    other.bye((), net.now)
    net.roundtrip()
    session = ring(net, door, screen)
    incoming(screen).provisional(183, ANSWER, net.now)
    net.roundtrip()
    session.cancel((), net.now)
    net.roundtrip()
    return net.sent


CONVERSATION = [datagram.data for datagram in conversation()]
PIECES = [
    b"",
    b"\x00",
    b"\r\n",
    b"\xff\xfe",
    b'"',
    b"<",
    b">",
    b";",
    b",",
    b"%",
    b"@",
    b":",
    b"=",
    b" ",
    b"99999999999",
    b"-1",
    b"tag=",
    b"SIP/2.0",
    b"[::1",
    b"\r\nVia: x\r\n",
    b"\r\nTo: <sip:x>;tag=1\r\n",
    b"\r\nRoute: <sip:x;lr>\r\n",
    b"\r\nRequire: 100rel\r\n",
    b"\r\nSession-Expires: 0\r\n",
]


def mutated(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, piece in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    return data


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(CONVERSATION) - 1),
            st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3),
        ),
        max_size=12,
    )
)
def test_no_message_breaks_a_stack_in_the_middle_of_its_calls(
    steps: list[tuple[int, list[tuple[int, int, bytes]]]],
) -> None:
    """The same conversation, each message damaged, replayed at the stacks that held it."""
    net = Net()
    door, screen = net.party(), net.party()
    session = ring(net, door, screen)
    incoming(screen).provisional(183, ANSWER, net.now)
    net.roundtrip()
    for index, edits in steps:
        data = mutated(CONVERSATION[index], edits)
        for party, other in ((door, screen), (screen, door)):
            party.stack.receive(data, net.flow(party, other), net.now)
        net.wait(0.5)
    session.hangup((), net.now)
    incoming(screen).hangup((), net.now)
    for found in screen.stack.sessions | door.stack.sessions:
        found.hangup((), net.now)
    net.settle()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_stack(data: bytes) -> None:
    stack = Stack(Config(), predictable())
    stack.receive(data, UDP, 0.0)
    stack.receive(b"OPTIONS sip:a@b SIP/2.0\r\n" + data, TCP, 0.0)


def test_a_flood_of_calls_is_bounded() -> None:
    stack = Stack(Config(max_sessions=20, max_transactions=50), predictable())
    for number in range(500):
        data = INVITE.replace(b"z9hG4bK1", b"z9hG4bK%d" % number).replace(b"Call-ID: c", b"Call-ID: %d" % number)
        stack.receive(data, UDP, 0.0)
    assert len(stack.sessions) == 20
    assert len(stack._core.transactions) <= 51
    refusals = [m for _, data in stack.data_to_send() if isinstance(m := parse_message(data), Response)]
    assert {refusal.status for refusal in refusals} == {503}
