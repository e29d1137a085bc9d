"""The non-INVITE server transaction (RFC 3261 §17.2.2 figure 8)."""

from __future__ import annotations

from meshdoor.errors import LocalProtocolError
from meshdoor.sip.machine import ServerTransaction, ServerUser, State, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import TIMER_F, TIMER_J, Agenda


class NonInviteServerTransaction(ServerTransaction):
    """Trying → Proceeding → Completed → Terminated."""

    def __init__(self, request: Request, wire: Wire, user: ServerUser, agenda: Agenda) -> None:
        super().__init__(request, wire, user, agenda)
        self.state = State.TRYING

    def start(self, now: float) -> None:
        """Wait for the user's answer, no longer than the other side does (timer F there; RFC 4320 §4.1)."""
        self._enter(State.TRYING, F=now + TIMER_F)

    def receive(self, request: Request, now: float) -> None:
        if self.state in (State.PROCEEDING, State.COMPLETED):
            self.repeat()

    def respond(self, response: Response, now: float) -> None:
        if self.state not in (State.TRYING, State.PROCEEDING):
            raise LocalProtocolError(f"a {response.status} cannot follow in {self.state.value}")
        self._send(response)
        if response.status < 200:
            self._enter(State.PROCEEDING, F=self.timers["F"])
        else:
            self._linger(State.COMPLETED, J=now + TIMER_J)

    def timer_f(self, now: float) -> None:
        """The user never answered, and by now the other side has given up."""
        self._enter(State.TERMINATED)

    def timer_j(self, now: float) -> None:
        """No more repeated requests."""
        self._enter(State.TERMINATED)
