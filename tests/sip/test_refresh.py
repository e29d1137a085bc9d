"""Session timers."""

from __future__ import annotations

import pytest

from meshdoor.sip.compose import response_to
from meshdoor.sip.core import Config
from meshdoor.sip.events import Ended, OfferReceived
from meshdoor.sip.headers import SessionExpires
from meshdoor.sip.machine import Failure
from meshdoor.sip.refresh import SessionTimer
from meshdoor.sip.timers import Agenda
from tests.sip.machines import request
from tests.sip.wire import ANSWER, Net, connect, incoming, only, ring

Log = list[tuple[str, float]]


def timer(wanted: int = 1800, min_se: int = 90) -> tuple[SessionTimer, Agenda, Log]:
    agenda, log = Agenda(), Log()
    made = SessionTimer(
        agenda, wanted, min_se, lambda now: log.append(("refresh", now)), lambda now: log.append(("over", now))
    )
    return made, agenda, log


def run(agenda: Agenda) -> None:
    while (deadline := agenda.next_deadline()) is not None:
        agenda.handle_timer(deadline)


def test_what_is_asked() -> None:
    assert timer()[0].ask() == [("Session-Expires", "1800")]
    assert timer(0)[0].ask() == []
    assert timer(min_se=120)[0].ask() == [("Session-Expires", "1800"), ("Min-SE", "120")]


@pytest.mark.parametrize(
    ("supported", "asked", "answered", "refreshes"),
    [
        ("timer", "1800", "1800;refresher=uac", False),
        ("timer", "1800;refresher=uas", "1800;refresher=uas", True),
        ("timer", "1800;refresher=uac", "1800;refresher=uac", False),
        ("", "1800", "1800;refresher=uas", True),
        ("", "20", "90;refresher=uas", True),
    ],
)
def test_what_the_callee_agrees_to(supported: str, asked: str, answered: str, refreshes: bool) -> None:
    made, _, _ = timer()
    fields = dict(made.answer(request(more=f"Supported: {supported}\r\nSession-Expires: {asked}\r\n"), 0.0))
    assert fields["Session-Expires"] == answered
    assert fields.get("Require") == (supported or None)
    assert made.refresher is refreshes
    assert made.ask() == [("Session-Expires", f"{made.agreed};refresher={'uac' if refreshes else 'uas'}")]


def test_nothing_is_agreed_with_who_does_not_ask() -> None:
    made, agenda, _ = timer()
    made.answer(request(more="Session-Expires: 90\r\n"), 0.0)
    assert made.answer(request(), 0.0) == []
    assert made.agreed == 0
    assert agenda.next_deadline() is None


@pytest.mark.parametrize(
    ("refresher", "log"), [("uac", [("refresh", 300.0), ("over", 568.0)]), ("uas", [("over", 568.0)])]
)
def test_the_caller_follows_the_answer(refresher: str, log: Log) -> None:
    made, agenda, seen = timer()
    made.answered(response_to(request(), 200, "t", (("Session-Expires", f"600;refresher={refresher}"),)), 0.0)
    run(agenda)
    assert seen == log


def test_a_short_session_ends_at_two_thirds() -> None:
    made, agenda, seen = timer()
    made.answered(response_to(request(), 200, "t", (("Session-Expires", "90;refresher=uas"),)), 0.0)
    run(agenda)
    assert seen == [("over", 60.0)]


def test_an_answer_without_interval_stops_the_timer() -> None:
    made, agenda, _ = timer()
    made.answered(response_to(request(), 200, "t", (("Session-Expires", "600"),)), 0.0)
    made.answered(response_to(request(), 200, "t"), 0.0)
    assert agenda.next_deadline() is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("Supported: timer\r\nSession-Expires: 119\r\n", [("Min-SE", "120")]),
        ("Supported: timer\r\nSession-Expires: 120\r\n", []),
        ("Session-Expires: 90\r\n", []),
        ("", []),
    ],
)
def test_too_short_an_interval_is_refused(more: str, expected: list[tuple[str, str]]) -> None:
    assert timer(min_se=120)[0].too_small(request(more=more)) == expected


