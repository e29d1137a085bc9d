"""Calls to us."""

from __future__ import annotations

import pytest

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.core import Config
from meshdoor.sip.events import (
    AnswerReceived,
    Cancelled,
    Confirmed,
    Ended,
    Failed,
    IncomingInvite,
)
from meshdoor.sip.headers import Reason
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Request, Response
from meshdoor.sip.session import Phase
from meshdoor.sip.uas import UasSession
from tests.sip.wire import ANSWER, OFFER, Net, connect, incoming, only, ring

ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")
NOTHING = only()


class Caller:
    """The far end by hand: it sends requests to a stack and reads what comes back."""

    def __init__(self, more: str = "", body: bytes = OFFER, config: Config | None = None) -> None:
        self.net = Net()
        self.address = self.net.party()
        self.callee = self.net.party(config)
        self.sequence = 0
        self.tag = ""
        self.more = f"Contact: <sip:a@10.0.0.1>\r\n{more}"
        self.invite = self.ask("INVITE", self.more, body)

    @property
    def session(self) -> UasSession:
        return incoming(self.callee)

    def ask(self, method: str, more: str = "", body: bytes = b"", branch: str = "", number: int = 0) -> bytes:
        """Send a request; what was sent is returned."""
        if not number:
            self.sequence += 1
        number = number or self.sequence
        content = "Content-Type: application/sdp\r\n" if body else ""
        data = (
            f"{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{branch or number}\r\n"
            f"From: <sip:a@10.0.0.1>;tag=f\r\nTo: <sip:b@10.0.0.2>{self.tag}\r\nCall-ID: c\r\n"
            f"CSeq: {number} {method}\r\nMax-Forwards: 70\r\n{more}{content}\r\n"
        ).encode() + body
        self.send(data)
        return data

    def send(self, data: bytes) -> None:
        self.callee.stack.receive(data, self.net.flow(self.callee, self.address), self.net.now)
        self.net.collect()

    def heard(self) -> list[Response | Request]:
        self.net.collect()
        found = [datagram.message for datagram in self.net.pending()]
        for message in found:
            if isinstance(message, Response) and message.to.tag is not None:
                self.tag = f";tag={message.to.tag}"
        return found

    def statuses(self) -> list[int | str]:
        return [m.status if isinstance(m, Response) else m.method for m in self.heard()]

    def ack(self, body: bytes = b"") -> None:
        self.ask("ACK", body=body, branch="ack", number=1)


def test_the_200_is_repeated_until_the_ack_comes() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    ring(net, door, screen)
    incoming(screen).accept(ANSWER, net.now)
    net.wait(8.0, only("ACK"))
    assert net.log.count("200 INVITE") == 5
    assert incoming(screen).phase is Phase.ACCEPTED
    net.wait(4.0)
    assert incoming(screen).phase is Phase.CONFIRMED
    assert screen.one(Confirmed).body == b""
    net.wait(20.0)
    assert net.log.count("200 INVITE") == 6


def test_without_any_ack_the_session_ends_with_bye() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    ring(net, door, screen)
    incoming(screen).accept(ANSWER, net.now)
    net.settle(only("ACK"))
    assert not screen.one(Ended).remote
    assert screen.one(Ended).reasons[0].cause == 408
    assert door.one(Ended).remote


def test_a_bye_before_the_ack_waits_for_it() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.session.bye((ELSEWHERE,), 0.0)
    assert caller.statuses() == [200]
    assert caller.callee.one(Ended).reasons == (ELSEWHERE,)
    caller.ack()
    (bye,) = caller.heard()
    assert bye.reasons == (ELSEWHERE,)


def test_a_bye_before_an_ack_that_never_comes_is_sent_in_the_end() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.session.hangup((), 0.0)
    caller.net.wait(32.0, lambda datagram: True)
    assert "BYE" in caller.net.log
    caller.net.settle(lambda datagram: True)


def test_two_byes_cross_before_the_ack() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.session.bye((), 0.0)
    caller.heard()
    caller.ask("BYE")
    assert caller.statuses() == [200]
    caller.net.settle()
    assert "BYE" not in caller.net.log


def test_a_bye_while_it_rings_is_a_cancel() -> None:
    caller = Caller()
    caller.session.provisional(180, b"", 0.0)
    caller.heard()
    caller.ask("BYE", "Reason: SIP;cause=200\r\n")
    assert caller.statuses() == [200, 487]
    assert caller.callee.one(Cancelled).reasons[0].cause == 200


