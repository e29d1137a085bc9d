"""The facade, and what becomes of messages that belong to no session."""

from __future__ import annotations

import pytest

from meshdoor.sip.core import Config
from meshdoor.sip.events import (
    Answered,
    Ended,
    FlowLost,
    IncomingInvite,
    RequestReceived,
    ResponseReceived,
)
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.inbound import fit
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.stack import Stack
from meshdoor.sip.uri import SipUri, parse_uri
from meshdoor.sip.validate import Capabilities, Fault
from tests.sip.wire import ANSWER, OFFER, Net, connect, incoming, predictable, ring

HERE, THERE = ("10.0.0.2", 5060), ("10.0.0.1", 5060)
UDP = Flow("UDP", HERE, THERE)
LINK = Flow("LINK", HERE, THERE, b"key")
TCP = Flow("TCP", HERE, THERE, 1)


def message(method: str = "OPTIONS", more: str = "", to: str = "", branch: str = "1", body: bytes = b"") -> bytes:
    return (
        f"{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{branch};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@10.0.0.1>;tag=f\r\nTo: <sip:b@10.0.0.2>{to}\r\nCall-ID: c\r\n"
        f"CSeq: 7 {method}\r\n{more}\r\n"
    ).encode() + body


INVITE = message("INVITE", "Contact: <sip:a@10.0.0.1>\r\nContent-Type: application/sdp\r\n", body=OFFER)


def make(**settings: object) -> Stack:
    return Stack(Config(**settings), predictable())  # type: ignore[arg-type]


def replies(stack: Stack, data: bytes, flow: Flow = UDP) -> list[Response]:
    stack.receive(data, flow, 0.0)
    found = [parse_message(reply) for _, reply in stack.data_to_send()]
    assert all(isinstance(reply, Response) for reply in found)
    return [reply for reply in found if isinstance(reply, Response)]


def status(stack: Stack, data: bytes, flow: Flow = UDP) -> int:
    (reply,) = replies(stack, data, flow)
    return reply.status


def test_options_is_answered_without_state() -> None:
    stack = make()
    (reply,) = replies(stack, message("OPTIONS", "User-Agent: " + "x" * 400 + "\r\n"))
    assert reply.status == 200
    assert "INVITE" in reply.allow
    assert reply.supported == ("100rel", "timer")
    assert reply.to.tag
    assert stack.idle
    (again,) = replies(stack, message("OPTIONS", "User-Agent: " + "x" * 400 + "\r\n"))
    assert again.to.tag == reply.to.tag


@pytest.mark.parametrize("host", ["10.0.0.1", "2001:db8:1234:5678:9abc:def0:1234:5678"])
@pytest.mark.parametrize("rport", ["", ";rport"])
def test_what_answers_a_small_request_is_no_larger(host: str, rport: str) -> None:
    data = (
        "OPTIONS sip:b@10.0.0.2 SIP/2.0\r\n"
        f"v:SIP/2.0/UDP a{rport};branch=z9hG4bK1\r\nf:<sip:a@b>;tag=1\r\nt:<sip:b@c>\r\ni:1\r\nCSeq:1 OPTIONS\r\n\r\n"
    ).encode()
    stack = make()
    stack.receive(data, Flow("UDP", HERE, (host, 5060)), 0.0)
    assert all(len(reply) <= len(data) for _, reply in stack.data_to_send())


def test_a_usual_small_request_is_still_answered() -> None:
    data = message().replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
    (reply,) = replies(make(), data)
    assert reply.status == 200
    assert len(bytes(reply)) <= len(data)


def test_over_a_connection_the_size_does_not_matter() -> None:
    (reply,) = replies(make(), message(), TCP)
    assert len(reply.allow) > 5
    assert len(bytes(reply)) > len(message())


def test_a_response_is_cut_step_by_step() -> None:
    def reply() -> Response:
        (found,) = replies(make(), message(), TCP)
        return found

    whole = bytes(reply())
    sizes = {len(fit(reply(), size)) for size in range(len(whole) + 1)}
    assert max(sizes) == len(whole)
    assert 0 in sizes
    assert len(sizes) == 7
    smallest = min(sizes - {0})
    assert isinstance(parse_message(fit(reply(), smallest)), Response)


