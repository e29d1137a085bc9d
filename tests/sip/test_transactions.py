"""Which transaction a message belongs to."""

from __future__ import annotations

import pytest

from meshdoor.sip.flow import Flow
from meshdoor.sip.ist import InviteServerTransaction
from meshdoor.sip.message import Request
from meshdoor.sip.nict import NonInviteClientTransaction
from meshdoor.sip.nist import NonInviteServerTransaction
from meshdoor.sip.transactions import TransactionTable
from tests.sip.machines import UDP, Bench, request, response

OLD = "SIP/2.0/UDP 10.0.0.1;branch=1"
LINK = Flow("LINK", ("10.0.0.1", 7000), ("10.0.0.2", 7000), b"key")


def served(table: TransactionTable, message: Request) -> InviteServerTransaction | NonInviteServerTransaction:
    bench = Bench()
    kind = InviteServerTransaction if message.method == "INVITE" else NonInviteServerTransaction
    transaction = kind(message, bench.wire, bench, bench.agenda)
    table.add_server(transaction)
    transaction.start(0.0)
    return transaction


def asked(table: TransactionTable, flow: Flow = UDP) -> NonInviteClientTransaction:
    bench = Bench(flow)
    transaction = NonInviteClientTransaction(request("OPTIONS"), bench.wire, bench, bench.agenda)
    table.add_client(transaction)
    transaction.start(0.0)
    return transaction


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", OLD])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_repeated_request_finds_its_transaction(via: str, method: str) -> None:
    table = TransactionTable(9)
    transaction = served(table, request(method, via))
    assert table.server(request(method, via)) is transaction
    assert table.server(request(method, via + ".")) is None


def test_the_sender_counts_and_not_the_branch_alone() -> None:
    table = TransactionTable(9)
    served(table, request("OPTIONS"))
    assert table.server(request("OPTIONS", "SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK1")) is None
    assert table.server(request("OPTIONS", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1")) is None


def test_a_cancel_is_a_transaction_of_its_own_and_finds_its_invite() -> None:
    table = TransactionTable(9)
    invite = served(table, request())
    cancel = request("CANCEL")
    assert table.server(cancel) is None
    assert table.cancelled_by(cancel) is invite


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", OLD])
def test_the_ack_of_a_failure_finds_its_invite(via: str) -> None:
    table = TransactionTable(9)
    invite = served(table, request(via=via))
    invite.respond(response(486, invite.request), 0.0)
    ack = request("ACK", via)
    ack.headers.set("To", "<sip:b@10.0.0.2>;tag=t")
    assert table.server(ack) is invite


def test_an_old_ack_with_another_tag_does_not() -> None:
    table = TransactionTable(9)
    invite = served(table, request(via=OLD))
    invite.respond(response(486, invite.request), 0.0)
    ack = request("ACK", OLD)
    ack.headers.set("To", "<sip:b@10.0.0.2>;tag=another")
    assert table.server(ack) is None
    assert table.server(request("ACK", OLD + "2")) is None


def test_the_same_request_on_another_way_is_merged() -> None:
    table = TransactionTable(9)
    transaction = served(table, request("OPTIONS"))
    again = request("OPTIONS", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK9")
    assert table.server(again) is None
    assert table.merged(again)
    again.headers.set("To", "<sip:b@10.0.0.2>;tag=t")
    assert not table.merged(again)
    transaction.transport_failed(0.0)
    assert not table.merged(request("OPTIONS"))


def test_of_merged_requests_the_first_one_counts() -> None:
    table = TransactionTable(9)
    first, second = served(table, request("OPTIONS")), served(table, request("OPTIONS", OLD))
    first.transport_failed(0.0)
    assert table.merged(request("OPTIONS"))
    second.transport_failed(0.0)
    assert len(table) == 0


def test_a_request_in_a_dialog_leaves_nothing_to_merge() -> None:
    table = TransactionTable(9)
    message = request("OPTIONS")
    message.headers.set("To", "<sip:b@10.0.0.2>;tag=t")
    served(table, message).transport_failed(0.0)
    assert len(table) == 0


def test_a_response_finds_its_request() -> None:
    table = TransactionTable(9)
    transaction = asked(table)
    assert table.client(response(200, transaction.request), UDP) is transaction


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2",
        "SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK1",
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.4;branch=z9hG4bK4",
    ],
)
def test_a_stray_response_finds_nothing(via: str) -> None:
    table = TransactionTable(9)
    transaction = asked(table)
    stray = response(200, transaction.request)
    stray.headers.set("Via", via)
    assert table.client(stray, UDP) is None


def test_a_secure_request_is_not_answered_over_an_insecure_flow() -> None:
    table = TransactionTable(9)
    transaction = asked(table, LINK)
    assert table.client(response(200, transaction.request), UDP) is None
    assert table.client(response(200, transaction.request), LINK) is transaction


def test_the_table_knows_when_it_is_full() -> None:
    table = TransactionTable(2)
    asked(table)
    before = table.full
    served(table, request("OPTIONS"))
    assert (before, table.full) == (False, True)
    assert len(list(table.on_flow(UDP))) == 2
    assert len(list(table.on_flow(LINK))) == 0
