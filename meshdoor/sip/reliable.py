"""Reliable provisional responses, the UAS's side (RFC 3262 §3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from meshdoor.sip.headers import RAck
from meshdoor.sip.machine import ServerTransaction
from meshdoor.sip.message import Response
from meshdoor.sip.timers import PRACK_WAIT, T1, Agenda, Timed


class ReliableProvisionals(Timed):
    """Sends provisional responses one after the other, each until its PRACK comes."""

    def __init__(
        self, transaction: ServerTransaction, agenda: Agenda, first: int, on_timeout: Callable[[float], None]
    ) -> None:
        super().__init__(agenda)
        self._transaction = transaction
        self._on_timeout = on_timeout
        self._rseq = first
        self._queue: deque[Response] = deque()  # the first one is on its way
        self._data = b""
        self._interval = T1

    @property
    def describing(self) -> bool:
        """Whether a session description waits for its PRACK: a 2xx must then wait too."""
        return any(response.body for response in self._queue)

    def send(self, response: Response, now: float) -> None:
        """Send it as soon as the one before it is acknowledged."""
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(self._rseq + len(self._queue)))
        self._queue.append(response)
        if len(self._queue) == 1:
            self._send_first(now)

    def acknowledge(self, rack: RAck, now: float) -> Response | None:
        """The response that a PRACK is about; None if it is about none that waits for it."""
        expected = RAck(self._rseq, self._transaction.request.cseq.number, "INVITE")
        if not self._queue or rack != expected:
            return None
        self._rseq += 1
        response = self._queue.popleft()
        self.timers = {}
        if self._queue:
            self._send_first(now)
        return response

    def stop(self) -> None:
        """A final response was sent."""
        self._queue.clear()
        self.timers = {}

    def _send_first(self, now: float) -> None:
        self._interval = T1
        self._transaction.respond(self._queue[0], now)
        self._data = bytes(self._queue[0])
        self.arm("AGAIN", now + self._interval)
        self.arm("NO_PRACK", now + PRACK_WAIT)

    def timer_again(self, now: float) -> None:
        """The response again, after twice the wait."""
        self._interval *= 2
        self._transaction.wire.send(self._data)
        self.arm("AGAIN", now + self._interval)

    def timer_no_prack(self, now: float) -> None:
        """The other side is not there."""
        self.stop()
        self._on_timeout(now)
