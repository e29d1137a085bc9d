"""Calls of ours."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.compose import response_to
from meshdoor.sip.core import Config
from meshdoor.sip.events import (
    Answered,
    Cancelled,
    EarlyMedia,
    Ended,
    Event,
    Failed,
    FlowLost,
    Provisional,
    Rejected,
    SessionOver,
)
from meshdoor.sip.flow import UDP_LIMIT
from meshdoor.sip.headers import NameAddr, Reason
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Request, Response
from meshdoor.sip.session import Phase
from meshdoor.sip.uac import MAX_DIALOGS
from tests.sip.wire import ANSWER, OFFER, Net, Party, connect, incoming, only, ring

ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")
CONTACT = ("Contact", "<sip:b@10.0.0.2>")


def kinds(party: Party) -> list[type[Event]]:
    return [type(event) for event in party.events]


@pytest.fixture(params=["UDP", "LINK"])
def net(request: pytest.FixtureRequest) -> Net:
    return Net(request.param)


class Callee:
    """The far end by hand: it answers an INVITE with whatever responses, from as many branches."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.caller = net.party()
        self.address = net.party()
        self.session = self.caller.stack.invite(net.target(self.caller, self.address), OFFER, (), net.now)
        self.invite = self.take("INVITE")

    def take(self, what: str) -> Request:
        """The last message of a kind that was sent to us."""
        self.net.collect()
        self.net.pending()
        found = [d.message for d in self.net.sent if d.what == what and d.sender is self.caller]
        assert found, f"no {what} in {self.net.log}"
        assert isinstance(found[-1], Request)
        return found[-1]

    def say(
        self, status: int, tag: str | None = "t", body: bytes = b"", more: Iterable[tuple[str, str]] = (CONTACT,)
    ) -> None:
        self.give(response_to(self.invite, status, tag, more, body))

    def give(self, response: Response) -> None:
        flow = self.net.flow(self.caller, self.address)
        self.caller.stack.receive(bytes(response), flow, self.net.now)
        self.net.collect()
        self.net.pending()

    def agree(self, what: str) -> None:
        """Answer our request with 200."""
        self.give(response_to(self.take(what), 200))

    def count(self, what: str) -> int:
        self.net.pending()
        return self.net.log.count(what)


def test_a_call_with_early_media(net: Net) -> None:
    door, screen = net.party(), net.party()
    session = ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    incoming(screen).provisional(183, ANSWER, net.now)
    incoming(screen).accept(b"", net.now)
    net.roundtrip()
    assert kinds(door) == [Provisional, Provisional, EarlyMedia, Answered]
    assert door.one(EarlyMedia).body == door.one(Answered).body == ANSWER
    assert session.phase is Phase.CONFIRMED
    assert session.call_id == net.sent[0].message.call_id
    session.bye((ELSEWHERE,), net.now)
    net.roundtrip()
    assert screen.one(Ended).reasons == (ELSEWHERE,)
    assert screen.one(Ended).remote
    assert not door.one(Ended).remote
    net.settle()


def test_a_rejection_has_its_response(net: Net) -> None:
    door, screen = net.party(), net.party()
    ring(net, door, screen)
    incoming(screen).reject(486, net.now, (("Reason", str(ELSEWHERE)),))
    net.roundtrip()
    assert door.one(Rejected).response.status == 486
    assert door.one(Rejected).reasons == (ELSEWHERE,)
    assert not screen.one(Ended).remote
    net.settle()


def test_nobody_answers() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    door.stack.invite(net.target(door, screen), OFFER, (), net.now)
    net.wait(33, lambda datagram: True)
    assert door.one(Failed).failure is Failure.TIMEOUT
    assert net.log.count("INVITE") == 7
    net.settle()


def test_cancel_waits_for_a_provisional_response(net: Net) -> None:
    callee = Callee(net)
    callee.session.cancel((ELSEWHERE,), net.now)
    callee.session.cancel((), net.now)
    assert callee.count("CANCEL") == 0
    callee.say(100, None)
    cancel = callee.take("CANCEL")
    assert cancel.reasons == (ELSEWHERE,)
    assert cancel.via.branch == callee.invite.via.branch
    callee.say(180)
    assert callee.count("CANCEL") == 1
    callee.agree("CANCEL")
    callee.say(487)
    assert kinds(callee.caller) == [Cancelled]
    assert callee.caller.one(Cancelled).reasons == (ELSEWHERE,)
    net.settle()


def test_cancel_without_any_response_ends_with_the_transaction() -> None:
    callee = Callee(Net())
    callee.session.hangup((), callee.net.now)
    callee.net.settle(lambda datagram: True)
    assert kinds(callee.caller) == [Cancelled]


def test_cancel_without_effect_ends_too() -> None:
    callee = Callee(Net())
    callee.say(180)
    callee.session.cancel((), callee.net.now)
    callee.net.settle(lambda datagram: True)
    assert kinds(callee.caller) == [Provisional, Cancelled]