def test_a_422_enlarges_what_is_asked_once() -> None:
    made, _, _ = timer()
    longer = response_to(request(), 422, "t", (("Min-SE", "3600"),))
    assert made.enlarge(longer)
    assert made.ask() == [("Session-Expires", "3600"), ("Min-SE", "3600")]
    assert not made.enlarge(longer)
    assert not made.enlarge(response_to(request(), 422, "t"))
    assert not made.enlarge(response_to(request(), 486, "t", (("Min-SE", "9999"),)))


def test_a_422_in_a_session_keeps_who_refreshes() -> None:
    made, _, _ = timer()
    made.answered(response_to(request(), 200, "t", (("Session-Expires", "600;refresher=uac"),)), 0.0)
    assert made.enlarge(response_to(request(), 422, "t", (("Min-SE", "3600"),)))
    assert made.ask()[0] == ("Session-Expires", str(SessionExpires(3600, "uac")))


def test_the_caller_refreshes_by_update() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    connect(net, door, screen)
    net.wait(3700.0)
    assert net.log.count("UPDATE") == net.log.count("200 UPDATE") == 4
    assert door.none(Ended)


def test_the_caller_refreshes_by_reinvite_where_update_is_unknown() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, _ = connect(net, door, screen)
    assert session.dialog is not None
    session.dialog.remote_allow = ("INVITE",)
    net.wait(901.0)
    screen.one(OfferReceived).offer.answer(ANSWER, net.now)
    net.roundtrip()
    assert net.log[-2:] == ["200 INVITE", "ACK"]
    assert screen.one(OfferReceived).offer.body == session.local_body


def test_a_refresh_waits_for_an_open_offer() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, _ = connect(net, door, screen)
    assert session.dialog is not None
    session.dialog.remote_allow = ()
    net.wait(890.0)
    session.reinvite(ANSWER, net.now)
    net.wait(12.0)
    screen.one(OfferReceived).offer.refuse(488, net.now)
    net.wait(300.0)
    assert len(screen.all(OfferReceived)) == 2


@pytest.mark.parametrize("lost", ["UPDATE", "200 UPDATE"])
def test_a_silent_session_ends_on_both_sides(lost: str) -> None:
    net = Net()
    door, screen = net.party(), net.party()
    connect(net, door, screen)
    net.settle(only(lost, "BYE"))
    assert door.one(Ended).reasons[0].cause == 408
    assert screen.one(Ended).reasons[0].cause == 408


def test_a_refused_refresh_is_tried_again() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, _ = connect(net, door, screen)
    net.wait(899.0)
    session._refreshed(response_to(request(), 500), Failure.TIMEOUT, net.now)
    net.wait(300.0)
    assert net.log.count("UPDATE") == 1
    session.bye((), net.now)
    session._refreshed(response_to(request(), 481), None, net.now)
    net.settle()
    assert door.one(Ended)


def test_a_callee_that_wants_longer_intervals_gets_them() -> None:
    net = Net()
    door, screen = net.party(Config(session_interval=300)), net.party(Config(min_se=600))
    ring(net, door, screen)
    assert net.log[-4:] == ["INVITE", "422 INVITE", "ACK", "INVITE"]
    incoming(screen).accept(ANSWER, net.now)
    net.wait(301.0)
    assert net.log.count("200 UPDATE") == 1


def test_an_update_with_too_short_an_interval_is_refused() -> None:
    net = Net()
    door, screen = net.party(), net.party()
    session, other = connect(net, door, screen)
    other.timer._min_se = 3600
    net.wait(1130.0)
    assert net.log[-4:] == ["UPDATE", "422 UPDATE", "UPDATE", "200 UPDATE"]
    assert session.timer.agreed == 3600
