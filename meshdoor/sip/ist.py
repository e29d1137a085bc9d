"""The INVITE server transaction (RFC 3261 §17.2.1 figure 7, RFC 6026 §7.1 figure 5)."""

from __future__ import annotations

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.compose import response_to
from meshdoor.sip.machine import Failure, ServerTransaction, ServerUser, State, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import T2, TIMER_G, TIMER_H, TIMER_I, TIMER_L, TRYING, Agenda


class InviteServerTransaction(ServerTransaction):
    """Proceeding → Completed → Confirmed, or Accepted → Terminated.

    The retransmission of a 2xx is its sender's work (§13.3.1.4): `respond` takes it again in Accepted.
    """

    def __init__(self, request: Request, wire: Wire, user: ServerUser, agenda: Agenda) -> None:
        super().__init__(request, wire, user, agenda)
        self.state = State.PROCEEDING
        self._retransmit = TIMER_G

    def start(self, now: float) -> None:
        """Wait for the user's answer: 200 ms later the other side hears 100 Trying."""
        self._enter(State.PROCEEDING, TRYING=now + TRYING)

    def receive(self, request: Request, now: float) -> None:
        if request.method == "ACK":
            self._acknowledged(request, now)
        elif self.state is State.PROCEEDING and self.last is None:
            self.timer_trying(now)
        elif self.state in (State.PROCEEDING, State.COMPLETED):
            self.repeat()

    def _acknowledged(self, ack: Request, now: float) -> None:
        if self.state is State.COMPLETED:
            self._linger(State.CONFIRMED, I=now + TIMER_I)
        elif self.state is State.ACCEPTED:
            self.user.ack_received(self, ack, now)

    def respond(self, response: Response, now: float) -> None:
        again = self.state is State.ACCEPTED and 200 <= response.status < 300
        if self.state is not State.PROCEEDING and not again:
            raise LocalProtocolError(f"a {response.status} cannot follow in {self.state.value}")
        self._send(response)
        if response.status < 200:
            self._enter(State.PROCEEDING)
        elif again:
            return
        elif response.status < 300:
            self._enter(State.ACCEPTED, L=now + TIMER_L)
        elif self.wire.reliable:
            self._enter(State.COMPLETED, H=now + TIMER_H)
        else:
            self._enter(State.COMPLETED, G=now + self._retransmit, H=now + TIMER_H)

    def _give_up(self, now: float) -> None:
        if self.state is State.COMPLETED:
            super()._give_up(now)
        elif self.state in (State.PROCEEDING, State.ACCEPTED):
            # RFC 6026 §7.1: the user decides, the transaction still absorbs the INVITE.
            self.user.response_failed(self, Failure.TRANSPORT, now)

    def timer_trying(self, now: float) -> None:
        """The user took its time."""
        self.respond(response_to(self.request, 100), now)

    def timer_g(self, now: float) -> None:
        """The final response again."""
        self._retransmit = min(2 * self._retransmit, T2)
        self.repeat()
        self.arm("G", now + self._retransmit)

    def timer_h(self, now: float) -> None:
        """No ACK came."""
        self._enter(State.TERMINATED)
        self.user.response_failed(self, Failure.TIMEOUT, now)

    def timer_i(self, now: float) -> None:
        """No more repeated ACKs."""
        self._enter(State.TERMINATED)

    def timer_l(self, now: float) -> None:
        """No more repeated INVITEs."""
        self._enter(State.TERMINATED)
