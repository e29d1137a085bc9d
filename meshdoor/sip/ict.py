"""The INVITE client transaction (RFC 3261 §17.1.1 figure 5, RFC 6026 §7.2 figure 3)."""

from __future__ import annotations

from typing import Protocol

from meshdoor.sip.compose import ack_of_failure
from meshdoor.sip.machine import ClientTransaction, ClientUser, Failure, State, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import CANCEL_WAIT, TIMER_A, TIMER_B, TIMER_C, TIMER_D, TIMER_M, Agenda


class InviteClientUser(ClientUser, Protocol):
    """Who hears of an INVITE client transaction."""

    def invite_stalled(self, transaction: InviteClientTransaction, now: float) -> None:
        """Provisional responses stopped coming long ago: the user should cancel."""


class InviteClientTransaction(ClientTransaction):
    """Calling → Proceeding → Completed | Accepted → Terminated."""

    def __init__(self, request: Request, wire: Wire, user: InviteClientUser, agenda: Agenda) -> None:
        super().__init__(request, wire, user, agenda)
        self.state = State.CALLING
        self._invite_user = user
        self._retransmit = TIMER_A
        self._ack: bytes | None = None

    def start(self, now: float) -> None:
        self.wire.send(bytes(self.request))
        self._retransmit = TIMER_A
        if self.wire.reliable:
            self._enter(State.CALLING, B=now + TIMER_B)
        else:
            self._enter(State.CALLING, A=now + self._retransmit, B=now + TIMER_B)

    def receive(self, response: Response, now: float) -> None:
        if self.state in (State.CALLING, State.PROCEEDING):
            self._progress(response, now)
        elif self.state is State.ACCEPTED and 200 <= response.status < 300:
            self.user.response_received(self, response, now)
        elif self.state is State.COMPLETED and response.status >= 300 and self._ack is not None:
            self.wire.send(self._ack)

    def _progress(self, response: Response, now: float) -> None:
        if "CANCEL" in self.timers and response.status < 200:
            self._enter(State.PROCEEDING, CANCEL=self.timers["CANCEL"])
        elif response.status < 200:
            self._enter(State.PROCEEDING, C=now + TIMER_C)
        elif response.status < 300:
            self._enter(State.ACCEPTED, M=now + TIMER_M)
        else:
            self._ack = bytes(ack_of_failure(self.request, response))
            self.wire.send(self._ack)
            self._linger(State.COMPLETED, D=now + TIMER_D)
        self.user.response_received(self, response, now)

    def cancelled(self, now: float) -> None:
        """A CANCEL was sent: the final response is not waited for without end (§9.1)."""
        if self.state is State.PROCEEDING:
            self._enter(State.PROCEEDING, CANCEL=now + CANCEL_WAIT)

    def timer_a(self, now: float) -> None:
        """The request again, after twice the wait."""
        self._retransmit *= 2
        self.wire.send(bytes(self.request))
        self.arm("A", now + self._retransmit)

    def timer_b(self, now: float) -> None:
        """Nobody answered."""
        self._fail(Failure.TIMEOUT, now)

    def timer_c(self, now: float) -> None:
        """It rings, and rings; a user that does nothing about it is asked again."""
        self.arm("C", now + TIMER_C)
        self._invite_user.invite_stalled(self, now)

    def timer_cancel(self, now: float) -> None:
        """The CANCEL had no effect."""
        self._fail(Failure.TIMEOUT, now)

    def timer_d(self, now: float) -> None:
        """No more repeated final responses."""
        self._enter(State.TERMINATED)

    def timer_m(self, now: float) -> None:
        """No more 2xx, repeated or from other branches of a fork."""
        self._enter(State.TERMINATED)
