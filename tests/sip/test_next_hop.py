"""An INVITE that comes to nothing at one server goes to the next one (RFC 3263 §4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshdoor.sip.events import Answered, Cancelled, Ended, Failed, IncomingInvite, Rejected
from meshdoor.sip.flow import Flow
from meshdoor.sip.machine import Failure
from meshdoor.sip.uac import PATIENCE, UNAVAILABLE, UacSession
from tests.sip.wire import ANSWER, OFFER, Datagram, Net, Party, only


class Servers:
    """A caller, and two servers of one name."""

    def __init__(self, transport: str = "UDP") -> None:
        self.net = Net(transport)
        self.caller, self.first, self.second = (self.net.party() for _ in range(3))
        target = self.net.target(self.caller, self.first)
        self.others: tuple[Flow, ...] = (self.net.flow(self.caller, self.second),)
        self.session: UacSession = self.caller.stack.invite(
            replace(target, others=self.others), OFFER, (), self.net.now
        )

    def silent(self, *parties: Party) -> Callable[[Datagram], bool]:
        """What to drop when these are off."""
        return lambda datagram: datagram.receiver in parties or datagram.sender in parties

    def accept(self, party: Party) -> None:
        party.last(IncomingInvite).session.accept(ANSWER, self.net.now)
        self.net.roundtrip()

    def sent(self, what: str, to: Party) -> int:
        return sum(each.what == what and each.receiver is to for each in self.net.sent)


def test_who_says_nothing_is_not_waited_for() -> None:
    servers = Servers()
    off = servers.silent(servers.first)
    servers.net.wait(PATIENCE - 0.1, off)
    assert servers.second.none(IncomingInvite)
    servers.net.wait(0.2, off)
    servers.second.one(IncomingInvite).session.accept(ANSWER, servers.net.now)
    servers.net.roundtrip(off)
    assert servers.caller.one(Answered).body == ANSWER
    servers.net.wait(60, off)
    assert servers.caller.none(Failed)
    servers.session.bye((), servers.net.now)
    servers.net.roundtrip()
    servers.second.one(Ended)


def test_who_answers_the_first_time_is_asked_alone() -> None:
    servers = Servers()
    servers.net.roundtrip()
    servers.first.one(IncomingInvite).session.provisional(180, b"", servers.net.now)
    servers.net.wait(20)
    assert servers.second.none(IncomingInvite)


def test_one_that_is_overloaded_is_passed_over() -> None:
    servers = Servers()
    servers.net.roundtrip()
    for server in (servers.first, servers.second):
        server.one(IncomingInvite).session.provisional(180, b"", servers.net.now)
        server.one(IncomingInvite).session.reject(UNAVAILABLE, servers.net.now)
        servers.net.roundtrip()
    assert servers.caller.one(Rejected).response.status == UNAVAILABLE


def test_a_connection_that_cannot_be_made_is_passed_over() -> None:
    servers = Servers("TCP")
    servers.caller.stack.data_to_send()
    servers.caller.stack.flow_failed(servers.net.flow(servers.caller, servers.first), servers.net.now)
    servers.net.roundtrip()
    servers.accept(servers.second)
    servers.caller.one(Answered)


def test_nobody_is_there() -> None:
    servers = Servers()
    servers.net.wait(40, servers.silent(servers.first, servers.second))
    assert servers.caller.one(Failed).failure is Failure.TIMEOUT
    assert servers.sent("INVITE", servers.second)


def test_who_has_given_up_tries_nobody_else() -> None:
    servers = Servers()
    servers.net.roundtrip(servers.silent(servers.first))
    servers.session.cancel((), servers.net.now)
    servers.net.wait(40, servers.silent(servers.first))
    servers.caller.one(Cancelled)
    assert servers.second.none(IncomingInvite)


@pytest.fixture
def slow() -> Servers:
    """The first server gets it when the second one was asked already, and no CANCEL so far."""
    servers = Servers()
    servers.net.wait(PATIENCE + 0.1, servers.silent(servers.first))
    servers.net.wait(1.0, only("CANCEL"))
    assert servers.sent("CANCEL", servers.first)
    return servers


def test_who_rings_too_late_is_told_to_stop(slow: Servers) -> None:
    slow.first.one(IncomingInvite).session.provisional(180, b"", slow.net.now)
    slow.net.wait(5)
    slow.first.one(Cancelled)
    slow.accept(slow.second)
    slow.caller.one(Answered)
    slow.net.wait(60)
    assert slow.caller.none(Failed)


def test_who_answers_too_late_gets_ack_and_bye(slow: Servers) -> None:
    slow.accept(slow.first)
    assert slow.sent("ACK", slow.first)
    slow.first.one(Ended)
    assert slow.caller.none(Answered)
    slow.accept(slow.second)
    slow.caller.one(Answered)
