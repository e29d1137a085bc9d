"""The caller's side of a session: one INVITE, however many dialogs come of it (RFC 3261 §13.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshdoor.sip.asking import Asking, Challenges, Draft
from meshdoor.sip.compose import Fields, body_fields, reason_fields
from meshdoor.sip.core import Core
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.events import Answered, Cancelled, EarlyMedia, Ended, Failed, Provisional, Rejected, SessionOver
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import Reason
from meshdoor.sip.ict import InviteClientTransaction
from meshdoor.sip.machine import ClientTransaction, Failure, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.session import Phase, Session
from meshdoor.sip.timers import FORK_WAIT

MAX_DIALOGS: Final = 32  # of one INVITE; more branches of a fork are not believed
# Seconds for the first response of a server where there is another. RFC 3263 §4.3 has timer B, all the time that a
# visitor waits; who answers later than this is told to stop.
PATIENCE: Final = 3.0
UNAVAILABLE: Final = 503  # §21.5.4

Tag = str | None


class UacSession(Session):
    """A call of ours. Every early dialog is told apart; the first 2xx makes the session.

    A 2xx that comes after `cancel`, or after another one, gets its ACK and then BYE. Where a hop is of no use the next
    one is tried (RFC 3263 §4.3).
    """

    def __init__(self, core: Core, target: Target, offer: bytes, headers: Fields, now: float) -> None:
        super().__init__(core, Phase.CALLING)
        self.local_body = offer
        self.early: dict[Tag, Dialog] = {}
        self._headers = tuple(headers)
        self._outside = core.outside(target)
        self._hops = list(target.others)
        self._withdrawn: set[ClientTransaction] = set()  # at hops that were too slow
        self._challenges = Challenges(core)
        self._acks: dict[Tag, tuple[Wire, bytes]] = {}
        self._rseqs: dict[Tag, int] = {}
        self._left: set[Tag] = set()  # early dialogs that the other side ended by BYE
        self._farewell: SessionOver | None = None  # given when the cancelled INVITE is over
        self._cancel_sent = False
        self._transaction = self._invite(now)
        self._hurry(now)

    @property
    def call_id(self) -> str:
        """The Call-ID of the INVITE."""
        return self._outside.call_id

    def cancel(self, reasons: Sequence[Reason], now: float) -> None:
        """Give up. CANCEL leaves once a provisional response came (§9.1); a 200 under way gets BYE.

        `Cancelled` comes when the INVITE is over. If the answer was faster than this call, it is a `bye`.
        """
        if self.phase is Phase.CONFIRMED:
            self.bye(reasons, now)
        elif not self.over and self._farewell is None:
            self._cancel(Cancelled(self, tuple(reasons)), now)

    def hangup(self, reasons: Sequence[Reason], now: float) -> None:
        self.cancel(reasons, now)

    def abandon(self, now: float) -> None:
        if self.over:
            return
        self._transaction.abandon()
        self._finish(self._farewell or Failed(self, (), Failure.TRANSPORT), now)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response to the INVITE."""
        if 200 <= response.status < 300:
            self._success(transaction, response, now)
        elif transaction is not self._transaction:
            self._withdraw(transaction, response, now)
        elif response.status < 200:
            self._progress(response, now)
        else:
            self._refused(transaction, response, now)

    def request_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """No final response to the INVITE."""
        if transaction is not self._transaction or (self.phase is Phase.CALLING and self._try_next(now)):
            return
        self._finish(self._farewell or Failed(self, (), failure), now)

    def invite_stalled(self, transaction: InviteClientTransaction, now: float) -> None:
        """It rang for minutes without a word from there (§16.8)."""
        self._cancel(Failed(self, (), Failure.TIMEOUT), now)

    def timer_hop(self, now: float) -> None:
        """Not a word from this hop."""
        if self.phase is Phase.CALLING:
            self._try_next(now)

    def timer_fork(self, now: float) -> None:
        """Early dialogs without a 2xx of their own are over (§13.2.2.4)."""
        self._drop_early()

    def _invite(self, now: float) -> InviteClientTransaction:
        """Send the INVITE; again, with the next number, for a challenge or a longer session interval."""
        config = self.core.config
        headers = (
            self.core.contact_field(self._outside.flow),
            *self.core.capability_fields(),
            ("User-Agent", config.product),
            *self.timer.ask(),
            *self._headers,
            *self._challenges.headers,
            *body_fields(self.local_body),
        )
        invite = self._outside.request("INVITE", headers, self.local_body)
        return self.core.send_invite(invite, self._outside.flow, self, now)

    def _hurry(self, now: float) -> None:
        if self._hops:
            self.arm("HOP", now + PATIENCE)

    def _try_next(self, now: float) -> bool:
        """The INVITE again, to the next hop; False if there is none, or nobody wants it any more."""
        if not self._hops or self._farewell is not None:
            return False
        self._outside.flow = self._hops.pop(0)
        self._begin_again(now)
        self._hurry(now)
        return True

    def _begin_again(self, now: float) -> None:
        self._drop_early()
        self.phase = Phase.CALLING
        self._transaction = self._invite(now)

    def _withdraw(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A hop that was too slow rings after all."""
        if response.status < 200 and transaction not in self._withdrawn:
            assert isinstance(transaction, InviteClientTransaction)
            self._withdrawn.add(transaction)
            self.core.send_cancel(transaction, (), now)

    def _cancel(self, farewell: SessionOver, now: float) -> None:
        self._farewell = farewell
        if self.phase is Phase.RINGING:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self._farewell is not None and not self._cancel_sent:
            self._cancel_sent = True
            self.core.send_cancel(self._transaction, reason_fields(self._farewell.reasons), now)

    def _progress(self, response: Response, now: float) -> None:
        if self.phase is Phase.CALLING:
            self.phase = Phase.RINGING
        if self._farewell is not None:
            self._send_cancel(now)
            return
        dialog = None if response.status == 100 or response.to.tag is None else self._early_dialog(response)
        if dialog is not None and not self._in_order(dialog, response, now):
            return
        self.core.emit(Provisional(self, dialog, response))
        if dialog is not None and response.body and not dialog.remote_body:
            dialog.remote_body = response.body
            self.core.emit(EarlyMedia(self, dialog, response.body))

    def _early_dialog(self, response: Response) -> Dialog | None:
        tag = response.to.tag
        if tag not in self.early:
            if len(self.early) >= MAX_DIALOGS or tag in self._left:
                return None
            self.early[tag] = Dialog.of_response(self._transaction.request, response, self._outside.flow)
            self._bind(self.early[tag])
            self.dialog = self.early[tag]
        else:
            self.early[tag].refresh(response)
        return self.early[tag]

    def _in_order(self, dialog: Dialog, response: Response, now: float) -> bool:
        """Whether a provisional response is news; a reliable one gets its PRACK (RFC 3262 §4)."""
        rseq, tag = response.rseq, response.to.tag
        if rseq is None or "100rel" not in response.require:
            return True
        if rseq != self._rseqs.get(tag, rseq - 1) + 1:
            return False
        self._rseqs[tag] = rseq
        dialog.settled = dialog.settled or bool(response.body)
        rack = ("RAck", f"{rseq} {response.cseq.number} INVITE")
        Asking(self.core, dialog, Draft("PRACK", (rack,)), _no_matter).send(now)
        return True

    def _success(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        tag = response.to.tag
        if tag in self._acks:
            wire, data = self._acks[tag]
            wire.send(data)
            return
        if len(self._acks) >= MAX_DIALOGS:
            return
        dialog = self._confirm(transaction, response)
        ack = dialog.ack(transaction.request.cseq.number, headers=self._challenges.headers)
        self._acks[tag] = self.core.send_ack(ack, dialog.next_flow())
        if transaction is not self._transaction:
            self._send_bye(dialog, (), now)
        elif self.phase is Phase.CONFIRMED or self.over or self._farewell is not None:
            self._turn_away(dialog, now)
        elif tag in self._left:
            self._finish(Ended(self, (), remote=True), now)
        else:
            self._answered(dialog, response, now)

    def _confirm(self, transaction: ClientTransaction, response: Response) -> Dialog:
        dialog = self.early.pop(response.to.tag, None)
        if dialog is None:
            flow = self._outside.flow if transaction is self._transaction else transaction.wire.flow
            dialog = Dialog.of_response(self._transaction.request, response, flow)
        else:
            dialog.learn_route(response)
        dialog.early = False
        dialog.settled = True
        dialog.remote_body = response.body or dialog.remote_body
        if dialog not in self._bound:
            self._bind(dialog)
        return dialog

    def _answered(self, dialog: Dialog, response: Response, now: float) -> None:
        self.phase = Phase.CONFIRMED
        self.dialog = dialog
        self.timer.answered(response, now)
        if self.early:
            self.arm("FORK", now + FORK_WAIT)
        self.core.emit(Answered(self, dialog, dialog.remote_body))

    def _turn_away(self, dialog: Dialog, now: float) -> None:
        """A 2xx too late, or one too many: the ACK was sent, BYE follows."""
        farewell = self._farewell
        if farewell is not None and not self.over:
            self._finish(farewell, now, keep=dialog)
        if dialog.remote.tag in self._left:
            self._unbind(dialog)
        else:
            self._send_bye(dialog, () if farewell is None else farewell.reasons, now)

    def _refused(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if self._farewell is not None:
            self._finish(self._farewell, now)
        elif response.status == UNAVAILABLE and self._try_next(now):
            return
        elif self._challenges.met(transaction.request, response) or self.timer.enlarge(response):
            self._begin_again(now)
        else:
            self._finish(Rejected(self, response.reasons, response), now)

    def _bye_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """BYE in an early dialog should not be, but ends that dialog only."""
        if dialog.early and not self.over:
            self._answer(request, flow, 200, now)
            self._left.add(dialog.remote.tag)
            self.early.pop(dialog.remote.tag, None)
            self._unbind(dialog)
        else:
            super()._bye_received(dialog, request, flow, now)

    def _drop_early(self) -> None:
        for dialog in self.early.values():
            self._unbind(dialog)
        self.early.clear()
        self._rseqs.clear()

    def _flows(self) -> list[Flow]:
        # While it rings without a dialog, the responses come on the flow of the INVITE.
        return [self._outside.flow, *super()._flows()] if self.phase is Phase.RINGING else super()._flows()


def _no_matter(response: Response, failure: Failure | None, now: float) -> None:
    """What a PRACK is answered changes nothing here."""
