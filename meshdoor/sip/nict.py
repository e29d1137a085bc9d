"""The non-INVITE client transaction (RFC 3261 §17.1.2 figure 6)."""

from __future__ import annotations

from meshdoor.sip.machine import ClientTransaction, ClientUser, Failure, State, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import T2, TIMER_E, TIMER_F, TIMER_K, Agenda


class NonInviteClientTransaction(ClientTransaction):
    """Trying → Proceeding → Completed → Terminated."""

    def __init__(self, request: Request, wire: Wire, user: ClientUser, agenda: Agenda) -> None:
        super().__init__(request, wire, user, agenda)
        self.state = State.TRYING
        self._retransmit = TIMER_E

    def start(self, now: float) -> None:
        self.wire.send(bytes(self.request))
        self._retransmit = TIMER_E
        if self.wire.reliable:
            self._enter(State.TRYING, F=now + TIMER_F)
        else:
            self._enter(State.TRYING, E=now + self._retransmit, F=now + TIMER_F)

    def receive(self, response: Response, now: float) -> None:
        if self.state not in (State.TRYING, State.PROCEEDING):
            return
        if response.status >= 200:
            self._linger(State.COMPLETED, K=now + TIMER_K)
        elif self.wire.reliable:
            self._enter(State.PROCEEDING, F=self.timers["F"])
        else:
            self._enter(State.PROCEEDING, E=now + T2, F=self.timers["F"])
        self.user.response_received(self, response, now)

    def timer_e(self, now: float) -> None:
        """The request again; every T2 once a provisional response came."""
        self._retransmit = T2 if self.state is State.PROCEEDING else min(2 * self._retransmit, T2)
        self.wire.send(bytes(self.request))
        self.arm("E", now + self._retransmit)

    def timer_f(self, now: float) -> None:
        """No final response."""
        self._fail(Failure.TIMEOUT, now)

    def timer_k(self, now: float) -> None:
        """No more repeated responses."""
        self._enter(State.TERMINATED)
