"""The INVITE client transaction."""

from __future__ import annotations

import pytest

from meshdoor.sip.flow import Flow
from meshdoor.sip.ict import InviteClientTransaction
from meshdoor.sip.machine import Failure, State
from meshdoor.sip.message import parse_message
from tests.sip.machines import TCP, UDP, Bench, request, response


def start(flow: Flow = UDP, *others: Flow) -> tuple[Bench, InviteClientTransaction]:
    bench = Bench(flow, *others)
    transaction = InviteClientTransaction(request(), bench.wire, bench, bench.agenda)
    transaction.on_terminated = bench.end
    transaction.start(0.0)
    assert bench.sent() == ["INVITE"]
    return bench, transaction


def test_timer_a_doubles_until_timer_b() -> None:
    bench, transaction = start()
    assert bench.times(40.0) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.heard == [Failure.TIMEOUT]
    assert transaction.state is State.TERMINATED
    assert bench.ended == 1


def test_a_reliable_transport_needs_no_timer_a() -> None:
    bench, _ = start(TCP)
    assert bench.times(40.0) == []
    assert bench.heard == [Failure.TIMEOUT]


def test_a_provisional_response_stops_retransmission() -> None:
    bench, transaction = start()
    transaction.receive(response(180, transaction.request), 0.1)
    assert bench.times(180.0) == []
    assert transaction.state is State.PROCEEDING
    assert bench.heard == [180]


def test_timer_c_asks_for_a_cancel_again_and_again() -> None:
    bench, transaction = start()
    transaction.receive(response(180, transaction.request), 0.0)
    assert bench.times(363.0) == []
    assert bench.heard == [180, "stalled", "stalled"]


def test_a_cancel_without_effect_ends_the_transaction() -> None:
    bench, transaction = start()
    transaction.cancelled(0.0)  # too early: nothing changes
    transaction.receive(response(100, transaction.request), 0.0)
    transaction.cancelled(1.0)
    transaction.receive(response(180, transaction.request), 2.0)
    assert bench.times(33.0) == []
    assert bench.heard == [100, 180, Failure.TIMEOUT]


def test_a_failure_is_acknowledged_each_time_it_comes() -> None:
    bench, transaction = start()
    transaction.receive(response(486, transaction.request), 0.1)
    ack = parse_message(bench.outbox[0][1])
    assert str(ack.via) == str(transaction.request.via)
    assert (ack.to.tag, str(ack.cseq), len(ack.routes)) == ("t", "7 ACK", 1)
    assert bench.sent() == ["ACK"]
    transaction.receive(response(486, transaction.request), 0.2)
    transaction.receive(response(200, transaction.request), 0.2)
    assert bench.sent() == ["ACK"]
    assert bench.heard == [486]
    assert bench.times(33.0) == []
    assert bench.ended == 1


def test_a_failure_over_a_reliable_transport_ends_at_once() -> None:
    _, transaction = start(TCP)
    transaction.receive(response(603, transaction.request), 0.1)
    assert transaction.state is State.TERMINATED


def test_every_2xx_reaches_the_user_until_timer_m() -> None:
    bench, transaction = start()
    for status in (200, 200, 180, 486):
        transaction.receive(response(status, transaction.request), 0.1)
    assert bench.heard == [200, 200]
    assert bench.sent() == []
    assert bench.times(31.9) == []
    assert bench.ended == 0
    assert bench.times(33.0) == []
    assert bench.ended == 1


def test_a_lost_flow_fails_a_call_that_nobody_answered() -> None:
    bench, transaction = start(TCP)
    transaction.transport_failed(0.1)
    assert bench.heard == [Failure.TRANSPORT]


def test_a_lost_flow_does_not_end_a_call_that_rings() -> None:
    bench, transaction = start(TCP)
    transaction.receive(response(180, transaction.request), 0.1)
    transaction.transport_failed(0.2)
    assert bench.heard == [180]


def test_what_went_over_tcp_for_its_size_goes_over_udp_after_all() -> None:
    bench, transaction = start(TCP, UDP)
    transaction.transport_failed(0.1)
    (flow, data) = bench.outbox[0]
    assert flow == UDP
    assert str(parse_message(data).via) == "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport"
    assert bench.heard == []


@pytest.mark.parametrize("times", [1, 2])
def test_an_abandoned_transaction_says_nothing(times: int) -> None:
    bench, transaction = start()
    for _ in range(times):
        transaction.abandon()
    assert (bench.heard, bench.ended, bench.times(99.0)) == ([], 1, [])
