"""Offers in a session: re-INVITE, UPDATE, glare."""

from __future__ import annotations

import pytest

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.asking import Draft
from meshdoor.sip.events import (
    AnswerReceived,
    EarlyMedia,
    Ended,
    OfferReceived,
    OfferRejected,
    OfferWithdrawn,
)
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Request
from meshdoor.sip.session import Session
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from tests.sip.wire import ANSWER, OFFER, Datagram, Net, Party, connect, incoming, only, ring

NEW = b"v=0\r\ns=new offer\r\n"
AGREED = b"v=0\r\ns=agreed\r\n"


class Call:
    """An answered call."""

    def __init__(self) -> None:
        self.net = Net()
        self.door: Party = self.net.party()
        self.screen: Party = self.net.party()
        self.uac: UacSession
        self.uas: UasSession
        self.uac, self.uas = connect(self.net, self.door, self.screen)

    def answer_all(self) -> None:
        for party in (self.door, self.screen):
            for event in party.all(OfferReceived):
                if event.offer._offers._theirs is event.offer:
                    event.offer.answer(AGREED, self.net.now)
        self.net.roundtrip()

    def verb(self, method: str, session: Session, body: bytes = NEW) -> None:
        (session.reinvite if method == "INVITE" else session.update)(body, self.net.now)


@pytest.fixture
def call() -> Call:
    return Call()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("caller", [True, False])
def test_an_offer_is_answered(call: Call, method: str, caller: bool) -> None:
    one, other = (call.door, call.screen) if caller else (call.screen, call.door)
    call.verb(method, call.uac if caller else call.uas)
    call.net.roundtrip()
    offer = other.one(OfferReceived).offer
    assert (offer.body, offer.method) == (NEW, method)
    offer.answer(AGREED, call.net.now)
    call.net.roundtrip()
    assert one.one(AnswerReceived).body == AGREED
    assert call.net.log[-1] == ("ACK" if method == "INVITE" else "200 UPDATE")
    call.uac.bye((), call.net.now)
    call.net.settle()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_is_refused(call: Call, method: str) -> None:
    call.verb(method, call.uac)
    call.net.roundtrip()
    offer = call.screen.one(OfferReceived).offer
    offer.refuse(488, call.net.now)
    call.net.roundtrip()
    assert call.door.one(OfferRejected).response.status == 488
    with pytest.raises(LocalProtocolError, match="not open"):
        offer.answer(AGREED, call.net.now)
    call.uas.bye((), call.net.now)
    call.net.settle()


