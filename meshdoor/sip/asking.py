"""A request of ours and its final response, credentials included (RFC 3261 §8.1.3, §22.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from meshdoor.sip.compose import response_to
from meshdoor.sip.core import Core
from meshdoor.sip.dialog import Dialog
from meshdoor.sip.ict import InviteClientTransaction
from meshdoor.sip.machine import ClientTransaction, Failure, Wire
from meshdoor.sip.message import Request, Response

MAX_CHALLENGES: Final = 2  # a second one may only say that the nonce was stale

OnFinal = Callable[[Response, Failure | None, float], None]


class Draft(NamedTuple):
    """What its sender decides about a request; the dialog gives the rest."""

    method: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Challenges:
    """The credentials that answer what 401s and 407s asked for, and how often that was tried."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._left = MAX_CHALLENGES
        self.headers: tuple[tuple[str, str], ...] = ()

    def met(self, request: Request, response: Response) -> bool:
        """Whether it is worth sending the request again, with `headers`."""
        if response.status not in (401, 407) or not self._left:
            return False
        self._left -= 1
        self.headers = tuple(self._core.config.authorize(request, response))
        return bool(self.headers)


class Asking:
    """A request in or outside a dialog, other than INVITE. `on_final` hears of it once.

    Where no response came, one is made up (§8.1.3.1): 408 or 503, with the failure beside it.
    """

    def __init__(self, core: Core, dialog: Dialog, draft: Draft, on_final: OnFinal) -> None:
        self.dialog = dialog
        self.draft = draft
        self._core = core
        self._on_final = on_final
        self._challenges = Challenges(core)

    def send(self, now: float) -> None:
        """Send it; again when challenged."""
        self._core.send_request(self._build(), self.dialog.next_flow(), self, now)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response."""
        if response.status < 200:
            return
        if self._challenges.met(transaction.request, response):
            self.send(now)
        else:
            self._on_final(response, None, now)

    def request_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """No response."""
        self._on_final(response_to(transaction.request, failure.value), failure, now)

    def _build(self) -> Request:
        method, headers, body = self.draft
        return self.dialog.request(method, (*headers, *self._challenges.headers), body)


class AskingInvite(Asking):
    """A re-INVITE (§14.1): its 2xx gets an ACK, each time it comes."""

    def __init__(self, core: Core, dialog: Dialog, draft: Draft, on_final: OnFinal) -> None:
        super().__init__(core, dialog, draft, on_final)
        self._ack: tuple[Wire, bytes] | None = None

    def send(self, now: float) -> None:
        self._core.send_invite(self._build(), self.dialog.next_flow(), self, now)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if self._ack is not None:
            wire, data = self._ack
            wire.send(data)
            return
        if 200 <= response.status < 300:
            self.dialog.refresh(response)
            ack = self.dialog.ack(transaction.request.cseq.number, headers=self._challenges.headers)
            self._ack = self._core.send_ack(ack, self.dialog.next_flow())
        super().response_received(transaction, response, now)

    def invite_stalled(self, transaction: InviteClientTransaction, now: float) -> None:
        """A provisional response and nothing after it."""
        self._core.send_cancel(transaction, (), now)
