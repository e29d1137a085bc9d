"""The one SIP endpoint of a node: the stack, its timer, and the transports below it.

    async with SipEndpoint(config, on_event) as endpoint:
        endpoint.add(transport)
        session = endpoint.invite(target, offer)
        with endpoint.acting() as now:
            session.cancel((), now)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from meshdoor.errors import SipError
from meshdoor.ratelimit import LogLimiter
from meshdoor.sip.compose import Fields
from meshdoor.sip.core import Config
from meshdoor.sip.events import Event, RequestReceived, ResponseReceived
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.message import Request, Response
from meshdoor.sip.session import Phase
from meshdoor.sip.stack import Stack
from meshdoor.sip.uac import UacSession
from meshdoor.transport.base import Transport

LOGGER: Final = logging.getLogger("meshdoor")

OnEvent = Callable[[Event], None]
Relay = Callable[[bytes, Flow], bytes | Request | Response | None]
Trusted = Callable[[Flow], bool]


def nobody(flow: Flow) -> bool:
    """Trust no address."""
    return False


def nobody_waits(flow: Flow) -> None:
    """Nobody wants to know which flows are lost."""


def keep(data: bytes, flow: Flow) -> bytes:
    """Relay nothing."""
    return data


class SipEndpoint:
    """An async context manager. `on_event` is called in order, once per event, and never while it runs.

    It may call every method of the endpoint and every verb of sessions: what they have to send leaves
    when it returns. An error that it raises is logged and ends nothing.

    `trusted` says which addresses are known not to be forged, because they met a challenge or a person
    listed them: over UDP, others get no more bytes than they sent until a session with them is answered.

    `lost` may be set to what is told of each flow that failed.

    `relay` may be set to what sees each message first, sends on what is for others (`forward`), and returns the rest.
    """

    def __init__(self, config: Config, on_event: OnEvent, trusted: Trusted = nobody) -> None:
        self.stack = Stack(config)
        self._on_event = on_event
        self._trusted = trusted
        self.relay: Relay = keep
        self.lost: Callable[[Flow], None] = nobody_waits
        self._transports: dict[str, Transport] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._log = LogLimiter()
        self._busy = False
        self._open = False

    async def __aenter__(self) -> SipEndpoint:
        self._loop = asyncio.get_running_loop()
        self._open = True
        for transport in set(self._transports.values()):
            transport.open(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self.acting() as now:
            for session in self.stack.sessions:
                session.hangup((), now)
        self._open = False
        for transport in set(self._transports.values()):
            await transport.aclose()
        self._cancel_timer()

    @property
    def now(self) -> float:
        """The time that the stack goes by."""
        return self._loop.time()

    def add(self, transport: Transport) -> None:
        """Another transport, before or after the endpoint was opened; of one name, the last counts."""
        self._transports |= dict.fromkeys(transport.names, transport)
        if self._open:
            transport.open(self)

    @contextmanager
    def acting(self) -> Iterator[float]:
        """Gives `now` for verbs of sessions; what they have to send leaves at the end."""
        try:
            yield self.now
        finally:
            self.flush()

    def invite(self, target: Target, offer: bytes, headers: Fields = ()) -> UacSession:
        """Call somebody; see `Stack.invite`. No event of the session comes before this has returned."""
        session = self.stack.invite(target, offer, headers, self.now)
        while not self._busy and self._send():
            pass
        self._loop.call_soon(self.flush)
        return session

    async def ask(
        self, target: Target, method: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> ResponseReceived:
        """Send OPTIONS, MESSAGE or the like outside a dialog, and wait for the final response."""
        answered: asyncio.Future[ResponseReceived] = self._loop.create_future()
        with self.acting() as now:
            self.stack.send_request(target, method, now, headers, body).context = answered
        return await answered

    def respond(self, event: RequestReceived, status: int, headers: Fields = (), body: bytes = b"") -> None:
        """Answer a request that came as an event."""
        with self.acting() as now:
            self.stack.respond(event, status, now, headers, body)

    def received(self, data: bytes, flow: Flow) -> None:
        try:
            message = self.relay(data, flow)
            if message is not None:
                self.stack.receive(message, flow, self.now)
        except Exception:
            # Whatever a stranger sent, and whatever is wrong with us: the house still rings.
            self._slipped(f"a message of {flow.transport}")
        self.flush()

    def forward(self, flow: Flow, data: bytes) -> bool:
        """Send a message past the stack; False if it certainly cannot be sent."""
        transport = self._transports.get(flow.transport)
        return transport is not None and transport.send(flow, data)

    def broken(self, data: bytes, error: SipError, flow: Flow) -> None:
        self.stack.refuse(data, error, flow)
        self.flush()

    def failed(self, flow: Flow) -> None:
        self.stack.flow_failed(flow, self.now)
        self.lost(flow)
        self.flush()

    def proven(self, flow: Flow) -> bool:
        """An answered session proves an address (RFC 9000 §8 has the idea): its tags went there and came back."""
        return self._trusted(flow) or any(
            dialog is not None and session.phase is Phase.CONFIRMED and dialog.flow.remote[0] == flow.remote[0]
            for session in self.stack.sessions
            for dialog in [session.dialog]
        )

    def refused(self, host: str, why: str) -> None:
        suppressed = self._log.admit((host, why), self.now)
        if suppressed is not None:
            more = f" (and {suppressed} more)" if suppressed else ""
            fields = {"address": host}
            LOGGER.warning("SIP of %s: %s%s", host, why, more, extra={"event": "refused", "fields": fields})

    def flush(self) -> None:
        """Send what is to be sent, tell what happened, and set the timer. Needed after verbs of sessions only."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._send() or self._tell():
                pass
        finally:
            self._busy = False
        self._set_timer()

    def _send(self) -> bool:
        data = self.stack.data_to_send()
        for flow, message in data:
            if not self.forward(flow, message):
                self.stack.flow_failed(flow, self.now)
        return bool(data)

    def _tell(self) -> bool:
        """One event; what it causes to be sent goes out before the next one is told."""
        event = self.stack.next_event()
        if event is None:
            return False
        if isinstance(event, ResponseReceived) and isinstance(event.outgoing.context, asyncio.Future):
            if not event.outgoing.context.done():
                event.outgoing.context.set_result(event)
            return True
        try:
            self._on_event(event)
        except Exception:
            self._slipped(type(event).__name__)
        return True

    def _slipped(self, what: str) -> None:
        if self._log.admit(what, self.now) is not None:
            LOGGER.exception("%s could not be handled", what)

    def _set_timer(self) -> None:
        """Keep a timer that fires at the deadline or before it: one that moves out needs no new one."""
        deadline = self.stack.next_deadline() if self._open else None
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        self._cancel_timer()
        self._timer = self._loop.call_at(deadline, self._handle_timer, deadline)

    def _handle_timer(self, deadline: float) -> None:
        self._timer = None
        # The loop may be early by the resolution of its clock.
        self.stack.handle_timer(max(deadline, self.now))
        self.flush()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