def test_an_offer_at_a_time(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    with pytest.raises(LocalProtocolError, match="open"):
        call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    with pytest.raises(LocalProtocolError, match="open"):
        call.uas.update(NEW, call.net.now)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_glare_is_491_and_both_try_again_the_callee_first(call: Call, method: str) -> None:
    call.verb(method, call.uac, NEW + b"a")
    call.verb(method, call.uas, NEW + b"b")
    call.net.roundtrip()
    assert call.net.log.count(f"491 {method}") == 2
    with pytest.raises(LocalProtocolError, match="open"):
        call.uac.update(NEW, call.net.now)
    for _ in range(60):
        call.net.wait(0.1)
        call.answer_all()
    offers = [e.offer.body for e in call.screen.all(OfferReceived) + call.door.all(OfferReceived)]
    assert sorted(offers) == [NEW + b"a", NEW + b"b"]
    assert call.door.one(AnswerReceived)
    assert call.screen.one(AnswerReceived)
    call.uac.bye((), call.net.now)
    call.net.settle()


def test_a_try_after_glare_waits_for_what_is_open(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.uas.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.net.wait(3.0)  # the callee's second try came; its answer takes longer than the caller's wait
    assert call.door.one(OfferReceived)
    call.net.wait(3.0)
    assert call.screen.none(OfferReceived)
    call.answer_all()
    call.net.wait(1.5)
    assert call.screen.one(OfferReceived)


def test_glare_without_end_is_given_up(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    assert call.uas.dialog is not None
    call.uas.offers(call.uas.dialog)._mine = Draft("INVITE")  # which nobody ever answers
    call.net.wait(40.0)
    assert call.net.log.count("491 INVITE") == 6
    assert call.door.one(OfferRejected).response.status == 491


def test_a_session_that_ends_between_tries_forgets_them(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.uas.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.uac.bye((), call.net.now)
    call.net.settle()
    assert call.net.log.count("INVITE") == 3


def test_a_second_offer_while_the_first_is_open_is_500(call: Call) -> None:
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    call.uac._offers.clear()  # the far end as a broken one would be
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    response = call.net.sent[-1].message
    assert call.net.log[-1] == "500 UPDATE"
    assert response.retry_after is not None
    assert 0 <= response.retry_after <= 10


def test_a_500_with_retry_after_is_tried_again(call: Call) -> None:
    call.screen.stack._core.random = lambda size: b"\x03" * size
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    call.uac._offers.clear()
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    call.answer_all()
    call.net.wait(2.0)
    assert len(call.screen.all(OfferReceived)) == 1
    call.net.wait(2.0)
    assert len(call.screen.all(OfferReceived)) == 2


def test_a_500_without_retry_after_is_a_refusal(call: Call) -> None:
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    call.screen.one(OfferReceived).offer.refuse(500, call.net.now)
    call.net.roundtrip()
    assert call.door.one(OfferRejected)


def test_an_offer_that_the_user_forgets_is_refused_in_time(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.wait(31.0)
    assert call.door.one(OfferRejected).response.status == 500
    assert call.screen.one(OfferWithdrawn).offer is call.screen.one(OfferReceived).offer


def test_a_stalled_reinvite_is_cancelled(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.screen.one(OfferReceived).offer._offers.disarm("PATIENCE")
    call.net.wait(182.0)
    assert "CANCEL" in call.net.log
    assert call.screen.one(OfferWithdrawn)
    assert call.door.one(OfferRejected).response.status == 487


def test_an_offer_with_too_short_an_interval_is_made_again(call: Call) -> None:
    call.uas.timer._min_se = 3600
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip()
    assert call.net.log[-3:] == ["UPDATE", "422 UPDATE", "UPDATE"]
    call.answer_all()
    assert call.uac.timer.agreed == 3600


def test_a_cancel_after_the_answer_changes_nothing(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    offer = call.screen.one(OfferReceived).offer
    offer.answer(AGREED, call.net.now)
    transaction = offer.transaction
    offer.cancel_received(transaction, transaction.request, call.net.now)
    offer.response_failed(transaction, Failure.TRANSPORT, call.net.now)
    call.net.collect()
    assert call.screen.none(OfferWithdrawn)


@pytest.mark.parametrize("ender", ["uac", "uas"])
def test_an_open_offer_is_terminated_with_its_session(call: Call, ender: str) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    (call.uac if ender == "uac" else call.uas).bye((), call.net.now)
    call.net.settle()
    assert "487 INVITE" in call.net.log
    assert call.door.one(Ended)
    assert call.screen.one(Ended)
    call.uac.bye((), call.net.now)
    call.uas.bye((), call.net.now)
    assert not call.net.pending()


@pytest.mark.parametrize("status", ["481", "408"])
def test_a_dialog_that_the_other_side_forgot_ends_with_bye(call: Call, status: str) -> None:
    call.uac.update(NEW, call.net.now)
    if status == "481":
        call.screen.stack._core.dialogs.clear()
        call.net.roundtrip()
    else:
        call.net.wait(33.0, only("UPDATE"))
    assert call.door.one(Ended).reasons[0].cause == int(status)
    assert "BYE" in call.net.log


def test_the_2xx_of_a_reinvite_is_acknowledged_each_time(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.screen.one(OfferReceived).offer.answer(AGREED, call.net.now)
    lost: list[Datagram] = []

    def first_ack(datagram: Datagram) -> bool:
        if datagram.what == "ACK" and not lost:
            lost.append(datagram)
            return True
        return False

    call.net.wait(3.0, first_ack)
    assert call.net.log.count("ACK") == 3
    call.uas.update(NEW, call.net.now)


def test_an_offer_before_the_ack_is_491(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.screen.one(OfferReceived).offer.answer(AGREED, call.net.now)
    call.net.roundtrip(only("ACK"))
    call.uac.update(NEW, call.net.now)
    call.net.roundtrip(only("ACK"))
    assert call.net.log[-1] == "491 UPDATE"


def test_a_reinvite_without_an_offer_gets_one_and_answers_in_the_ack(call: Call) -> None:
    invite = call.uac.dialog.request("INVITE", (("Contact", "<sip:a@10.0.0.77>"),))  # type: ignore[union-attr]
    invite.headers.add("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
    flow = call.net.flow(call.screen, call.door)
    call.screen.stack.receive(invite, flow, call.net.now)
    call.net.collect()
    offer = call.screen.one(OfferReceived).offer
    assert offer.body == b""
    offer.answer(NEW, call.net.now)
    ack = Request("ACK", invite.uri, invite.headers.copy(), AGREED)
    ack.headers.set("CSeq", f"{invite.cseq.number} ACK")
    ack.headers.add("Content-Type", "application/sdp")
    call.screen.stack.receive(ack, flow, call.net.now)
    call.net.collect()
    assert call.screen.one(AnswerReceived).body == AGREED
    assert str(call.uas.dialog.target) == "sip:a@10.0.0.77"  # type: ignore[union-attr]


class TestEarly:
    """UPDATE before the call is answered (RFC 3311 §5.1)."""

    def test_not_before_the_first_exchange_is_over(self) -> None:
        net = Net()
        door, screen = net.party(), net.party()
        session = ring(net, door, screen)
        incoming(screen).provisional(180, b"", net.now)
        net.roundtrip()
        for one in (session, incoming(screen)):
            with pytest.raises(LocalProtocolError, match="open"):
                one.update(NEW, net.now)
        early, late = session.early.values(), incoming(screen).dialog
        assert late is not None
        next(iter(early)).settled = late.settled = True
        session.update(NEW, net.now)
        late.settled = False
        net.roundtrip()
        assert net.log[-1] == "500 UPDATE"

    def test_the_caller_turns_down_what_comes_too_early(self) -> None:
        net = Net()
        door, screen = net.party(), net.party()
        ring(net, door, screen)
        incoming(screen).provisional(180, b"", net.now)
        net.roundtrip()
        dialog = incoming(screen).dialog
        assert dialog is not None
        dialog.settled = True
        incoming(screen).update(NEW, net.now)
        net.roundtrip()
        assert net.log[-1] == "491 UPDATE"

    @pytest.mark.parametrize("caller", [True, False])
    def test_after_a_reliable_answer(self, caller: bool) -> None:
        net = Net()
        door, screen = net.party(), net.party()
        session = ring(net, door, screen)
        incoming(screen).provisional(183, ANSWER, net.now)
        net.roundtrip()
        assert door.one(EarlyMedia)
        (session if caller else incoming(screen)).update(OFFER, net.now)
        net.roundtrip()
        (screen if caller else door).one(OfferReceived).offer.answer(AGREED, net.now)
        net.roundtrip()
        assert (door if caller else screen).one(AnswerReceived)
        session.cancel((), net.now)
        net.settle()

    def test_a_lost_update_does_not_end_the_ringing(self) -> None:
        net = Net()
        door, screen = net.party(), net.party()
        session = ring(net, door, screen)
        incoming(screen).provisional(183, ANSWER, net.now)
        net.roundtrip()
        session.update(OFFER, net.now)
        net.wait(33.0, only("UPDATE"))
        assert door.one(OfferRejected).response.status == 408
        assert not session.over

    def test_an_update_starts_no_session_timer(self) -> None:
        net = Net()
        door, screen = net.party(), net.party()
        session = ring(net, door, screen)
        incoming(screen).provisional(183, ANSWER, net.now)
        net.roundtrip()
        session.update(OFFER, net.now)
        net.roundtrip()
        screen.one(OfferReceived).offer.answer(AGREED, net.now)
        net.roundtrip()
        assert door.one(AnswerReceived)
        assert session.timer.agreed == incoming(screen).timer.agreed == 0


def test_an_ack_that_never_comes_does_not_end_a_session_twice(call: Call) -> None:
    call.uac.reinvite(NEW, call.net.now)
    call.net.roundtrip()
    call.screen.one(OfferReceived).offer.answer(AGREED, call.net.now)
    call.net.roundtrip(only("ACK"))
    call.uac.bye((), call.net.now)
    call.uas.bye((), call.net.now)
    call.net.settle(only("ACK"))
    assert call.screen.one(Ended)
