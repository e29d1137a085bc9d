"""What the SIP stack tells, to whom it concerns; and who it is that sends a request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final, Protocol

from meshdoor.calls import plan
from meshdoor.calls.hosts import member_at, member_called
from meshdoor.calls.policy import caller_of
from meshdoor.node import journal
from meshdoor.node.answering import Answering
from meshdoor.node.attachments import Attachments
from meshdoor.node.bridge import Bridges
from meshdoor.node.digits import Digits
from meshdoor.node.outsiders import Outsiders
from meshdoor.node.registrations import OUTSIDE, Registrations
from meshdoor.node.sleepers import Sleepers
from meshdoor.node.stations import Stations
from meshdoor.node.talking import Rooms, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.flow import Flow
from meshdoor.sip.media_control import asks_for_key_frame
from meshdoor.sip.message import Request
from meshdoor.sip.uri import SipUri, unescape
from meshdoor.sip.validate import Fault
from meshdoor.trust.roster import Member

NOT_ALLOWED: Final = 405
ALLOWED: Final = (("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"),)


class Part(Protocol):
    """What carries out some of the calls."""

    def handle(self, event: sip.SessionEvent) -> bool:
        """False when it is about no session of its own."""

    def involves(self, key: bytes) -> bool:
        """Is something on with this member?"""


class Calls(Rooms, Protocol):
    """The call service, as far as SIP concerns it."""

    answering: Answering
    talking: Talking
    bridges: Bridges
    stations: Stations
    registrations: Registrations
    outsiders: Outsiders
    sleepers: Sleepers
    attachments: Attachments
    digits: Digits

    @property
    def parts(self) -> Iterable[Part]:
        """What carries out the calls, in the order in which they are asked."""

    def want_engine(self) -> None:
        """The media engine is about to be needed."""


class SipEvents:
    """Call it with each event of the stack."""

    def __init__(self, calls: Calls, policy: plan.Policy) -> None:
        self._calls = calls
        self._policy = policy

    def __call__(self, event: sip.Event) -> None:
        calls = self._calls
        if isinstance(event, sip.IncomingInvite):
            self._invited(event)
        elif isinstance(event, sip.RegistrationChanged):
            calls.outsiders.changed(event.registration)
        elif isinstance(event, sip.SessionEvent):
            _ = any(part.handle(event) for part in calls.parts)
        elif isinstance(event, sip.RequestReceived) and not self._requested(event):
            calls.endpoint.respond(event, NOT_ALLOWED, ALLOWED)

    def caller(self, request: Request, flow: Flow) -> Member | None:
        """Who sent a request; None for a stranger."""
        calls = self._calls
        outside = calls.stations.caller(flow) or calls.registrations.caller(request, flow)
        outside = outside or calls.outsiders.caller(request, flow)
        return outside or caller_of(request, flow, calls.roster, time.time())

    def judge(self, request: Request, flow: Flow) -> Fault | None:
        """Why a request of a stranger is refused."""
        calls = self._calls
        return None if calls.stations.registers(request, flow) else calls.registrations.judge(request, flow)

    def trusts(self, flow: Flow) -> bool:
        """Is this address known not to be forged?"""
        calls = self._calls
        return calls.stations.trusts(flow) or calls.registrations.trusts(flow) or calls.outsiders.trusts(flow)

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self._calls.registrations.lost(flow)
        self._calls.outsiders.lost(flow)

    def _invited(self, event: sip.IncomingInvite) -> None:
        """What the caller may is what the roster says."""
        calls = self._calls
        caller, itself = self.caller(event.request, event.flow), calls.itself
        if caller is None or itself is None:
            event.session.reject(plan.FORBIDDEN, calls.now())
            return
        callee = member_at(calls.roster, event.request.uri) or self._dialled(event)
        if calls.stations.invited(event, caller, callee):
            return
        if callee is not None and callee.key != itself.key:
            join = calls.bridges.from_client if _is_outside(event.flow) else calls.bridges.to_client
            join(event, caller, callee)
        else:
            self._received(event, caller, itself)

    def _received(self, event: sip.IncomingInvite, caller: Member, itself: Member) -> None:
        """A call for this node."""
        calls = self._calls
        page = event.request.headers.get("Meshdoor-Call") == "page"
        busy = calls.talking.engaged or calls.visitor_talks()
        received = plan.receive(itself, caller, self._policy, page=page, busy=busy)
        if received.answer is plan.Answer.REFUSE:
            journal.warn("call", f"a call of {caller.name} was refused: {received.why}", member=caller.name)
            event.session.reject(received.status, calls.now())
        elif received.kind is plan.Kind.VISITOR:
            calls.answering.invited(event, caller)
            calls.spawn(calls.sleepers.rang(caller.name, calls.attachments.is_here))
        else:
            calls.want_engine()
            calls.talking.invited(event, caller, received)

    def _dialled(self, event: sip.IncomingInvite) -> Member | None:
        """Whom a SIP client means by what it dials; None for whoever answers here."""
        uri = event.request.uri
        if not _is_outside(event.flow) or not isinstance(uri, SipUri):
            return None
        return member_called(self._calls.roster, unescape(uri.user or ""))

    def _requested(self, event: sip.RequestReceived) -> bool:
        """False for a request that nothing here is for."""
        calls = self._calls
        if any(part.received(event) for part in (calls.bridges, calls.stations, calls.registrations)):
            return True
        if event.session is not None and asks_for_key_frame(event.request.content_type, event.request.body):
            calls.endpoint.respond(event, 200)
            calls.spawn(calls.engine.key_frame())
            return True
        return calls.digits.received(event)


def _is_outside(flow: Flow) -> bool:
    return flow.transport in OUTSIDE
