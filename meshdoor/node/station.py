"""One door station that somebody owned already: it calls this node, and this node rings the house for it.

Nothing of the house reaches the station, and nothing of it the house: there is one call with the station, its media are
sent on to all who look (`media.relay`), and a press with the same fork as that of any door. Who looks through it calls
this node, which calls the station.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from meshdoor.calls import plan
from meshdoor.calls.clients import Client, Keying
from meshdoor.calls.fork import RING_TIMEOUT, Outcome
from meshdoor.calls.hosts import host_of, member_called, user_of
from meshdoor.errors import ConfigError, EngineError, LocalProtocolError, NotFound, Refused, SdpError
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal, media_plan
from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import Desk
from meshdoor.node.line import Relayed
from meshdoor.node.media_plan import NOTHING, Place
from meshdoor.node.porch import Porch
from meshdoor.node.press import Press
from meshdoor.node.pressing import Pressing
from meshdoor.node.relay_plan import answer_station, offer_station
from meshdoor.node.station_kept import Kept
from meshdoor.node.station_line import DIGIT, Line, StationMedia, Wanting, codecs_of
from meshdoor.node.talking import Rooms, Settings, Talking
from meshdoor.sip import events as sip
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.offers import IncomingOffer
from meshdoor.sip.proxy import ASSERTED
from meshdoor.sip.uas import UasSession
from meshdoor.sip.uri import SipUri
from meshdoor.transport.outside import Outside
from meshdoor.trust.roster import Member

# RFC 3261 §21.
NOT_ACCEPTABLE, UNAVAILABLE, DECLINED = 488, 480, 603
ANSWER_PATIENCE: Final = 10.0  # seconds for a station that is called: it answers by itself
SETTLING: Final = 0.3  # seconds until a station that has just answered listens to digits
TOGETHER: Final = 2.0  # seconds within which all media fall silent when a station is gone


class Yard(Rooms, Wanting, Protocol):
    """The call service, as seen by what rings for stations."""

    @property
    def outside(self) -> Outside:
        """How SIP leaves this node."""

    def everyone(self) -> list[Peer]:
        """All members as they are now, this node included."""


class Station:
    """`key` is that of the member that it is."""

    def __init__(self, yard: Yard, key: bytes, kept: Kept, timeout: float = RING_TIMEOUT) -> None:
        self.key = key
        self.kept = kept
        self.line: Line | None = None
        self.pressing = Pressing(yard, timeout)
        self.pressing.answered.append(self._answered)
        self.pressing.over.append(self._press_over)
        porch = Porch(yard, lambda: self.pressing.press is not None and self.pressing.press.fork.winner is not None)
        self.talking = Talking(porch, Settings(media=self._media), lambda engaged: None)
        self._yard = yard
        self._count = 0
        self._looking: set[CallMedia] = set()
        self._target: Target | None = None

    @property
    def registered(self) -> bool:
        """Has it said itself where it is?"""
        return self._target is not None

    def found(self, uri: SipUri, flow: Flow) -> None:
        """It is called there from now on."""
        self._target = Target(uri, flow)

    @property
    def name(self) -> str:
        """What people call it."""
        return self._yard.name_of(self.key)

    def involves(self, key: bytes) -> bool:
        """Does it ring this member, or talk with it?"""
        return self.pressing.involves(key) or self.talking.involves(key)

    def invited(self, event: sip.IncomingInvite) -> None:
        """The station calls: somebody pressed."""
        line = self.line
        if line is not None and isinstance(line.session, UasSession):
            event.session.reject(plan.BUSY, self._yard.now())
            if (press := self.pressing.press) is not None:
                self.pressing.ring(press.id, ())
            return
        if line is not None:
            self.talking.leave()  # who looks makes room for a visitor
            self._hang_up(line)
        self.line = self._new_line(event.session)
        self._yard.spawn(self._receive(self.line, event))

    def monitored(self, event: sip.IncomingInvite, caller: Member, callee: Member) -> None:
        """A member wants to look through it."""
        received = plan.receive(callee, caller, plan.Policy())
        if received.answer is plan.Answer.REFUSE:
            event.session.reject(received.status, self._yard.now())
        else:
            self.talking.invited(event, caller, received)

    def handle(self, event: sip.SessionEvent) -> bool:
        """An event of the stack; False when it is about no session of ours."""
        if self.line is not None and self.line.session is event.session:
            self._happened(self.line, event)
            return True
        return self.pressing.handle(event) or self.talking.handle(event)

    def leg_of(self, session: object) -> str | None:
        """The leg of somebody whom the station hears, by its session."""
        talks = (*self.pressing.talks(), *self.talking.talks())
        return next((talk.leg for talk in talks if talk.session is session), None)

    def heard(self, leg: str, digit: str) -> bool:
        """A person types a digit, which is for the station; False when it is of no call of ours."""
        if not any(talk.leg == leg for talk in (*self.pressing.talks(), *self.talking.talks())):
            return False
        self._yard.spawn(self._type(digit))
        return True

    def silent(self, leg: str, kind: str) -> None:
        """Nothing of this kind comes on this leg any more. A station that says nothing still shows something."""
        line = self.line
        if line is None or line.leg != leg:
            self.pressing.silent(leg)
            return
        now = self._yard.now()
        line.silent[kind] = now
        recent = {each for each, since in line.silent.items() if now - since < TOGETHER}
        if line.accepted and recent >= line.received:
            self._hang_up(line)

    def failed(self, leg: str) -> None:
        """This leg is of no use any more."""
        if self.line is not None and self.line.leg == leg:
            self._hang_up(self.line)
        self.pressing.silent(leg)
        self.talking.legs_lost((leg,))

    def legs_lost(self, legs: Sequence[str]) -> None:
        """The media engine died."""
        self.pressing.legs_lost(legs)
        self.talking.legs_lost(tuple(legs))

    def engine_back(self) -> None:
        """There is an engine again: first what all others need."""
        if self.line is not None and self.line.place is not None:
            self._yard.spawn(self._resume(self.line, self.line.place))

    async def open(self) -> None:
        """Type the code that opens; what the station does with it cannot be known. Raises Refused."""
        if not self.kept.code:
            raise Refused(f"{self.name} has no code that opens it", "give it one: meshdoor adopt --role door --code")
        ours = self.line is None
        try:
            if not await self.bring_up() or self.line is None:
                raise Refused(f"{self.name} does not answer")
            line = self.line
            self._accept(line)
            await asyncio.sleep(SETTLING)
            await line.type(self._yard, self.kept.code, by_info=self.kept.by_info)
            await asyncio.sleep(DIGIT)
        except (EngineError, LocalProtocolError) as error:
            raise Refused(f"{self.name} was not sent its code: {error}") from error
        finally:
            if ours:
                self.let_go()

    async def bring_up(self) -> bool:
        """Whether there are media of the station: those of its call, or of ours to it."""
        line = self.line
        if line is None:
            line = self.line = self._new_line(None)
            self._yard.spawn(self._call(line))
        try:
            async with asyncio.timeout(ANSWER_PATIENCE):
                await line.up.wait()
        except TimeoutError:
            self._hang_up(line)
        return not line.over

    def let_go(self) -> None:
        """Nobody looks: a call that was only for that is over."""
        line = self.line
        if line is not None and not self._looking and not isinstance(line.session, UasSession):
            self._hang_up(line)

    def close(self) -> None:
        """It is no member any more."""
        self.pressing.hang_up()
        self.talking.leave()
        if self.line is not None:
            self._hang_up(self.line)

    def _new_line(self, session: UasSession | None) -> Line:
        self._count += 1
        return Line(f"station-{self.key.hex()[:8]}-{self._count}", session)

    async def _receive(self, line: Line, event: sip.IncomingInvite) -> None:
        """Answer the station's offer in a 183, and ring."""
        host, session, now = event.flow.remote[0], event.session, self._yard.now
        try:
            place = await line.open(self._yard, host)
            if session.over:
                return
            plain = self.kept.where.keying is Keying.PLAIN
            line.answer, line.streams = answer_station(event.request.body, place, plain)
            with self._yard.endpoint.acting() as at:
                session.provisional(183, line.answer, at)
            await line.start(self._yard.engine)
        except (EngineError, TimeoutError) as error:
            journal.warn("media", f"{self.name} rings in vain: {error}")
            session.reject(UNAVAILABLE, now())
        except SdpError as error:
            journal.warn("sdp", f"an offer of {self.name} cannot be used: {error}")
            session.reject(NOT_ACCEPTABLE, now())
        if not session.over:
            self._ring(line, event)

    def _ring(self, line: Line, event: sip.IncomingInvite) -> None:
        line.up.set()
        rung = plan.who_rings(self._yard.everyone(), self.key).rung
        uri = event.request.uri
        called = member_called(self._yard.roster, uri.user or "") if isinstance(uri, SipUri) else None
        if called is not None and called.key in rung:
            rung = (called.key,)
        itself = NameAddr(self.name, SipUri("sip", "door", None, host_of(self.key)))
        journal.say("pressed", f"{self.name}: ringing {', '.join(map(self._yard.name_of, rung)) or 'nobody'}")
        relayed = Relayed(line.leg, line.streams, itself, ((ASSERTED, f"<{itself.uri}>"),))
        self.pressing.ring(secrets.token_hex(8), rung, relayed)

    async def _call(self, line: Line) -> None:
        """Look through the station: it is called, and answers by itself."""
        where = self.kept.where
        try:
            target = self._target or await self._yard.outside.target(where.uri, where.certificate)
            host = target.flow.remote[0]
            place = await line.open(self._yard, host)
            client = Client(where.keying, host.partition("%")[0], "", where.transport)
            line.plan = offer_station(place, client)
            name = NameAddr("Meshdoor", SipUri("sip", user_of(self.name), None, target.flow.local[0].partition("%")[0]))
            if not line.over:
                called = replace(target, caller=name)
                line.session = self._yard.endpoint.invite(called, media_plan.offer_body(line.plan))
        except (EngineError, NotFound, ConfigError, TimeoutError) as error:
            journal.warn("station", f"{self.name} cannot be called: {error}")
            self._hang_up(line)

    async def _resume(self, line: Line, place: Place) -> None:
        try:
            await self._yard.engine.open_leg(line.leg, place.local, place.opened)
            await line.start(self._yard.engine)
        except EngineError as error:
            journal.warn("media", f"nothing comes of {self.name}: {error}")
        self.pressing.engine_back()

    def _happened(self, line: Line, event: sip.SessionEvent) -> None:
        match event:
            case sip.EarlyMedia(body=body) | sip.Answered(body=body):
                self._agree(line, body, event)
            case sip.OfferReceived(offer=offer):
                self._offered(line, offer)
            case sip.SessionOver():
                self._hang_up(line)
            case _:
                pass

    def _agree(self, line: Line, body: bytes, event: sip.SessionEvent) -> None:
        """The station answers our call."""
        line.accepted = isinstance(event, sip.Answered)
        if line.plan is None or line.place is None or (line.streams != NOTHING and not body):
            return
        try:
            line.streams = media_plan.agreed(line.plan, body, line.place.peer)
        except SdpError as error:
            journal.warn("sdp", f"an answer of {self.name} cannot be used: {error}")
            self._hang_up(line)
            return
        self._yard.spawn(self._flow(line))

    async def _flow(self, line: Line) -> None:
        try:
            await line.start(self._yard.engine)
        except EngineError as error:
            journal.warn("media", f"nothing comes of {self.name}: {error}")
        line.up.set()

    def _offered(self, line: Line, offer: IncomingOffer) -> None:
        """A re-INVITE of the station: the same, or another place or key; another codec would be news for all."""
        now = self._yard.now()
        try:
            if line.place is None or line.session is None or not offer.body:
                raise SdpError("there is nothing to answer")
            plain = self.kept.where.keying is Keying.PLAIN
            answer, streams = answer_station(offer.body, line.place, plain, line.session.local_body)
            if codecs_of(streams) != codecs_of(line.streams):
                raise SdpError("other codecs than before")
        except SdpError as error:
            journal.warn("sdp", f"an offer of {self.name} cannot be used: {error}")
            offer.refuse(NOT_ACCEPTABLE, now)
            return
        offer.answer(answer, now)
        line.streams = streams
        self._yard.spawn(self._flow(line))

    def _answered(self, press: Press, by: bytes) -> None:
        if self.line is not None:
            self._accept(self.line)

    def _accept(self, line: Line) -> None:
        if isinstance(line.session, UasSession) and not line.session.over and not line.accepted:
            line.accepted = True
            with self._yard.endpoint.acting() as now:
                line.session.accept(line.answer, now)

    def _press_over(self, press: Press) -> None:
        if self.line is not None and isinstance(self.line.session, UasSession):
            self._hang_up(self.line, DECLINED if press.fork.outcome is Outcome.DECLINED else UNAVAILABLE)

    def _hang_up(self, line: Line, status: int = UNAVAILABLE) -> None:
        """End the call with the station, and all that is on with it."""
        if line.over:
            return
        line.over = True
        line.up.set()
        if self.line is line:
            self.line = None
        session = line.session
        if session is not None and not session.over:
            with self._yard.endpoint.acting() as now:
                if isinstance(session, UasSession) and not line.accepted:
                    session.reject(status, now)
                else:
                    session.hangup((), now)
        press = self.pressing.press
        if press is not None and press.relayed is not None and press.relayed.leg == line.leg:
            self.pressing.hang_up()
        self.talking.leave()
        self._yard.spawn(line.close(self._yard.engine))

    async def _type(self, digits: str) -> None:
        """Digits for the station, if it is there."""
        if self.line is None:
            return
        try:
            await self.line.type(self._yard, digits, by_info=self.kept.by_info)
        except (EngineError, LocalProtocolError) as error:
            journal.warn("station", f"{self.name} was not sent the digits: {error}")

    def _media(self, desk: Desk, leg: str, name: str) -> CallMedia:
        """That of one who looks through the station."""
        return StationMedia(self, desk, f"{self.key.hex()[:8]}-{leg}", name, self._looking)
