"""Calls to and from the SIP clients that this node knows, on behalf of other members.

Nothing of the mesh reaches a client, and nothing of a client the mesh: there are two sessions, and what happens in one
of them is done in the other (RFC 7092 §3.1.1). Media passes directly between the ends, under keys that they make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from meshdoor.calls import plan
from meshdoor.calls.hosts import host_of, user_of
from meshdoor.errors import LocalProtocolError, SdpError, SipError
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import journal
from meshdoor.node.attachments import Attachments
from meshdoor.node.calling import Desk
from meshdoor.node.media_plan import wants_sound_both_ways
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import DtmfInfo
from meshdoor.sip.flow import Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Response
from meshdoor.sip.offers import IncomingOffer
from meshdoor.sip.proxy import ASSERTED
from meshdoor.sip.session import Phase, Session
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession
from meshdoor.sip.uri import SipUri
from meshdoor.trust.roster import Member

MAX_BRIDGES: Final = 64
ANSWER_TIMEOUT: Final = 10.0  # seconds for the answer to a request in a call
# RFC 3261 §21.
UNAVAILABLE, UNSUITABLE, NOT_ALLOWED, FULL = 480, 488, 405, 503
CHALLENGES: Final = frozenset({401, 407})  # what only this node can answer
CARRIED: Final = frozenset({"INFO", "MESSAGE"})


@dataclass(frozen=True, slots=True)
class Ends:
    """Whose call it is: the keys of the client and of the other member, whether the client was called, and whether it
    answers before a person has."""

    client: bytes
    member: bytes
    called: bool
    previews: bool = False


def nobody_listens(bridge: Bridge, digit: str) -> bool:
    """Digits are for the other end."""
    return False


class Bridge:
    """One call: `near` came in, `far` is ours. `client` is the key of whichever end is one, `member` of the other."""

    def __init__(self, near: UasSession, far: UacSession, ends: Ends) -> None:
        self.near = near
        self.far = far
        self.client = ends.client
        self.member = ends.member
        self.previewed = ends.previews  # until sound is agreed on both ways
        self.of_client: Session = far if ends.called else near
        self.offered: dict[Session, IncomingOffer] = {}  # by the session that carries it on
        near.context = far.context = self

    @property
    def over(self) -> bool:
        """Are both sessions?"""
        return self.near.over and self.far.over

    @property
    def answered(self) -> bool:
        """Did a person answer, and is it on?"""
        return self.far.phase is Phase.CONFIRMED and not self.near.over and not self.previewed

    @property
    def busy(self) -> Busy:
        """What the client does."""
        if self.over:
            return Busy.FREE
        return Busy.IN_CALL if self.far.phase is Phase.CONFIRMED and not self.previewed else Busy.RINGING

    def agreed(self, body: bytes) -> None:
        """What the client says of the media."""
        with suppress(SdpError):
            self.previewed = self.previewed and not wants_sound_both_ways(body)

    def other(self, session: Session) -> UasSession | UacSession:
        """The other one of the two."""
        return self.far if session is self.near else self.near


class Bridges:
    """Give it every event of the stack first; it takes what is about sessions of its own."""

    def __init__(self, desk: Desk, attachments: Attachments) -> None:
        self._desk = desk
        self._attachments = attachments
        self._bridges: set[Bridge] = set()
        self.typed: Callable[[Bridge, str], bool] = nobody_listens  # told what a client types in a call

    def to_client(self, event: sip.IncomingInvite, caller: Member, callee: Member) -> None:
        """A member calls a client."""
        found = self._attachments.client(callee.key)
        status = plan.FORBIDDEN if plan.objection(caller, callee) else self._obstacle()
        if status or found is None or found.uri is None or found.flow is None:
            event.session.reject(status or UNAVAILABLE, self._desk.now())
            return
        name = NameAddr(caller.name, SipUri("sip", user_of(caller.name), None, found.flow.local[0].partition("%")[0]))
        ends = Ends(callee.key, caller.key, called=True, previews=found.client is not None and found.client.preview)
        self._join(event, Target(found.uri, found.flow, caller=name), ends)

    def from_client(self, event: sip.IncomingInvite, caller: Member, callee: Member) -> None:
        """A client, who has proven that it is a member, calls one."""
        target = self._desk.target(callee.key)
        status = plan.FORBIDDEN if plan.objection(caller, callee) else self._obstacle()
        if status or target is None:
            event.session.reject(status or UNAVAILABLE, self._desk.now())
            return
        asserted = ((ASSERTED, f"<sip:phone@{host_of(caller.key)}>"),)
        self._join(event, target, Ends(caller.key, callee.key, called=False), asserted)

    def handle(self, event: sip.SessionEvent) -> bool:
        """False for what is about no session of a bridge."""
        bridge = event.session.context
        if not isinstance(bridge, Bridge):
            return False
        try:
            self._happened(bridge, event)
        except LocalProtocolError as error:  # the other session is further than this event knows
            journal.warn("bridge", f"a call with {self._desk.name_of(bridge.client)}: {error}")
        self._look_at(bridge)
        return True

    def received(self, event: sip.RequestReceived) -> bool:
        """A request in a session; False for one in none of a bridge."""
        bridge = None if event.session is None else event.session.context
        if not isinstance(bridge, Bridge) or event.session is None:
            return False
        if self._taken(bridge, event):
            self._desk.endpoint.respond(event, 200)
        elif event.request.method in CARRIED:
            self._desk.spawn(self._carry(event, bridge.other(event.session)))
        else:
            self._desk.endpoint.respond(event, NOT_ALLOWED, (("Allow", ", ".join(sorted(CARRIED))),))
        return True

    def find(self, client: bytes, member: bytes) -> Bridge | None:
        """The call of these two that was answered."""
        found = (each for each in self._bridges if (each.client, each.member) == (client, member))
        return next((each for each in found if each.answered), None)

    def dismissed(self, key: bytes) -> None:
        """A client that may not be here any more."""
        with self._desk.endpoint.acting() as now:
            for bridge in [each for each in self._bridges if each.client == key]:
                bridge.far.hangup((), now)
                bridge.near.hangup((), now)

    def involves(self, key: bytes) -> bool:
        """Is a call with this client on?"""
        return any(bridge.client == key for bridge in self._bridges)

    def _taken(self, bridge: Bridge, event: sip.RequestReceived) -> bool:
        """A digit that the client types for this node, which the other end does not get to know."""
        request = event.request
        if request.method != "INFO" or event.session is not bridge.of_client or not bridge.answered:
            return False
        try:
            info = DtmfInfo.parse(request.content_type or "", request.body)
        except SipError:
            return False
        return self.typed(bridge, info.digit)

    def _obstacle(self) -> int:
        return FULL if len(self._bridges) >= MAX_BRIDGES else 0

    def _join(
        self, event: sip.IncomingInvite, target: Target, ends: Ends, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        offer = event.request.body
        if not offer:
            event.session.reject(UNSUITABLE, self._desk.now())
            return
        bridge = Bridge(event.session, self._desk.endpoint.invite(target, offer, headers), ends)
        self._bridges.add(bridge)
        self._look_at(bridge)

    def _happened(self, bridge: Bridge, event: sip.SessionEvent) -> None:
        now = self._desk.now()
        match event:
            case sip.EarlyMedia(body=body):
                bridge.near.provisional(183, body, now)
            case sip.Provisional(response=response):
                if response.status > 100 and not response.body:
                    bridge.near.provisional(180, b"", now)
            case sip.Answered(body=body):
                bridge.agreed(body)
                bridge.near.accept(body, now)
            case sip.OfferReceived(session=session, offer=offer):
                self._offered(bridge, session, offer, now)
            case sip.AnswerReceived(session=session) | sip.OfferRejected(session=session):
                self._decided(event, bridge, now)
            case sip.OfferWithdrawn(session=session):
                bridge.offered.pop(bridge.other(session), None)
            case sip.FlowLost(session=session):
                if session.phase in (Phase.CALLING, Phase.RINGING):
                    session.abandon(now)
            case sip.SessionOver(session=session):
                self._over(bridge, session, event, now)

    def _offered(self, bridge: Bridge, session: Session, offer: IncomingOffer, now: float) -> None:
        other = bridge.other(session)
        if not offer.body or other.phase is not Phase.CONFIRMED:
            offer.refuse(UNSUITABLE, now)
            return
        try:
            other.reinvite(offer.body, now)
        except LocalProtocolError:
            offer.refuse(491, now)  # RFC 3261 §14.2: another offer is under way there
        else:
            bridge.offered[other] = offer

    def _decided(self, event: sip.AnswerReceived | sip.OfferRejected, bridge: Bridge, now: float) -> None:
        """What came of an offer that was carried on."""
        offer = bridge.offered.pop(event.session, None)
        if offer is None:
            return
        if isinstance(event, sip.AnswerReceived):
            bridge.agreed(event.body if event.session is bridge.of_client else offer.body)
            offer.answer(event.body, now)
        else:
            offer.refuse(_passed_on(event.response), now)

    def _over(self, bridge: Bridge, session: Session, event: sip.SessionOver, now: float) -> None:
        other = bridge.other(session)
        if other.over:
            return
        if isinstance(other, UasSession) and other.phase is Phase.RINGING and session is bridge.far:
            rejected = event.response if isinstance(event, sip.Rejected) else None
            other.reject(UNAVAILABLE if rejected is None else _passed_on(rejected), now)
        else:
            other.hangup(event.reasons, now)

    def _look_at(self, bridge: Bridge) -> None:
        """Tell what the client does now."""
        if bridge.over:
            self._bridges.discard(bridge)
        busy = max((each.busy for each in self._bridges if each.client == bridge.client), default=Busy.FREE)
        self._attachments.occupy(bridge.client, busy)

    async def _carry(self, event: sip.RequestReceived, other: Session) -> None:
        """A request is answered as it is answered on the other side."""
        answered: asyncio.Future[sip.ResponseReceived] = asyncio.get_running_loop().create_future()
        request, status = event.request, 408
        headers = [] if request.content_type is None else [("Content-Type", str(request.content_type))]
        try:
            with self._desk.endpoint.acting() as now:
                other.request(request.method, headers, request.body, now).context = answered
            async with asyncio.timeout(ANSWER_TIMEOUT):
                status = _passed_on((await answered).response)
        except LocalProtocolError:
            status = UNAVAILABLE
        except TimeoutError:
            pass
        self._desk.endpoint.respond(event, status)


def _passed_on(response: Response) -> int:
    return UNAVAILABLE if response.status in CHALLENGES else response.status