def test_the_200_that_crosses_a_cancel_gets_ack_then_bye(net: Net) -> None:
    callee = Callee(net)
    callee.say(180)
    callee.session.cancel((ELSEWHERE,), net.now)
    callee.say(200, body=ANSWER)
    assert net.log[-2:] == ["ACK", "BYE"]
    assert callee.take("BYE").reasons == (ELSEWHERE,)
    assert kinds(callee.caller) == [Provisional, Cancelled]
    callee.say(200, body=ANSWER)
    assert net.log[-1] == "ACK"
    assert callee.count("BYE") == 1
    callee.agree("CANCEL")
    callee.agree("BYE")
    net.settle()


def test_cancel_after_the_answer_is_bye(net: Net) -> None:
    callee = Callee(net)
    callee.say(200, body=ANSWER)
    callee.session.cancel((ELSEWHERE,), net.now)
    callee.agree("BYE")
    assert net.log[-2:] == ["ACK", "BYE"]
    callee.session.cancel((), net.now)
    assert kinds(callee.caller) == [Answered, Ended]
    net.settle()


def test_a_second_2xx_of_a_fork_gets_ack_then_bye(net: Net) -> None:
    callee = Callee(net)
    callee.say(183, "one", ANSWER)
    callee.say(183, "two", ANSWER + b"2")
    assert [e.dialog.remote.tag for e in callee.caller.all(EarlyMedia)] == ["one", "two"]
    callee.say(200, "two")
    callee.say(200, "one", ANSWER)
    assert net.log[-3:] == ["ACK", "ACK", "BYE"]
    bye = callee.take("BYE")
    assert bye.to.tag == "one"
    assert callee.caller.one(Answered).body == ANSWER + b"2"
    assert callee.session.dialog is callee.caller.one(Answered).dialog
    assert callee.session.phase is Phase.CONFIRMED
    callee.agree("BYE")
    callee.session.bye((), net.now)
    assert callee.take("BYE").to.tag == "two"
    callee.agree("BYE")
    net.settle()


def test_a_2xx_of_a_fork_after_the_end_gets_bye_too(net: Net) -> None:
    callee = Callee(net)
    callee.say(200, "one", ANSWER)
    callee.session.bye((), net.now)
    callee.agree("BYE")
    callee.say(200, "two", ANSWER)
    assert callee.take("BYE").to.tag == "two"
    callee.agree("BYE")
    net.settle()


def test_early_dialogs_of_the_losers_are_forgotten() -> None:
    callee = Callee(Net())
    callee.say(183, "one")
    callee.say(200, "two", ANSWER)
    assert len(callee.session.early) == 1
    callee.net.wait(32.0)
    assert not callee.session.early


def test_forks_are_bounded() -> None:
    callee = Callee(Net("LINK"))
    for number in range(MAX_DIALOGS + 5):
        callee.say(180, f"t{number}")
    assert len(callee.session.early) == MAX_DIALOGS
    for number in range(MAX_DIALOGS + 5):
        callee.say(200, f"u{number}", ANSWER)
    assert callee.count("ACK") == MAX_DIALOGS


def test_a_180_without_contact_can_be_answered_later_with_one() -> None:
    callee = Callee(Net())
    callee.say(180, more=())
    assert str(callee.session.early["t"].target) == "sip:screen@10.0.0.2"
    callee.say(183, more=(("Contact", "<sip:b@10.0.0.9>"),))
    assert str(callee.session.early["t"].target) == "sip:b@10.0.0.9"


def test_a_provisional_response_without_a_tag_makes_no_dialog() -> None:
    callee = Callee(Net())
    callee.say(180, None)
    assert callee.caller.one(Provisional).dialog is None
    with pytest.raises(LocalProtocolError, match="no dialog"):
        callee.session.update(OFFER, 0.0)
    with pytest.raises(LocalProtocolError, match="ringing"):
        callee.session.bye((), 0.0)


def test_reliable_provisional_responses_get_a_prack_in_order() -> None:
    callee = Callee(Net())

    def reliable(rseq: int, body: bytes = b"") -> None:
        callee.say(183, body=body, more=(CONTACT, ("Require", "100rel"), ("RSeq", str(rseq))))

    reliable(7, ANSWER)
    assert str(callee.take("PRACK").rack) == "7 1 INVITE"
    reliable(7, ANSWER)
    reliable(9)
    assert callee.count("PRACK") == 1
    assert len(callee.caller.all(Provisional)) == 1
    reliable(8)
    assert str(callee.take("PRACK").rack) == "8 1 INVITE"
    assert callee.session.early["t"].settled


def test_a_challenge_is_answered_once_with_the_next_number() -> None:
    asked: list[int] = []

    def authorize(request: Request, response: Response) -> list[tuple[str, str]]:
        asked.append(response.status)
        return [("Authorization", f"Digest response={len(asked)}")]

    net = Net()
    net.party(Config(authorize=authorize))
    callee = Callee.__new__(Callee)
    callee.net, callee.caller, callee.address = net, net.parties[0], net.party()
    callee.session = callee.caller.stack.invite(net.target(callee.caller, callee.address), OFFER, (), net.now)
    for number in (1, 2):
        callee.invite = callee.take("INVITE")
        assert callee.invite.cseq.number == number
        callee.say(180)
        callee.say(401)
    callee.invite = callee.take("INVITE")
    assert (callee.invite.cseq.number, callee.invite.headers.get("authorization")) == (3, "Digest response=2")
    callee.say(407)
    assert asked == [401, 401]
    assert callee.caller.one(Rejected).response.status == 407


