"""The retransmission of a 2xx to an INVITE until its ACK comes (RFC 3261 §13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from meshdoor.sip.machine import ServerTransaction
from meshdoor.sip.message import Request, Response
from meshdoor.sip.timers import ACCEPT_WAIT, T1, T2, Agenda, Timed


class Accepted(Timed):
    """One 2xx. `on_ack(ack, now)` or `on_timeout(now)` is called once."""

    def __init__(
        self,
        transaction: ServerTransaction,
        agenda: Agenda,
        on_ack: Callable[[Request, float], None],
        on_timeout: Callable[[float], None],
    ) -> None:
        super().__init__(agenda)
        self._transaction = transaction
        self._on_ack = on_ack
        self._on_timeout = on_timeout
        self._interval = T1

    def start(self, response: Response, now: float) -> None:
        """Send it. It is repeated on reliable transports too: a later hop may not be one."""
        self._transaction.respond(response, now)
        self.arm("AGAIN", now + self._interval)
        self.arm("NO_ACK", now + ACCEPT_WAIT)

    def acknowledged(self, ack: Request, now: float) -> None:
        """The ACK came."""
        self.stop()
        self._on_ack(ack, now)

    def stop(self) -> None:
        """Stop repeating it: the other side cannot be waiting for it any more."""
        self.timers = {}

    def timer_again(self, now: float) -> None:
        """The 2xx again."""
        self._interval = min(2 * self._interval, T2)
        self._transaction.repeat()
        self.arm("AGAIN", now + self._interval)

    def timer_no_ack(self, now: float) -> None:
        """The other side is not there."""
        self.stop()
        self._on_timeout(now)
