"""A transaction machine alone: what it sends and whom it tells."""

from __future__ import annotations

from meshdoor.sip.compose import response_to
from meshdoor.sip.flow import Flow
from meshdoor.sip.ict import InviteClientTransaction
from meshdoor.sip.machine import ClientTransaction, Failure, ServerTransaction, Wire
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.timers import Agenda

UDP = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
TCP = Flow("TCP", ("10.0.0.1", 5060), ("10.0.0.2", 5060), 1)


def request(method: str = "INVITE", via: str = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", more: str = "") -> Request:
    message = parse_message(
        f"{method} sip:b@10.0.0.2 SIP/2.0\r\nVia: {via}\r\nRoute: <sip:p.example;lr>\r\n"
        f"From: <sip:a@10.0.0.1>;tag=f\r\nTo: <sip:b@10.0.0.2>\r\nCall-ID: c\r\nCSeq: 7 {method}\r\n{more}\r\n".encode()
    )
    assert isinstance(message, Request)
    return message


class Bench:
    """The user of a machine, its wire and its clock."""

    def __init__(self, flow: Flow = UDP, *others: Flow) -> None:
        self.outbox: list[tuple[Flow, bytes]] = []
        self.agenda = Agenda()
        self.wire = Wire(flow, self.outbox, others)
        self.heard: list[object] = []
        self.ended = 0

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.heard.append(response.status)

    def request_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        self.heard.append(failure)

    def invite_stalled(self, transaction: InviteClientTransaction, now: float) -> None:
        self.heard.append("stalled")

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        self.heard.append("ACK")

    def cancel_received(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        self.heard.append("CANCEL")

    def response_failed(self, transaction: ServerTransaction, failure: Failure, now: float) -> None:
        self.heard.append(failure)

    def end(self) -> None:
        self.ended += 1

    def sent(self) -> list[str]:
        """What was sent since the last look: methods and status codes."""
        messages = [parse_message(data) for _, data in self.outbox]
        self.outbox.clear()
        return [m.method if isinstance(m, Request) else str(m.status) for m in messages]

    def times(self, until: float) -> list[float]:
        """When something was sent, run to a time."""
        times: list[float] = []
        while (deadline := self.agenda.next_deadline()) is not None and deadline <= until:
            self.agenda.handle_timer(deadline)
            times += [deadline] * len(self.sent())
        return times


def response(status: int, to: Request) -> Response:
    return response_to(to, status, "t")
