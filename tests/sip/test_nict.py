"""The non-INVITE client transaction."""

from __future__ import annotations

from meshdoor.sip.flow import Flow
from meshdoor.sip.machine import Failure, State
from meshdoor.sip.nict import NonInviteClientTransaction
from tests.sip.machines import TCP, UDP, Bench, request, response


def start(flow: Flow = UDP) -> tuple[Bench, NonInviteClientTransaction]:
    bench = Bench(flow)
    transaction = NonInviteClientTransaction(request("BYE"), bench.wire, bench, bench.agenda)
    transaction.on_terminated = bench.end
    transaction.start(0.0)
    assert bench.sent() == ["BYE"]
    return bench, transaction


def test_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    bench, transaction = start()
    assert bench.times(40.0) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.heard == [Failure.TIMEOUT]
    assert transaction.state is State.TERMINATED


def test_a_provisional_response_makes_timer_e_slow() -> None:
    bench, transaction = start()
    transaction.receive(response(100, transaction.request), 0.1)
    assert bench.times(13.0) == [4.1, 8.1, 12.1]
    assert bench.heard == [100]


def test_a_reliable_transport_needs_no_timer_e() -> None:
    bench, transaction = start(TCP)
    transaction.receive(response(100, transaction.request), 0.1)
    assert bench.times(31.9) == []
    assert bench.times(32.0) == []
    assert bench.heard == [100, Failure.TIMEOUT]


def test_a_final_response_is_heard_once() -> None:
    bench, transaction = start()
    transaction.receive(response(200, transaction.request), 0.1)
    transaction.receive(response(200, transaction.request), 0.2)
    assert bench.heard == [200]
    assert transaction.state is State.COMPLETED
    assert bench.times(5.1) == []
    assert bench.ended == 1


def test_a_final_response_over_a_reliable_transport_ends_at_once() -> None:
    _, transaction = start(TCP)
    transaction.receive(response(481, transaction.request), 0.1)
    assert transaction.state is State.TERMINATED


def test_a_lost_flow_fails_it() -> None:
    bench, transaction = start(TCP)
    transaction.transport_failed(0.1)
    assert bench.heard == [Failure.TRANSPORT]