def test_options_can_be_the_users_work() -> None:
    stack = make(answer_options=False)
    stack.receive(message(), UDP, 0.0)
    event = stack.next_event()
    assert isinstance(event, RequestReceived)
    stack.respond(event, 486, 0.0, (("Warning", '399 here "busy"'),))
    ((flow, data),) = stack.data_to_send()
    assert flow == UDP
    assert b"SIP/2.0 486 Busy Here" in data
    assert stack.next_event() is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (message("BYE", to=";tag=x"), 481),
        (message("INVITE", "Contact: <sip:a@b>\r\n", to=";tag=x"), 481),
        (message("BYE"), 481),
        (message("INFO"), 481),
        (message("CANCEL"), 481),
        (message("REGISTER"), 405),
        (message("BREW"), 501),
        (message("INVITE"), 400),
        (message("OPTIONS", "Require: magic\r\n"), 420),
        (message("MESSAGE", "Content-Type: image/png\r\n", body=b"x"), 415),
        (message().replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), 505),
        (message().replace(b"sip:b@10.0.0.2 ", b"mailto:b@c "), 416),
        (message().replace(b"CSeq: 7", b"CSeq: x"), 400),
        (message().replace(b"To: <sip:b@10.0.0.2>", b"To: <sip:b@10.0.0.2"), 400),
        (message().replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 200),
    ],
)
def test_each_fault_has_its_status(data: bytes, expected: int) -> None:
    stack = make()
    assert status(stack, data, TCP) == expected
    assert stack.idle


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"SIP/2.0 200 OK\r\n\r\n",
        message("ACK"),
        message("ACK", to=";tag=x"),
        message("ACK", "Require: magic\r\n").replace(b"CSeq: 7 ACK", b"CSeq: x"),
        message().replace(b"Via", b"Nothing"),
        b"SIP/2.0 200 OK\r\n" + message().split(b"\r\n", 1)[1],
    ],
)
def test_silence_where_it_is_better(data: bytes) -> None:
    stack = make()
    assert replies(stack, data) == []
    assert stack.idle


def test_what_cannot_be_read_is_refused_on_the_way_it_came() -> None:
    ((flow, _),) = _sent(make(), message().replace(b"SIP/2.0/UDP 10", b"SIP/2.0/UDP ??10"), TCP)
    assert flow == TCP


def _sent(stack: Stack, data: bytes, flow: Flow) -> list[tuple[Flow, bytes]]:
    stack.receive(data, flow, 0.0)
    return stack.data_to_send()


def test_parsed_messages_are_taken_too() -> None:
    stack = make()
    stack.receive(parse_message(message("OPTIONS", "Subject: " + "x" * 200 + "\r\n")), UDP, 0.0)
    assert len(stack.data_to_send()) == 1


def test_a_merged_request_is_482() -> None:
    stack = make()
    assert replies(stack, INVITE) == []
    assert status(stack, INVITE.replace(b"z9hG4bK1", b"z9hG4bK2")) == 482


def test_a_repeated_invite_is_no_second_call() -> None:
    stack = make()
    replies(stack, INVITE)
    assert status(stack, INVITE) == 100
    assert isinstance(stack.next_event(), IncomingInvite)
    assert stack.next_event() is None


def test_the_policy_refuses_what_begins_something() -> None:
    fault = Fault(401, "who are you", (("WWW-Authenticate", 'Digest realm="home", nonce="1"'),))
    stack = make(policy=lambda request, flow: None if request.method == "OPTIONS" or flow.secure else fault)
    (reply,) = replies(stack, INVITE + b" " * 200)
    assert reply.status == 401
    assert "WWW-Authenticate" in reply.headers
    assert stack.idle
    assert status(stack, message()) == 200
    assert replies(stack, INVITE, LINK) == []
    assert isinstance(stack.next_event(), IncomingInvite)


def test_a_full_stack_says_503_with_retry_after() -> None:
    stack = make(max_sessions=1)
    assert replies(stack, INVITE) == []
    other = INVITE.replace(b"Call-ID: c", b"Call-ID: d").replace(b"z9hG4bK1", b"z9hG4bK2")
    (reply,) = replies(stack, other)
    assert (reply.status, reply.retry_after) == (503, 10)
    assert len(stack.sessions) == 1


def test_transactions_are_bounded_for_strangers_and_for_known_peers() -> None:
    net = Net()
    door, screen = net.party(), net.party(Config(max_transactions=3))
    session, _ = connect(net, door, screen)
    for _ in range(12):
        session.info(b"Signal=1", "application/dtmf-relay", net.now)
    net.roundtrip()
    assert net.log.count("503 INFO") == 7
    door.stack.send_request(net.target(door, screen), "MESSAGE", net.now)
    net.roundtrip()
    assert net.log[-1] == "503 MESSAGE"


def test_requests_in_a_dialog_reach_the_user() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, other = connect(net, door, screen)
    sent = session.info(b"Signal=1", "application/dtmf-relay", net.now)
    net.roundtrip()
    event = screen.one(RequestReceived)
    assert (event.request.body, event.session) == (b"Signal=1", other)
    screen.stack.respond(event, 200, net.now)
    net.roundtrip()
    answer = door.one(ResponseReceived)
    assert (answer.outgoing, answer.response.status, answer.failure) == (sent, 200, None)
    assert sent.method == "INFO"


def test_an_old_request_in_a_dialog_is_500() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, _ = connect(net, door, screen)
    assert session.dialog is not None
    session.dialog.local_seq = 0
    session.info(b"", "", net.now)
    net.roundtrip()
    assert net.log[-1] == "500 INFO"


def test_what_comes_after_our_bye_is_481() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, other = connect(net, door, screen)
    session.bye((), net.now)
    other.info(b"", "", net.now)
    other.reinvite(OFFER, net.now)
    datagrams = net.pending()
    net.deliver([d for d in datagrams if d.what != "BYE"])
    assert sorted(d.what for d in net.pending()) == ["481 INFO", "481 INVITE"]


