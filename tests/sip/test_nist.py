"""The non-INVITE server transaction."""

from __future__ import annotations

import pytest

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.flow import Flow
from meshdoor.sip.machine import Failure, State
from meshdoor.sip.nist import NonInviteServerTransaction
from tests.sip.machines import TCP, UDP, Bench, request, response


def start(flow: Flow = UDP) -> tuple[Bench, NonInviteServerTransaction]:
    bench = Bench(flow)
    transaction = NonInviteServerTransaction(request("OPTIONS"), bench.wire, bench, bench.agenda)
    transaction.on_terminated = bench.end
    transaction.start(0.0)
    return bench, transaction


def respond(transaction: NonInviteServerTransaction, status: int) -> None:
    transaction.respond(response(status, transaction.request), 0.1)


def test_a_repeated_request_waits_for_the_user() -> None:
    bench, transaction = start()
    transaction.receive(transaction.request, 0.1)
    assert bench.sent() == []


def test_a_repeated_request_gets_the_last_response() -> None:
    bench, transaction = start()
    respond(transaction, 100)
    transaction.receive(transaction.request, 0.2)
    respond(transaction, 200)
    transaction.receive(transaction.request, 0.3)
    assert bench.sent() == ["100", "100", "200", "200"]
    assert bench.times(33.0) == []
    assert bench.ended == 1


def test_a_response_over_a_reliable_transport_ends_it() -> None:
    _, transaction = start(TCP)
    respond(transaction, 200)
    assert transaction.state is State.TERMINATED


def test_one_final_response_is_enough() -> None:
    _, transaction = start()
    respond(transaction, 200)
    with pytest.raises(LocalProtocolError, match="cannot follow"):
        respond(transaction, 200)


def test_a_user_that_never_answers_is_not_waited_for() -> None:
    bench, transaction = start()
    assert bench.times(32.0) == []
    assert transaction.state is State.TERMINATED
    assert bench.heard == []


def test_a_lost_flow_ends_it() -> None:
    bench, transaction = start()
    transaction.transport_failed(0.1)
    assert bench.heard == [Failure.TRANSPORT]
    assert bench.ended == 1
