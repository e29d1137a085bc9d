"""What the four transaction machines share (RFC 3261 §17): states, timers, the wire and their user.

    ict  INVITE client       ist  INVITE server
    nict non-INVITE client   nist non-INVITE server
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, MutableSequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import Agenda, Timed


class State(Enum):
    """The states of figures 5 to 8 of RFC 3261 and of RFC 6026 §7; no machine has all of them."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class Failure(Enum):
    """Why a transaction ended without what it waited for; the value is the response it counts as (§8.1.3.1)."""

    TIMEOUT = 408
    TRANSPORT = 503


class Wire:
    """Where a transaction sends: a flow, and others to fall back to when it fails."""

    __slots__ = ("_outbox", "alternatives", "flow")

    def __init__(
        self, flow: Flow, outbox: MutableSequence[tuple[Flow, bytes]], alternatives: tuple[Flow, ...] = ()
    ) -> None:
        self.flow = flow
        self.alternatives = alternatives
        self._outbox = outbox

    @property
    def reliable(self) -> bool:
        return self.flow.reliable

    def send(self, data: bytes) -> None:
        self._outbox.append((self.flow, data))

    def fall_back(self) -> bool:
        """Move to the next flow; False when there is none."""
        if not self.alternatives:
            return False
        self.flow, *rest = self.alternatives
        self.alternatives = tuple(rest)
        return True


class ClientUser(Protocol):
    """Who hears of a client transaction."""

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response that is no retransmission (to an INVITE: every 2xx and provisional response)."""

    def request_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """There is and will be no final response."""


class ServerUser(Protocol):
    """Who hears of a server transaction."""

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """An ACK in the Accepted state."""

    def cancel_received(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """The CANCEL of an INVITE, already answered."""

    def response_failed(self, transaction: ServerTransaction, failure: Failure, now: float) -> None:
        """The final response did not get through, or was never acknowledged."""


User = TypeVar("User")


class Transaction(Timed, ABC, Generic[User]):
    """One transaction. `on_terminated` is called once, when it enters Terminated."""

    state: State

    def __init__(self, request: Request, wire: Wire, user: User, agenda: Agenda) -> None:
        super().__init__(agenda)
        self.request = request
        self.wire = wire
        self.user = user
        self.on_terminated: Callable[[], object] = _nothing

    def _enter(self, state: State, **timers: float) -> None:
        """The one place where the state changes: timers not named here stop."""
        self.state = state
        self.timers = timers
        self.rescheduled()
        if state is State.TERMINATED:
            self.on_terminated()

    def _linger(self, state: State, **timers: float) -> None:
        """Enter a state that only absorbs retransmissions: there are none on a reliable transport."""
        if self.wire.reliable:
            self._enter(State.TERMINATED)
        else:
            self._enter(state, **timers)


class ClientTransaction(Transaction[ClientUser]):
    """The sending side of a request."""

    @abstractmethod
    def start(self, now: float) -> None:
        """Send the request; again after the wire fell back to another flow."""

    @abstractmethod
    def receive(self, response: Response, now: float) -> None:
        """A response that matched."""

    def transport_failed(self, now: float) -> None:
        """The flow is gone (§17.1.4): only a request that nobody answered yet fails by this.

        One that left over TCP for its size alone goes over UDP after all (§18.1.1).
        """
        if self.state not in (State.CALLING, State.TRYING):
            return
        if self.wire.fall_back():
            self.request.headers.set("Via", str(self.wire.flow.via(self.request.via.branch or "")))
            self.start(now)
        else:
            self._fail(Failure.TRANSPORT, now)

    def abandon(self) -> None:
        """End at once, without a word to the user."""
        if self.state is not State.TERMINATED:
            self._enter(State.TERMINATED)

    def _fail(self, failure: Failure, now: float) -> None:
        self._enter(State.TERMINATED)
        self.user.request_failed(self, failure, now)


class ServerTransaction(Transaction[ServerUser]):
    """The answering side of a request.

    `last` is the response that a repeated request gets again, `tag` the To tag of our responses.
    """

    last: bytes | None = None
    tag: str | None = None

    @abstractmethod
    def receive(self, request: Request, now: float) -> None:
        """The request again, or the ACK of an INVITE."""

    @abstractmethod
    def start(self, now: float) -> None:
        """Begin to wait for the user's answer."""

    @abstractmethod
    def respond(self, response: Response, now: float) -> None:
        """Send a response. LocalProtocolError after a final one."""

    def transport_failed(self, now: float) -> None:
        """The flow is gone: try where else a response may go (§18.2.2), or give up."""
        if self.wire.fall_back():
            self.repeat()
        else:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        self._enter(State.TERMINATED)
        self.user.response_failed(self, Failure.TRANSPORT, now)

    def _send(self, response: Response) -> None:
        self.last = bytes(response)
        self.tag = response.to.tag
        self.wire.send(self.last)

    def repeat(self) -> None:
        """Send the last response again."""
        if self.last is not None:
            self.wire.send(self.last)


def _nothing() -> None:
    """The default for nobody waiting."""