def test_a_request_outside_a_dialog_and_its_failures() -> None:
    net = Net()
    door, screen = net.party(), net.party(Config(answer_options=False))
    token = door.stack.send_request(net.target(door, screen), "OPTIONS", net.now, (("Accept", "*/*"),))
    net.roundtrip()
    event = screen.one(RequestReceived)
    screen.stack.respond(event, 100, net.now)
    screen.stack.respond(event, 200, net.now)
    net.roundtrip()
    assert door.one(ResponseReceived).outgoing is token
    door.stack.send_request(net.target(door, screen), "MESSAGE", net.now, (("Content-Type", "text/plain"),), b"open")
    net.settle(lambda datagram: True)
    assert door.last(ResponseReceived).failure is Failure.TIMEOUT
    assert door.last(ResponseReceived).response.status == 408


def test_a_challenge_outside_a_dialog_is_met() -> None:
    net = Net()
    door = net.party(Config(authorize=lambda request, response: [("Authorization", "Digest a=b")]))

    def policy(request: Request, flow: Flow) -> Fault | None:
        return None if "authorization" in request.headers else Fault(401, "who")

    screen = net.party(Config(policy=policy))
    door.stack.send_request(net.target(door, screen), "OPTIONS", net.now)
    net.roundtrip()
    assert net.log == ["OPTIONS", "401 OPTIONS", "OPTIONS", "200 OPTIONS"]


def test_methods_can_be_added() -> None:
    methods = (*Capabilities().methods, "REGISTER")
    stack = make(capabilities=Capabilities(methods=methods))
    stack.receive(message("REGISTER"), TCP, 0.0)
    assert isinstance(stack.next_event(), RequestReceived)


def test_a_dialog_of_a_link_is_closed_to_everybody_else() -> None:
    net = Net("LINK")
    door, screen = net.party(), net.party()
    session, other = connect(net, door, screen)
    session.bye((), net.now)
    (bye,) = net.pending()
    screen.stack.receive(bye.data, UDP, net.now)
    assert [d.what for d in net.pending()] == ["481 BYE"]
    assert not other.over


def test_a_call_of_a_link_cannot_be_cancelled_from_elsewhere() -> None:
    net = Net("LINK")
    door, screen = net.party(), net.party()
    session = ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    session.cancel((), net.now)
    (cancel,) = net.pending()
    screen.stack.receive(cancel.data, UDP, net.now)
    assert [d.what for d in net.pending()] == ["481 CANCEL"]
    assert not incoming(screen).over


def test_a_lost_flow_is_told_to_its_sessions() -> None:
    net = Net("LINK")
    door, screen, other = net.party(), net.party(), net.party()
    session, _ = connect(net, door, screen)
    ring(net, door, other)
    incoming(other).provisional(180, b"", net.now)
    net.roundtrip()
    door.stack.flow_failed(net.flow(door, screen), net.now)
    net.collect()
    assert door.one(FlowLost).session is session
    session.abandon(net.now)
    door.stack.flow_failed(net.flow(door, screen), net.now)
    net.collect()
    assert len(door.all(FlowLost)) == 1


def test_a_session_outlives_its_connection() -> None:
    net = Net("TCP")
    door, screen = net.party(), net.party()
    session, _ = connect(net, door, screen)
    door.stack.flow_failed(net.flow(door, screen), net.now)
    session.bye((), net.now)
    (bye,) = net.pending()
    assert (bye.flow.remote, bye.flow.connection) == (screen.address, None)
    net.deliver([bye])
    net.settle()
    assert screen.one(Ended).remote


def test_a_response_moves_to_a_new_connection() -> None:
    stack = make()
    stack.receive(INVITE, TCP, 0.0)
    event = stack.next_event()
    assert isinstance(event, IncomingInvite)
    event.session.provisional(180, b"", 0.0)
    stack.data_to_send()
    stack.flow_failed(TCP, 0.0)
    ((flow, data),) = stack.data_to_send()
    assert (flow.connection, flow.remote) == (None, THERE)
    assert b"180 Ringing" in data


def test_the_default_stack_makes_its_own_randomness() -> None:
    net = Net()
    one, other = net.party(), net.party()
    one.stack, other.stack = Stack(), Stack()
    connect(net, one, other)
    assert one.one(Answered).body == ANSWER
    assert net.parties[0].none(Ended)


def test_a_call_may_be_made_on_behalf_of_somebody() -> None:
    stack = make()
    caller = NameAddr("Front door", SipUri("sip", "front-door", None, "192.0.2.1"))
    stack.invite(Target(parse_uri("sip:kitchen@192.0.2.9"), UDP, caller=caller), b"v=0\r\n", (), 0.0)
    ((_, data),) = stack.data_to_send()
    invite = parse_message(data)
    assert (invite.from_.display, invite.from_.uri) == ("Front door", caller.uri)
    assert invite.from_.tag
