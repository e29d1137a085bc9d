"""Messages that cross: whatever the order, both sides end up agreeing."""

from __future__ import annotations

import pytest

from meshdoor.sip.events import Answered, Cancelled, Confirmed, Ended, Rejected
from meshdoor.sip.headers import Reason
from tests.sip.wire import ANSWER, Datagram, Net, Party, connect, incoming, only, ring

ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")


@pytest.fixture(params=["UDP", "LINK"])
def net(request: pytest.FixtureRequest) -> Net:
    return Net(request.param)


def pair(net: Net) -> tuple[Party, Party]:
    return net.party(), net.party()


def once(what: str) -> object:
    """A drop that loses the first message of a kind."""
    lost: list[Datagram] = []

    def drop(datagram: Datagram) -> bool:
        if datagram.what == what and not lost:
            lost.append(datagram)
            return True
        return False

    return drop


@pytest.mark.parametrize("first", ["CANCEL", "200 INVITE"])
def test_cancel_and_200_cross(net: Net, first: str) -> None:
    door, screen = pair(net)
    session = ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    session.cancel((ELSEWHERE,), net.now)
    incoming(screen).accept(ANSWER, net.now)
    datagrams = net.pending()
    net.deliver(sorted(datagrams, key=lambda d: d.what != first))
    net.roundtrip()
    assert door.one(Cancelled).reasons == (ELSEWHERE,)
    assert door.none(Answered)
    assert screen.one(Ended).reasons == (ELSEWHERE,)
    net.settle()


def test_cancel_and_486_cross(net: Net) -> None:
    door, screen = pair(net)
    session = ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    session.cancel((), net.now)
    incoming(screen).reject(486, net.now)
    net.settle()
    assert door.one(Cancelled)
    assert screen.one(Ended)


def test_bye_and_bye_cross(net: Net) -> None:
    door, screen = pair(net)
    session, other = connect(net, door, screen)
    session.bye((), net.now)
    other.bye((), net.now)
    net.roundtrip()
    assert net.log[-2:] == ["200 BYE", "200 BYE"]
    assert not door.one(Ended).remote
    assert not screen.one(Ended).remote
    net.settle()


def test_bye_and_offer_cross(net: Net) -> None:
    door, screen = pair(net)
    session, other = connect(net, door, screen)
    session.bye((), net.now)
    other.reinvite(ANSWER, net.now)
    net.roundtrip()
    assert screen.one(Ended).remote
    net.settle()


@pytest.mark.parametrize(
    "what", ["INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE", "183 INVITE", "PRACK", "200 PRACK"]
)
def test_any_one_loss_is_made_good(what: str) -> None:
    net = Net()
    door, screen = pair(net)
    drop = once(what)
    assert callable(drop)
    door.stack.invite(net.target(door, screen), ANSWER, (), net.now)
    net.wait(1.0, drop)
    incoming(screen).provisional(180, b"", net.now)
    incoming(screen).provisional(183, ANSWER, net.now)
    net.wait(2.0, drop)
    incoming(screen).accept(b"", net.now)
    net.wait(8.0, drop)
    assert screen.one(Confirmed)
    door.one(Answered).session.hangup((), net.now)
    net.settle(drop)
    assert door.one(Ended)
    assert screen.one(Ended).remote


@pytest.mark.parametrize("what", ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"])
def test_any_one_loss_of_a_cancel_is_made_good(what: str) -> None:
    net = Net()
    door, screen = pair(net)
    drop = once(what)
    assert callable(drop)
    session = ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    session.cancel((ELSEWHERE,), net.now)
    net.settle(drop)
    assert door.one(Cancelled)
    assert screen.one(Cancelled).reasons == (ELSEWHERE,)


@pytest.mark.parametrize("what", ["486 INVITE", "ACK"])
def test_any_one_loss_of_a_rejection_is_made_good(what: str) -> None:
    net = Net()
    door, screen = pair(net)
    drop = once(what)
    assert callable(drop)
    ring(net, door, screen)
    incoming(screen).reject(486, net.now)
    net.settle(drop)
    assert door.one(Rejected).response.status == 486


def test_a_200_that_is_lost_for_good_ends_the_session_on_both_sides() -> None:
    net = Net()
    door, screen = pair(net)
    ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    incoming(screen).accept(ANSWER, net.now)
    net.settle(only("200 INVITE"))
    assert screen.one(Ended).reasons[0].cause == 408
    assert len(door.events) == 2


def test_a_200_after_its_bye_is_acknowledged_and_over() -> None:
    net = Net()
    door, screen = pair(net)
    ring(net, door, screen)
    incoming(screen).provisional(180, b"", net.now)
    net.roundtrip()
    incoming(screen).accept(ANSWER, net.now)
    late = net.pending()
    net.wait(32.5, only("200 INVITE"))
    assert "BYE" in net.log
    net.deliver(late)
    net.roundtrip()
    assert net.log[-1] == "ACK"
    assert door.one(Ended).remote
    net.settle()
