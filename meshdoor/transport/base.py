"""What the endpoint asks of a transport, and what a transport tells the endpoint."""

from __future__ import annotations

from typing import Protocol

from meshdoor.errors import SipError
from meshdoor.sip.flow import Flow

Address = tuple[str, int]


class Sink(Protocol):
    """The endpoint, as transports see it. None of these block; each may call the transport again."""

    def received(self, data: bytes, flow: Flow) -> None:
        """One message: a datagram, a frame of a stream, not parsed."""

    def broken(self, data: bytes, error: SipError, flow: Flow) -> None:
        """A stream lost its framing in what begins with `data`; it is closed after the answer, if there is one."""

    def failed(self, flow: Flow) -> None:
        """Nothing can be sent on this flow any more, and nothing that was sent is certain to have arrived."""

    def proven(self, flow: Flow) -> bool:
        """Whether the other end showed that it receives what we send it, and is in a session with us."""

    def refused(self, host: str, why: str) -> None:
        """Something was dropped or cut off. Said at whatever rate; the endpoint logs it at a bounded one."""


class Transport(Protocol):
    """A way to send and receive SIP messages. Made before its endpoint runs, opened and closed by it."""

    @property
    def names(self) -> frozenset[str]:
        """The `Flow.transport` values that it serves."""

    def open(self, sink: Sink) -> None:
        """Begin to receive."""

    def send(self, flow: Flow, data: bytes) -> bool:
        """Send one message, or begin to; False if it certainly cannot be sent."""

    async def aclose(self) -> None:
        """Stop, and leave no task, timer or socket behind."""
