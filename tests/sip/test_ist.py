"""The INVITE server transaction."""

from __future__ import annotations

import pytest

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.flow import Flow
from meshdoor.sip.ist import InviteServerTransaction
from meshdoor.sip.machine import Failure, State
from tests.sip.machines import TCP, UDP, Bench, request, response


def start(flow: Flow = UDP, *others: Flow) -> tuple[Bench, InviteServerTransaction]:
    bench = Bench(flow, *others)
    transaction = InviteServerTransaction(request(), bench.wire, bench, bench.agenda)
    transaction.on_terminated = bench.end
    transaction.start(0.0)
    return bench, transaction


def respond(transaction: InviteServerTransaction, status: int, now: float = 0.1) -> None:
    transaction.respond(response(status, transaction.request), now)


def test_a_slow_user_is_covered_by_a_100() -> None:
    bench, _ = start()
    assert bench.times(9.0) == [0.2]


def test_a_repeated_invite_gets_a_100_at_once() -> None:
    bench, transaction = start()
    transaction.receive(transaction.request, 0.1)
    assert bench.sent() == ["100"]
    assert bench.times(9.0) == []


def test_a_repeated_invite_gets_the_last_provisional_response() -> None:
    bench, transaction = start()
    respond(transaction, 180)
    respond(transaction, 183)
    transaction.receive(transaction.request, 0.5)
    assert bench.sent() == ["180", "183", "183"]


def test_a_failure_is_repeated_until_timer_h() -> None:
    bench, transaction = start()
    respond(transaction, 486, 0.0)
    assert bench.sent() == ["486"]
    assert bench.times(40.0) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.heard == [Failure.TIMEOUT]
    assert transaction.state is State.TERMINATED


def test_a_failure_is_not_repeated_on_a_reliable_transport() -> None:
    bench, transaction = start(TCP)
    respond(transaction, 486, 0.0)
    assert bench.sent() == ["486"]
    assert bench.times(40.0) == []
    assert bench.heard == [Failure.TIMEOUT]


def test_a_repeated_invite_gets_the_failure_again() -> None:
    bench, transaction = start()
    respond(transaction, 486)
    transaction.receive(transaction.request, 0.2)
    assert bench.sent() == ["486", "486"]


def test_the_ack_ends_it_and_repeated_ones_are_absorbed() -> None:
    bench, transaction = start()
    respond(transaction, 486, 0.0)
    transaction.receive(request("ACK"), 0.1)
    transaction.receive(request("ACK"), 0.2)
    transaction.receive(transaction.request, 0.2)
    assert transaction.state is State.CONFIRMED
    assert bench.sent() == ["486"]
    assert bench.times(5.1) == []
    assert bench.heard == []
    assert bench.ended == 1


def test_the_ack_ends_it_at_once_on_a_reliable_transport() -> None:
    _, transaction = start(TCP)
    respond(transaction, 486)
    transaction.receive(request("ACK"), 0.2)
    assert transaction.state is State.TERMINATED


def test_accepted_absorbs_invites_and_passes_acks_and_more_2xx() -> None:
    bench, transaction = start()
    respond(transaction, 200, 0.0)
    transaction.receive(transaction.request, 0.2)
    respond(transaction, 200)
    transaction.receive(request("ACK"), 0.3)
    assert bench.sent() == ["200", "200"]
    assert bench.heard == ["ACK"]
    assert bench.times(33.0) == []
    assert transaction.state is State.TERMINATED


@pytest.mark.parametrize(("first", "second"), [(200, 486), (486, 486), (486, 180)])
def test_what_cannot_follow_is_our_error(first: int, second: int) -> None:
    _, transaction = start()
    respond(transaction, first)
    with pytest.raises(LocalProtocolError, match="cannot follow"):
        respond(transaction, second)


def test_a_lost_flow_moves_the_response_to_where_it_may_go_too() -> None:
    bench, transaction = start(TCP, UDP)
    respond(transaction, 180)
    transaction.transport_failed(0.2)
    assert [flow for flow, _ in bench.outbox] == [TCP, UDP]
    assert bench.heard == []


@pytest.mark.parametrize("status", [180, 200])
def test_a_lost_flow_is_told_and_survived(status: int) -> None:
    bench, transaction = start()
    respond(transaction, status)
    transaction.transport_failed(0.2)
    assert bench.heard == [Failure.TRANSPORT]
    assert transaction.state is not State.TERMINATED


def test_a_lost_flow_before_any_response_has_nothing_to_repeat() -> None:
    bench, transaction = start(TCP, UDP)
    transaction.transport_failed(0.1)
    assert bench.sent() == []


def test_a_lost_flow_ends_it_once_it_is_rejected() -> None:
    bench, transaction = start()
    respond(transaction, 486)
    transaction.transport_failed(0.2)
    assert bench.heard == [Failure.TRANSPORT]
    assert transaction.state is State.TERMINATED


def test_a_lost_flow_after_the_ack_is_nothing() -> None:
    bench, transaction = start()
    respond(transaction, 486)
    transaction.receive(request("ACK"), 0.2)
    transaction.transport_failed(0.3)
    assert bench.heard == []
