"""The facade: one SIP user agent over any number of transports, without input or output.

    stack = Stack(Config(user="door"), secrets.token_bytes)
    session = stack.invite(Target(uri, flow), offer, (), now)
    for flow, data in stack.data_to_send(): …      what the transports have to send
    stack.receive(data, flow, now)                 what they received
    stack.next_deadline(); stack.handle_timer(now) when to come back
    while (event := stack.next_event()) is not None: …
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.asking import Asking, Draft
from meshdoor.sip.compose import Fields, response_to
from meshdoor.sip.core import Config, Core, RandomBytes
from meshdoor.sip.events import Event, RequestReceived, ResponseReceived
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.inbound import Inbound
from meshdoor.sip.machine import Failure
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.outgoing import Outgoing
from meshdoor.sip.registration import Registration
from meshdoor.sip.session import Session
from meshdoor.sip.uac import UacSession
from meshdoor.sip.validate import refuse

__all__ = ["Config", "Flow", "Stack", "Target"]


class Stack:
    """A user agent. Verbs of sessions may be called at any time; call `data_to_send` after each call."""

    def __init__(self, config: Config | None = None, random: RandomBytes = secrets.token_bytes) -> None:
        self._core = Core(config or Config(), random)
        self._inbound = Inbound(self._core)

    @property
    def sessions(self) -> frozenset[Session]:
        """The sessions that are not over."""
        return frozenset(self._core.sessions)

    @property
    def idle(self) -> bool:
        """Whether nothing is left of any session or transaction."""
        core = self._core
        return not (core.sessions or core.dialogs or len(core.transactions)) and core.agenda.next_deadline() is None

    def receive(self, message: bytes | Request | Response, flow: Flow, now: float) -> None:
        """A message from the network: a whole datagram, a frame of a stream, or what was parsed of it."""
        if isinstance(message, bytes):
            data = message
            try:
                message = parse_message(message)
            except SipError as error:
                self.refuse(data, error, flow)
                return
        else:
            data = bytes(message)
        if isinstance(message, Response):
            self._inbound.response(message, flow, now)
        else:
            self._inbound.request(message, flow, len(data), now)

    def refuse(self, data: bytes, error: SipError, flow: Flow) -> None:
        """Answer what could not be parsed, or what broke the framing of a stream, if it can be answered."""
        response = refuse(data, error)
        if response is not None:
            self._inbound.reply(response, flow, len(data))

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A connection broke, or the network said that nobody is there: nothing more can go this way."""
        for transaction in list(self._core.transactions.on_flow(flow)):
            transaction.transport_failed(now)
        for session in self.sessions:
            session.flow_failed(flow, now)

    def data_to_send(self) -> list[tuple[Flow, bytes]]:
        """What is to be sent since the last call, in order."""
        data = self._core.outbox.copy()
        self._core.outbox.clear()
        return data

    def next_deadline(self) -> float | None:
        """When `handle_timer` must be called at the latest; None for never."""
        return self._core.agenda.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._core.agenda.handle_timer(now)

    def next_event(self) -> Event | None:
        """The oldest event that was not taken yet."""
        events = self._core.events
        return events.popleft() if events else None

    def invite(self, target: Target, offer: bytes, headers: Fields, now: float) -> UacSession:
        """Call somebody. `offer` is the session description; `headers` are added as they are."""
        if not offer:
            raise LocalProtocolError("an INVITE of ours carries an offer")
        return UacSession(self._core, target, offer, headers, now)

    def register(self, target: Target, user: str, expires: int, now: float) -> Registration:
        """Keep an account registered: `target.uri` is the domain, `target.caller` who we are there, `user` stands in
        our Contact. `RegistrationChanged` tells of it."""
        return Registration(self._core, target, user, expires, now)

    def send_request(
        self, target: Target, method: str, now: float, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Outgoing:
        """OPTIONS, MESSAGE, REGISTER, … outside a dialog; `ResponseReceived` carries what is returned here."""
        core, outgoing = self._core, Outgoing(method)

        def on_final(response: Response, failure: Failure | None, now: float) -> None:
            core.emit(ResponseReceived(outgoing, response, failure))

        Asking(core, core.outside(target), Draft(method, tuple(headers), body), on_final).send(now)
        return outgoing

    def respond(
        self, event: RequestReceived, status: int, now: float, headers: Fields = (), body: bytes = b""
    ) -> None:
        """Answer a request that came as an event."""
        tag = self._core.new_tag()
        event.transaction.respond(response_to(event.request, status, tag, headers, body), now)
