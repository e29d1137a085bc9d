"""What both sides of an INVITE session do once there is a dialog (RFC 3261 §13 to §15, RFC 4028)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.accepted import Accepted
from meshdoor.sip.asking import Asking, Draft
from meshdoor.sip.compose import body_fields, reason_fields, response_to
from meshdoor.sip.core import IGNORE, Core
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.events import Ended, FlowLost, RequestReceived, ResponseReceived, SessionOver
from meshdoor.sip.flow import Flow
from meshdoor.sip.headers import Reason
from meshdoor.sip.machine import Failure, ServerTransaction
from meshdoor.sip.message import Request, Response
from meshdoor.sip.offers import Offers
from meshdoor.sip.outgoing import Outgoing
from meshdoor.sip.refresh import SessionTimer
from meshdoor.sip.timers import Timed

EXPIRED: Final = Reason("SIP", 408, "Session expired")
NO_ACK: Final = Reason("SIP", 408, "No ACK")


class Phase(Enum):
    """How far a session is."""

    CALLING = "calling"  # UAC: nothing heard yet
    RINGING = "ringing"  # a provisional response was heard (UAC); not answered yet (UAS)
    ACCEPTED = "accepted"  # UAS: the 2xx was sent, its ACK did not come yet
    CONFIRMED = "confirmed"
    OVER = "over"


class Session(Timed, ABC):
    """One INVITE session. `context` belongs to the user. `phase` and `dialog` are for reading.

    Every verb takes `now` last. After the session is over, verbs that end it do nothing, others raise
    LocalProtocolError.
    """

    def __init__(self, core: Core, phase: Phase) -> None:
        super().__init__(core.agenda)
        self.core = core
        self.phase = phase
        self.dialog: Dialog | None = None
        self.context: object = None
        self.local_body = b""
        self.unacknowledged: dict[int, Accepted] = {}
        self._goodbye: tuple[Reason, ...] | None = None  # of a BYE that waits for an ACK
        config = core.config
        self.timer = SessionTimer(core.agenda, config.session_interval, config.min_se, self._refresh, self._expired)
        self._offers: dict[Dialog, Offers] = {}
        self._bound: set[Dialog] = set()
        core.sessions.add(self)

    @property
    def over(self) -> bool:
        """Whether the last event was given."""
        return self.phase is Phase.OVER

    @abstractmethod
    def hangup(self, reasons: Sequence[Reason], now: float) -> None:
        """End the session, whatever that takes now: CANCEL, a rejection, or BYE."""

    @abstractmethod
    def abandon(self, now: float) -> None:
        """End the session without waiting for anybody: the other side is known to be gone."""

    def bye(self, reasons: Sequence[Reason], now: float) -> None:
        """End an answered session."""
        if self.over:
            return
        dialog = self._confirmed()
        self._finish(Ended(self, tuple(reasons), remote=False), now, keep=dialog)
        self._send_bye(dialog, reasons, now)

    def reinvite(self, body: bytes, now: float) -> None:
        """Offer another session description. `AnswerReceived` or `OfferRejected` follows."""
        self.offers(self._confirmed()).send("INVITE", body, now)

    def update(self, body: bytes, now: float) -> None:
        """The same by UPDATE, which may come before the session is answered."""
        self.offers(self._talking()).send("UPDATE", body, now)

    def info(self, body: bytes, content_type: str, now: float) -> Outgoing:
        """Send INFO (RFC 6086), such as DTMF of old phones."""
        return self.request("INFO", body_fields(body, content_type), body, now)

    def request(self, method: str, headers: Sequence[tuple[str, str]], body: bytes, now: float) -> Outgoing:
        """Send any other request in the dialog; `ResponseReceived` carries what is returned here."""
        outgoing = Outgoing(method)

        def on_final(response: Response, failure: Failure | None, now: float) -> None:
            self.core.emit(ResponseReceived(outgoing, response, failure))

        Asking(self.core, self._talking(), Draft(method, tuple(headers), body), on_final).send(now)
        return outgoing

    def offers(self, dialog: Dialog) -> Offers:
        """What is being negotiated in one of the dialogs."""
        if dialog not in self._offers:
            self._offers[dialog] = Offers(self, dialog)
        return self._offers[dialog]

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """A request in one of the session's dialogs, new and in order."""
        dialog.flow = flow
        if request.method == "BYE":
            self._bye_received(dialog, request, flow, now)
        elif self.over:
            self._answer(request, flow, 481, now)
        elif request.method in ("INVITE", "UPDATE"):
            self.offers(dialog).receive(request, flow, now)
        elif request.method == "PRACK":
            self._prack_received(request, flow, now)
        else:
            transaction = self.core.serve(request, flow, IGNORE, now)
            self.core.emit(RequestReceived(request, flow, transaction, self))

    def acknowledge(self, ack: Request, now: float) -> None:
        """The ACK of one of our 2xx."""
        accepted = self.unacknowledged.pop(ack.cseq.number, None)
        if accepted is not None:
            accepted.acknowledged(ack, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A flow is gone."""
        if not self.over and flow in self._flows():
            self.core.emit(FlowLost(self, flow))
        for dialog in self._bound:
            if dialog.flow == flow:
                dialog.flow_failed()

    def send_success(
        self,
        transaction: ServerTransaction,
        response: Response,
        on_ack: Callable[[Request, float], None],
        now: float,
    ) -> None:
        """Send a 2xx to an INVITE until its ACK comes."""
        accepted = Accepted(transaction, self.core.agenda, on_ack, self._ack_missing)
        self.unacknowledged[response.cseq.number] = accepted
        accepted.start(response, now)

    def lost(self, response: Response, now: float) -> None:
        """The other side does not know the dialog any more, or says nothing (§12.2.1.2)."""
        self.bye((Reason("SIP", response.status, response.reason),), now)

    def _confirmed(self) -> Dialog:
        if self.phase not in (Phase.ACCEPTED, Phase.CONFIRMED) or self.dialog is None:
            raise LocalProtocolError(f"not in a session that is {self.phase.value}")
        return self.dialog

    def _talking(self) -> Dialog:
        if self.over or self.dialog is None:
            raise LocalProtocolError(f"there is no dialog in a session that is {self.phase.value}")
        return self.dialog

    def _bind(self, dialog: Dialog) -> None:
        self._bound.add(dialog)
        self.core.bind(dialog, self)

    def _flows(self) -> list[Flow]:
        return [dialog.flow for dialog in self._bound]

    def _unbind(self, dialog: Dialog) -> None:
        self._bound.discard(dialog)
        self.core.unbind(dialog)

    def _finish(self, event: SessionOver, now: float, keep: Dialog | None = None) -> None:
        """The one place where a session becomes OVER. The dialog to `keep` still awaits its end."""
        self.phase = Phase.OVER
        self.timers = {}
        self.timer.stop()
        if self._goodbye is None:
            self._stop_accepting()
        for offers in self._offers.values():
            offers.stop(now)
        for dialog in self._bound.copy():
            if dialog is not keep:
                self._unbind(dialog)
        self.core.sessions.discard(self)
        self.core.emit(event)

    def _send_bye(self, dialog: Dialog, reasons: Sequence[Reason], now: float) -> None:
        """BYE; the dialog lives until its response, for a BYE that comes the other way."""
        draft = Draft("BYE", tuple(reason_fields(reasons)))
        Asking(self.core, dialog, draft, lambda response, failure, now: self._unbind(dialog)).send(now)

    def _bye_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        self._answer(request, flow, 200, now)
        if not self.over:
            self._finish(Ended(self, request.reasons, remote=True), now)

    def _prack_received(self, request: Request, flow: Flow, now: float) -> None:
        self._answer(request, flow, 481, now)

    def _answer(self, request: Request, flow: Flow, status: int, now: float) -> None:
        self.core.serve(request, flow, IGNORE, now).respond(response_to(request, status), now)

    def _stop_accepting(self) -> None:
        for accepted in self.unacknowledged.values():
            accepted.stop()
        self.unacknowledged.clear()

    def _ack_missing(self, now: float) -> None:
        self.bye((NO_ACK,), now)

    def _expired(self, now: float) -> None:
        self.bye((EXPIRED,), now)

    def _refresh(self, now: float) -> None:
        """UPDATE without an offer where the other side takes it, else re-INVITE with the last one (RFC 4028 §7.4)."""
        dialog = self._confirmed()
        if "UPDATE" in dialog.remote_allow:
            headers = (self.core.contact_field(dialog.flow), *self.core.capability_fields(), *self.timer.ask())
            Asking(self.core, dialog, Draft("UPDATE", headers), self._refreshed).send(now)
        elif self.offers(dialog).busy:
            self.timer.retry(now)
        else:
            self.offers(dialog).send("INVITE", self.local_body, now)

    def _refreshed(self, response: Response, failure: Failure | None, now: float) -> None:
        if self.over:
            return
        if response.status < 300:
            self.timer.answered(response, now)
        elif response.status in (408, 481):
            self.lost(response, now)
        elif self.timer.enlarge(response):
            self._refresh(now)
        else:
            self.timer.retry(now)