def test_a_bye_instead_of_an_ack_ends_the_session() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.heard()
    caller.ask("BYE", "Reason: SIP;cause=broken\r\n")
    assert caller.statuses() == [200]
    assert caller.callee.one(Ended).remote
    assert caller.callee.one(Ended).reasons == ()
    caller.net.settle()


def test_a_cancel_ends_the_ringing() -> None:
    caller = Caller()
    caller.session.provisional(180, b"", 0.0)
    caller.heard()
    tag, caller.tag = caller.tag, ""
    caller.ask("CANCEL", f"Reason: {ELSEWHERE}\r\nReason: Q.850;cause=26\r\n", branch="1", number=1)
    ok, terminated = caller.heard()
    assert isinstance(ok, Response)
    assert isinstance(terminated, Response)
    assert (ok.status, terminated.status) == (200, 487)
    assert f";tag={ok.to.tag}" == f";tag={terminated.to.tag}" == tag
    assert [r.protocol for r in caller.callee.one(Cancelled).reasons] == ["SIP", "Q.850"]


def test_a_cancel_after_the_answer_changes_nothing() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.heard()
    caller.tag = ""
    caller.ask("CANCEL", branch="1", number=1)
    assert caller.statuses() == [200]
    assert caller.session.phase is Phase.ACCEPTED


def test_a_cancel_of_nothing_is_481() -> None:
    caller = Caller()
    caller.ask("CANCEL", branch="other")
    assert caller.statuses() == [481]


@pytest.mark.parametrize("verb", ["reject", "hangup", "abandon"])
def test_a_call_can_be_turned_down(verb: str) -> None:
    caller = Caller()
    if verb == "reject":
        caller.session.reject(603, 0.0)
    elif verb == "hangup":
        caller.session.hangup((ELSEWHERE,), 0.0)
    else:
        caller.session.abandon(0.0)
        caller.session.abandon(0.0)
    assert caller.statuses() == [603 if verb == "reject" else 480]
    assert caller.session.over
    caller.net.settle(lambda datagram: True)


def test_an_answered_call_can_be_abandoned() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.session.abandon(0.0)
    assert caller.statuses() == [200]
    caller.net.settle(lambda datagram: True)
    assert caller.callee.one(Failed).failure is Failure.TRANSPORT


def test_an_answer_is_given_once() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    with pytest.raises(LocalProtocolError, match="accepted already"):
        caller.session.accept(ANSWER, 0.0)
    with pytest.raises(LocalProtocolError, match="accepted already"):
        caller.session.provisional(180, b"", 0.0)


@pytest.mark.parametrize(("more", "status"), [("Expires: 20\r\n", 487), ("", 480)])
def test_a_call_that_nobody_answers_expires(more: str, status: int) -> None:
    caller = Caller(more, config=Config(longest_ring=30.0))
    caller.net.wait(31.0, lambda datagram: True)
    assert f"{status} INVITE" in caller.net.log
    assert caller.callee.one(Failed).failure is Failure.TIMEOUT


def test_a_long_ring_repeats_its_provisional_response() -> None:
    caller = Caller()
    caller.session.provisional(100, b"", 0.0)
    caller.session.provisional(180, b"", 0.0)
    caller.net.wait(130.0, NOTHING)
    assert caller.net.log.count("180 INVITE") == 3


def test_an_answer_that_went_out_unreliably_is_repeated_in_the_200() -> None:
    caller = Caller()
    caller.session.provisional(183, ANSWER, 0.0)
    caller.session.accept(b"", 0.0)
    early, final = caller.heard()
    assert early.body == final.body == ANSWER


def test_an_invite_that_asks_for_an_offer_gets_it_in_the_200() -> None:
    caller = Caller(body=b"")
    assert caller.callee.one(IncomingInvite).request.body == b""
    caller.session.accept(OFFER, 0.0)
    caller.heard()
    caller.ack(ANSWER)
    assert caller.callee.one(Confirmed).body == ANSWER


def test_an_ack_with_the_branch_of_the_invite_counts() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.heard()
    caller.ask("ACK", branch="1", number=1)
    assert caller.callee.one(Confirmed)


def test_an_ack_of_another_number_is_nothing() -> None:
    caller = Caller()
    caller.session.accept(ANSWER, 0.0)
    caller.heard()
    caller.ask("ACK", branch="ack", number=2)
    assert caller.callee.none(Confirmed)