def test_without_an_account_a_challenge_is_a_rejection() -> None:
    callee = Callee(Net())
    callee.say(401)
    assert callee.caller.one(Rejected).response.status == 401


def test_a_longer_session_interval_is_agreed_to() -> None:
    callee = Callee(Net())
    callee.say(422, more=(("Min-SE", "3600"),))
    callee.invite = callee.take("INVITE")
    assert (callee.invite.min_se, callee.invite.cseq.number) == (3600, 2)
    assert callee.invite.session_expires is not None
    assert callee.invite.session_expires.interval == 3600
    callee.say(422, more=(("Min-SE", "3600"),))
    assert callee.caller.one(Rejected).response.status == 422


def test_minutes_of_silence_while_it_rings_cancel_the_call() -> None:
    callee = Callee(Net())
    callee.say(180)
    callee.net.wait(182, only("CANCEL"))
    assert "CANCEL" in callee.net.log
    callee.say(487)
    assert callee.caller.one(Failed).failure is Failure.TIMEOUT
    callee.net.settle(only("CANCEL"))


def test_a_bye_in_an_early_dialog_ends_that_dialog(net: Net) -> None:
    callee = Callee(net)
    callee.say(183, body=ANSWER)
    dialog = callee.session.early["t"]
    bye = Request("BYE", dialog.local.uri)
    for name, value in (
        ("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb"),
        ("From", str(dialog.remote)),
        ("To", str(dialog.local)),
        ("Call-ID", dialog.call_id),
        ("CSeq", "1 BYE"),
    ):
        bye.headers.add(name, value)
    callee.caller.stack.receive(bye, net.flow(callee.caller, callee.address), net.now)
    callee.net.pending()
    assert net.log[-1] == "200 BYE"
    callee.say(183, body=ANSWER)
    assert not callee.session.early
    if net.transport == "LINK":
        callee.say(200, body=ANSWER)
        assert net.log[-1] == "ACK"
        assert callee.caller.one(Ended).remote
    else:
        callee.session.cancel((), net.now)
        callee.agree("CANCEL")
        callee.say(200, body=ANSWER)
        assert net.log[-1] == "ACK"
        assert callee.caller.one(SessionOver)
    net.settle()


def test_a_lost_flow_is_told_while_it_rings(net: Net) -> None:
    callee = Callee(net)
    callee.say(100, None)
    flow = net.flow(callee.caller, callee.address)
    callee.caller.stack.flow_failed(flow, net.now)
    net.collect()
    assert callee.caller.one(FlowLost).flow == flow
    callee.session.abandon(net.now)
    callee.session.abandon(net.now)
    net.collect()
    assert callee.caller.one(Failed).failure is Failure.TRANSPORT
    net.settle()


def test_a_lost_flow_fails_a_call_that_was_not_heard_of() -> None:
    callee = Callee(Net("LINK"))
    callee.caller.stack.flow_failed(callee.net.flow(callee.caller, callee.address), 0.0)
    callee.net.collect()
    assert kinds(callee.caller) == [Failed]


def test_a_call_can_be_abandoned_in_dialog() -> None:
    net = Net("LINK")
    session, _ = connect(net, net.party(), net.party())
    session.abandon(net.now)
    net.collect()
    assert net.parties[0].one(Failed).failure is Failure.TRANSPORT


def test_a_large_invite_leaves_over_tcp_and_falls_back() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    door.stack.invite(net.target(door, screen), b"v" * UDP_LIMIT, (), net.now)
    ((flow, data),) = door.stack.data_to_send()
    assert flow.transport == "TCP"
    assert b"Via: SIP/2.0/TCP" in data
    door.stack.flow_failed(flow, net.now)
    ((flow, data),) = door.stack.data_to_send()
    assert flow == net.flow(door, screen)
    assert b"Via: SIP/2.0/UDP" in data


def test_route_and_headers_of_the_caller_are_sent() -> None:
    net = Net()
    door, screen = net.party(Config(display="Front door")), net.party()
    target = net.target(door, screen)
    routed = type(target)(target.uri, target.flow, (NameAddr.parse("<sip:10.0.0.2;lr>"),))
    door.stack.invite(routed, OFFER, (("Subject", "press 7"),), net.now)
    net.roundtrip()
    message = net.sent[0].message
    assert len(message.routes) == 1
    assert message.from_.display == "Front door"
    assert message.headers.get("subject") == "press 7"


def test_a_call_needs_an_offer() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    with pytest.raises(LocalProtocolError, match="offer"):
        door.stack.invite(net.target(door, screen), b"", (), net.now)
