"""The callee's side of a session (RFC 3261 §13.3, RFC 3262 §3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.compose import Fields, body_fields, reason_fields, response_to
from meshdoor.sip.core import Core
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.events import AnswerReceived, Cancelled, Confirmed, Ended, Failed, IncomingInvite
from meshdoor.sip.flow import Flow
from meshdoor.sip.headers import Reason
from meshdoor.sip.machine import Failure, ServerTransaction
from meshdoor.sip.message import Request
from meshdoor.sip.reliable import ReliableProvisionals
from meshdoor.sip.session import Phase, Session

ALIVE: Final = 60.0  # seconds after which a provisional response is repeated for proxies on the way (§13.3.1.1)


class UasSession(Session):
    """A call to us. SipError(400) for an INVITE that cannot make a dialog.

    Verbs: `provisional` any number of times, then `accept` or `reject`; `bye` after `accept`.
    """

    def __init__(self, core: Core, request: Request, flow: Flow, now: float) -> None:
        dialog = Dialog.of_request(request, core.new_tag(), flow)
        super().__init__(core, Phase.RINGING)
        self.dialog = self._talker = dialog
        self.request_uri = request.uri
        self._bind(dialog)
        self._invite = request
        self._transaction = core.serve(request, flow, self, now)
        first = int.from_bytes(core.random(2), "big") + 1
        self._reliable = ReliableProvisionals(self._transaction, core.agenda, first, self._prack_missing)
        self._accepting: tuple[bytes, Fields] | None = None
        self._last: tuple[int, bytes, Fields] = (180, b"", ())
        limit = core.config.longest_ring
        self.arm("EXPIRES", now + (limit if request.expires is None else min(request.expires, limit)))
        core.emit(IncomingInvite(self, request, flow))

    def provisional(self, status: int, body: bytes, now: float, headers: Fields = ()) -> None:
        """Send a 1xx, with a session description for early media; reliably where that helps (RFC 3262)."""
        self._must_ring()
        fields = (self.core.contact_field(self._talker.flow), *self.core.capability_fields(), *headers)
        response = response_to(
            self._invite, status, self._talker.local.tag, (*fields, *body_fields(body)), body
        )
        if body:
            self.local_body = body
        if status > 100 and self._reliably(body):
            self._reliable.send(response, now)
        else:
            self._transaction.respond(response, now)
            if status > 100:
                self._last = (status, body, headers)
                self.arm("ALIVE", now + ALIVE)

    def accept(self, body: bytes, now: float, headers: Fields = ()) -> None:
        """Send the 200, repeated until its ACK comes; it waits for the PRACK of a session description."""
        self._must_ring()
        if self._reliable.describing:
            self._accepting = (body, headers)
        else:
            self._accept(body, headers, now)

    def reject(self, status: int, now: float, headers: Fields = ()) -> None:
        """Send a final response from 300 to 699: `Ended` follows, with `remote` False."""
        self._must_ring()
        self._refuse(status, headers, now)
        self._finish(Ended(self, (Reason("SIP", status),), remote=False), now)

    def hangup(self, reasons: Sequence[Reason], now: float) -> None:
        if self.phase is not Phase.RINGING:
            self.bye(reasons, now)
            return
        self._refuse(480, reason_fields(reasons), now)
        self._finish(Ended(self, tuple(reasons), remote=False), now)

    def bye(self, reasons: Sequence[Reason], now: float) -> None:
        """End an answered session. BYE waits for the ACK of the 200 (§15)."""
        if self.phase is not Phase.ACCEPTED:
            super().bye(reasons, now)
            return
        self._goodbye = tuple(reasons)
        self._finish(Ended(self, self._goodbye, remote=False), now, keep=self._talker)

    def abandon(self, now: float) -> None:
        if self.over:
            return
        if self.phase is Phase.RINGING:
            self._refuse(480, (), now)
        self._finish(Failed(self, (), Failure.TRANSPORT), now)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """CANCEL: without effect once there was a final response (§9.2)."""
        if self.phase is Phase.RINGING:
            self._refuse(487, (), now)
            self._finish(Cancelled(self, cancel.reasons), now)

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """An ACK of the 200 that has the branch of the INVITE, as old clients do."""
        self.acknowledge(ack, now)

    def response_failed(self, transaction: ServerTransaction, failure: Failure, now: float) -> None:
        """The rejection was not acknowledged, or the flow is gone, which the stack tells."""

    def timer_expires(self, now: float) -> None:
        """The INVITE is too old (§13.3.1), or nobody here answers it."""
        self._refuse(487 if self._invite.expires is not None else 480, (), now)
        self._finish(Failed(self, (), Failure.TIMEOUT), now)

    def timer_alive(self, now: float) -> None:
        """Still ringing."""
        status, body, headers = self._last
        self.provisional(status, body, now, headers)

    def _must_ring(self) -> None:
        if self.phase is not Phase.RINGING or self._accepting is not None:
            raise LocalProtocolError(f"the call is {self.phase.value} already")

    def _reliably(self, body: bytes) -> bool:
        if "100rel" in self._invite.require:
            return True
        return "100rel" in self._invite.supported and bool(body) and not self._talker.flow.reliable

    def _accept(self, body: bytes, headers: Fields, now: float) -> None:
        self.phase = Phase.ACCEPTED
        self.timers = {}
        self._reliable.stop()
        self._talker.early = False
        if not self._talker.settled:
            body = body or self.local_body  # what went out unreliably must be said again (RFC 3261 §13.2.1)
        self._talker.settled = self._talker.settled or bool(self._invite.body)
        self.local_body = body or self.local_body
        fields = (
            self.core.contact_field(self._talker.flow),
            *self.core.capability_fields(),
            *self.timer.answer(self._invite, now),
            *headers,
            *body_fields(body),
        )
        response = response_to(self._invite, 200, self._talker.local.tag, fields, body)
        self.send_success(self._transaction, response, self._acknowledged, now)

    def _acknowledged(self, ack: Request, now: float) -> None:
        if self._goodbye is not None:
            self._send_bye(self._talker, self._goodbye, now)
            return
        self.phase = Phase.CONFIRMED
        self._talker.settled = True
        self.core.emit(Confirmed(self, ack.body))

    def _ack_missing(self, now: float) -> None:
        """The 200 was not acknowledged: BYE is allowed now, and due (§13.3.1.4)."""
        if self._goodbye is not None:
            self._send_bye(self._talker, self._goodbye, now)
            return
        self.phase = Phase.CONFIRMED
        super()._ack_missing(now)

    def _refuse(self, status: int, headers: Fields, now: float) -> None:
        self._reliable.stop()
        self._accepting = None
        response = response_to(self._invite, status, self._talker.local.tag, headers)
        self._transaction.respond(response, now)

    def _prack_received(self, request: Request, flow: Flow, now: float) -> None:
        rack = request.rack
        response = None if rack is None else self._reliable.acknowledge(rack, now)
        if response is None:
            self._answer(request, flow, 481, now)
            return
        # An offer in a PRACK is possible on paper only: it is turned down, the one before it stands.
        self._answer(request, flow, 488 if request.body and self._invite.body else 200, now)
        if request.body and not self._invite.body:
            self.core.emit(AnswerReceived(self, request.body))
        self._talker.settled = self._talker.settled or bool(response.body)
        if self._accepting is not None and not self._reliable.describing:
            accepting, self._accepting = self._accepting, None
            self._accept(*accepting, now)

    def _prack_missing(self, now: float) -> None:
        self._refuse(504, (), now)
        self._finish(Failed(self, (), Failure.TIMEOUT), now)

    def _bye_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """BYE while it still rings: the caller gives up in another way (§15.1.2)."""
        if self.phase is not Phase.RINGING:
            if self._goodbye is not None:
                self._stop_accepting()
                self._unbind(dialog)
            super()._bye_received(dialog, request, flow, now)
            return
        self._answer(request, flow, 200, now)
        self._refuse(487, (), now)
        self._finish(Cancelled(self, request.reasons), now)