def test_an_invite_without_contact_is_malformed() -> None:
    net = Net()
    sender, callee = net.party(), net.party()
    data = Caller().invite.replace(b"Contact: <sip:a@10.0.0.1>\r\n", b"")
    callee.stack.receive(data, net.flow(callee, sender), 0.0)
    (reply,) = net.pending()
    assert reply.what == "400 INVITE"
    assert callee.stack.idle


class TestReliableProvisionals:
    """RFC 3262."""

    def caller(self, option: str = "Supported") -> Caller:
        return Caller(f"{option}: 100rel\r\n")

    def prack(self, caller: Caller, response: object, body: bytes = b"") -> None:
        assert isinstance(response, Response)
        caller.ask("PRACK", f"RAck: {response.rseq} 1 INVITE\r\n", body)

    def test_they_are_repeated_until_the_prack(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        (early,) = caller.heard()
        assert early.require == ("100rel",)
        caller.net.wait(8.0, NOTHING)
        assert caller.net.log.count("183 INVITE") == 5
        self.prack(caller, early)
        assert caller.statuses() == [200]
        caller.net.wait(20.0, NOTHING)
        assert caller.net.log.count("183 INVITE") == 5
        self.prack(caller, early)
        assert caller.statuses() == [481]

    def test_a_plain_180_is_not_reliable_where_it_need_not_be(self) -> None:
        caller = self.caller()
        caller.session.provisional(180, b"", 0.0)
        assert caller.heard()[0].rseq is None

    def test_all_are_reliable_where_the_caller_requires_it(self) -> None:
        caller = self.caller("Require")
        caller.session.provisional(180, b"", 0.0)
        caller.session.provisional(183, ANSWER, 0.0)
        (ringing,) = caller.heard()
        self.prack(caller, ringing)
        progress, _ = caller.heard()
        assert isinstance(progress, Response)
        assert progress.status == 183
        assert (progress.rseq or 0) - (ringing.rseq or 0) == 1

    def test_the_200_waits_for_the_prack_of_a_description(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        caller.session.accept(b"", 0.0)
        with pytest.raises(LocalProtocolError):
            caller.session.accept(b"", 0.0)
        (early,) = caller.heard()
        self.prack(caller, early)
        _, final = caller.heard()
        assert isinstance(final, Response)
        assert (final.cseq.method, final.body) == ("INVITE", b"")

    def test_a_cancel_while_the_200_waits(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        caller.session.accept(b"", 0.0)
        (early,) = caller.heard()
        tag, caller.tag = caller.tag, ""
        caller.ask("CANCEL", branch="1", number=1)
        assert caller.statuses() == [200, 487]
        caller.tag = tag
        self.prack(caller, early)
        assert caller.statuses() == [481]

    def test_without_a_prack_the_call_fails(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        caller.net.wait(32.0, lambda datagram: True)
        assert "504 INVITE" in caller.net.log
        assert caller.callee.one(Failed).failure is Failure.TIMEOUT
        caller.net.settle(lambda datagram: True)

    def test_an_offer_in_a_prack_is_turned_down(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        self.prack(caller, caller.heard()[0], OFFER)
        assert caller.statuses() == [488]

    def test_the_answer_to_an_early_offer_comes_in_the_prack(self) -> None:
        caller = Caller("Supported: 100rel\r\n", body=b"")
        caller.session.provisional(183, OFFER, 0.0)
        self.prack(caller, caller.heard()[0], ANSWER)
        assert caller.statuses() == [200]
        assert caller.callee.one(AnswerReceived).body == ANSWER

    def test_a_prack_without_rack_or_in_a_call_of_ours_is_481(self) -> None:
        caller = self.caller()
        caller.session.provisional(183, ANSWER, 0.0)
        caller.heard()
        caller.ask("PRACK")
        assert caller.statuses() == [481]


def test_a_prack_to_the_caller_is_481() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    _, session = connect(net, door, screen)
    session.request("PRACK", (), b"", net.now)
    net.roundtrip()
    assert net.log[-1] == "481 PRACK"


def test_a_rejection_without_its_ack_ends_all_the_same() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    ring(net, door, screen)
    incoming(screen).reject(603, net.now)
    net.settle(only("ACK"))
    assert screen.one(Ended)
