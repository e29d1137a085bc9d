"""Offers after the first one, in one dialog: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311), and their glare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.asking import Asking, AskingInvite, Draft
from meshdoor.sip.compose import body_fields, response_to
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.events import AnswerReceived, OfferReceived, OfferRejected, OfferWithdrawn
from meshdoor.sip.machine import Failure, ServerTransaction
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import GLARE_OTHER, GLARE_OWNER, GLARE_STEP, TIMER_F, Timed

if TYPE_CHECKING:
    from meshdoor.sip.flow import Flow
    from meshdoor.sip.refresh import SessionTimer
    from meshdoor.sip.session import Session

MAX_RETRIES: Final = 5  # glare is over by then, or the other side is broken
PATIENCE: Final = TIMER_F - 2.0  # seconds that the user has for an answer: the other side waits a little longer


class IncomingOffer:
    """An offer of the other side, to be answered with `answer` or `refuse`, once.

    `body` is empty for a re-INVITE that asks us for an offer.
    """

    def __init__(self, offers: Offers, request: Request) -> None:
        self.body = request.body
        self.method = request.method
        self._offers = offers
        self.request = request
        self.transaction: ServerTransaction  # which `Offers.receive` makes

    def answer(self, body: bytes, now: float) -> None:
        """Accept it. LocalProtocolError if it is not open any more."""
        self._offers.accept(self, body, now)

    def refuse(self, status: int, now: float) -> None:
        """Turn it down, such as with 488: the session goes on as it was."""
        self._offers.refuse(self, status, now)

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """The ACK of our 2xx, if it has the branch of the INVITE."""
        self._offers.session.acknowledge(ack, now)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """The other side takes its re-INVITE back."""
        self._offers.withdraw(self, now)

    def response_failed(self, transaction: ServerTransaction, failure: Failure, now: float) -> None:
        """No matter: the ACK of the 2xx is what counts."""


class Offers(Timed):
    """What is being negotiated in a dialog: at most one offer of ours and one of theirs, never both."""

    def __init__(self, session: Session, dialog: Dialog) -> None:
        super().__init__(session.core.agenda)
        self.session = session
        self.dialog = dialog
        self._mine: Draft | None = None
        self._theirs: IncomingOffer | None = None
        self._retry = Draft("")  # what is sent again when timer GLARE fires
        self._retrying = False
        self._retries = 0

    @property
    def busy(self) -> bool:
        """Whether a new offer is out of place: another one is open, or waits for its next try."""
        return self._open or self._retrying

    @property
    def _timer(self) -> SessionTimer | None:
        """The session's, once there is a session to time (RFC 4028 §7.2)."""
        return None if self.dialog.early else self.session.timer

    @property
    def _open(self) -> bool:
        return self._mine is not None or self._theirs is not None or bool(self.session.unacknowledged)

    def send(self, method: str, body: bytes, now: float) -> None:
        """Offer `body` by re-INVITE or UPDATE; after glare it is sent again by itself (§14.1)."""
        if not self.dialog.settled or self.busy:
            raise LocalProtocolError("another offer is open")
        self._retries = 0
        self._ask(Draft(method, (), body), now)

    def receive(self, request: Request, flow: Flow, now: float) -> None:
        """A re-INVITE or UPDATE in order."""
        offer = IncomingOffer(self, request)
        transaction = offer.transaction = self.session.core.serve(request, flow, offer, now)
        status, headers = self._obstacle(request)
        if status:
            transaction.respond(response_to(request, status, headers=headers), now)
            return
        self.dialog.refresh(request)
        if request.method == "UPDATE" and not request.body:
            transaction.respond(self._success(request, b"", now), now)
            return
        self._theirs = offer
        self.arm("PATIENCE", now + PATIENCE)
        self.session.core.emit(OfferReceived(self.session, offer))

    def accept(self, offer: IncomingOffer, body: bytes, now: float) -> None:
        """Answer with a 2xx."""
        self._close(offer)
        transaction = offer.transaction
        response = self._success(offer.request, body, now)
        if offer.method == "UPDATE":
            transaction.respond(response, now)
        else:
            self.session.send_success(transaction, response, self._acknowledged, now)
        self.session.local_body = body

    def refuse(self, offer: IncomingOffer, status: int, now: float) -> None:
        """Answer with a failure."""
        self._close(offer)
        offer.transaction.respond(response_to(offer.request, status), now)

    def withdraw(self, offer: IncomingOffer, now: float) -> None:
        """The CANCEL of a re-INVITE came; after its answer it has no effect."""
        if self._theirs is offer:
            self._drop(487, now)

    def stop(self, now: float) -> None:
        """The session is over: what was asked gets a final response (§15.1.2)."""
        if self._theirs is not None:
            self.refuse(self._theirs, 487, now)
        self._mine = None
        self._retrying = False
        self.timers = {}

    def timer_patience(self, now: float) -> None:
        """The user did not answer."""
        self._drop(500, now)

    def timer_glare(self, now: float) -> None:
        """Try again after a collision."""
        if self._open:
            self.arm("GLARE", now + 1.0)
        else:
            self._retrying = False
            self._ask(self._retry, now)

    def _obstacle(self, request: Request) -> tuple[int, list[tuple[str, str]]]:
        """(status, headers) of the refusal that a request must get now; (0, []) if it may go on."""
        timer = self._timer
        if timer is not None and (small := timer.too_small(request)):
            return 422, small
        if request.method == "UPDATE" and not request.body:
            return 0, []
        unanswered = not self.dialog.settled and not self.dialog.caller
        if self._theirs is not None or unanswered:
            return 500, [("Retry-After", str(self.session.core.random(1)[0] % 11))]
        if self._mine is not None or not self.dialog.settled or self.session.unacknowledged:
            return 491, []
        return 0, []

    def _success(self, request: Request, body: bytes, now: float) -> Response:
        core = self.session.core
        headers = [
            core.contact_field(self.dialog.flow),
            *core.capability_fields(),
            *(self._timer.answer(request, now) if self._timer is not None else ()),
            *body_fields(body),
        ]
        return response_to(request, 200, headers=headers, body=body)

    def _acknowledged(self, ack: Request, now: float) -> None:
        if ack.body:
            self.session.core.emit(AnswerReceived(self.session, ack.body))

    def _close(self, offer: IncomingOffer | None) -> IncomingOffer:
        if offer is None or self._theirs is not offer:
            raise LocalProtocolError("this offer is not open any more")
        self._theirs = None
        self.disarm("PATIENCE")
        return offer

    def _drop(self, status: int, now: float) -> None:
        offer = self._close(self._theirs)
        offer.transaction.respond(response_to(offer.request, status), now)
        self.session.core.emit(OfferWithdrawn(self.session, offer))

    def _ask(self, draft: Draft, now: float) -> None:
        self._mine = draft
        core = self.session.core
        headers = (
            core.contact_field(self.dialog.flow),
            *core.capability_fields(),
            *(self._timer.ask() if self._timer is not None else ()),
            *body_fields(draft.body),
        )
        kind = AskingInvite if draft.method == "INVITE" else Asking
        kind(core, self.dialog, Draft(draft.method, headers, draft.body), self._answered).send(now)

    def _answered(self, response: Response, failure: Failure | None, now: float) -> None:
        draft, self._mine = self._mine, None
        if draft is None:
            return
        if response.status < 300:
            self._agree(draft, response, now)
        elif response.status in (408, 481) and not self.dialog.early:
            self.session.lost(response, now)
        elif self.session.timer.enlarge(response):
            self._ask(draft, now)
        elif (wait := self._wait(response)) is not None and self._retries < MAX_RETRIES:
            self._retries += 1
            self._retry, self._retrying = draft, True
            self.arm("GLARE", now + wait)
        else:
            self.session.core.emit(OfferRejected(self.session, response))

    def _agree(self, draft: Draft, response: Response, now: float) -> None:
        self.dialog.refresh(response)
        if self._timer is not None:
            self._timer.answered(response, now)
        self.session.local_body = draft.body
        self.session.core.emit(AnswerReceived(self.session, response.body))

    def _wait(self, response: Response) -> float | None:
        """How long to wait after a collision; None if it was none."""
        if response.status == 491:
            low, high = GLARE_OWNER if self.dialog.caller else GLARE_OTHER
            return self.session.core.choose(low, high, GLARE_STEP)
        if response.status == 500 and response.retry_after is not None and response.retry_after <= 10:
            return float(response.retry_after)
        return None
