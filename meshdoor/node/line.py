"""What stands behind one branch of a press: its session and its leg."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshdoor.calls.clients import Client, Keying
from meshdoor.errors import EngineError, SdpError
from meshdoor.media.engine_client import Engine
from meshdoor.media.plans import Gates
from meshdoor.media.reports import LegOpened, LegStatistics
from meshdoor.media.reservation import Reservation
from meshdoor.node import journal, media_plan
from meshdoor.node.calling import FAST, Desk, open_leg
from meshdoor.node.media_plan import Able, Place, Streams
from meshdoor.node.relay_plan import able_of, narrowed
from meshdoor.sdp.negotiation import MediaPlan
from meshdoor.sip.compose import Fields
from meshdoor.sip.flow import Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.offers import IncomingOffer
from meshdoor.sip.uac import UacSession

NOT_ACCEPTABLE: Final = 488  # RFC 3261 §21.4.26


@dataclass(frozen=True, slots=True)
class Relayed:
    """The media of a press that are not this node's own: the leg that they come from, what was agreed on there, whose
    press it is, and the headers that say so."""

    leg: str
    streams: Streams
    caller: NameAddr | None = None
    headers: Fields = ()


@dataclass(slots=True)
class Line:
    """Filled in as the branch goes on."""

    leg: str
    giver: bytes = b""  # who hands the visitor over to it
    relayed: Relayed | None = None
    pace: float = FAST  # seconds between keep-alives while it rings
    client: Client | None = None
    browser: bool = False
    session: UacSession | None = None
    plan: MediaPlan | None = None
    agreed: bytes = b""  # the answer that `streams` are of
    streams: Streams | None = None
    peer_host: str = ""
    local: str = ""
    opened: LegOpened | None = None
    reservation: Reservation | None = None
    has_leg: bool = False
    flowing: Streams | None = None
    given_up: bool = False

    @property
    def able(self) -> Able:
        """What may be agreed on: of media that are sent on, nothing but what comes."""
        able = media_plan.able_for(self.client)
        return able if self.relayed is None else able_of(self.relayed.streams)._replace(plain=able.plain)

    @property
    def previews(self) -> bool:
        """Does it answer before a person has?"""
        return self.client is not None and self.client.preview

    @property
    def is_spoken_on(self) -> bool:
        """Is it agreed on that sound comes from there?"""
        audio = None if self.streams is None else self.streams.audio
        return audio is not None and audio.receives

    async def open(self, desk: Desk, peer: bytes) -> None:
        """The leg; while there is no media engine, its ports: it is opened there when that comes. Raises EngineError:
        without either it rings with nothing to see."""
        self.peer_host, self.client, self.browser = desk.address(peer), desk.client(peer), desk.is_browser(peer)
        self.local = media_plan.local_address(self.peer_host)
        if not desk.engine.is_ready and self._can_be_told_before:
            self._reserve()
            return
        try:
            self.opened = await open_leg(desk, self.leg, self.local, self.browser, self.client)
            self.has_leg = True
        except EngineError:
            if desk.engine.is_ready or not self._can_be_told_before:
                raise
            self._reserve()  # it died meanwhile

    def _reserve(self) -> None:
        self.reservation = Reservation(self.local)
        self.opened = self.reservation.opened

    @property
    def _can_be_told_before(self) -> bool:
        """Whether all that the peer is told of a leg is known before it is open."""
        if self.browser or self.relayed is not None:
            return False
        return self.client is None or (self.client.keying is not Keying.DTLS and self.client.stun is None)

    async def reopen(self, engine: Engine) -> None:
        """The same leg in another engine, or in the first one. Raises EngineError."""
        self._free()
        await engine.open_leg(self.leg, self.local, self.opened)
        self.has_leg = True

    def invite(self, desk: Desk, target: Target, press: str) -> None:
        """Make the offer, and send it."""
        wish = media_plan.PREVIEW if self.previews else media_plan.PRESSED
        self.plan = media_plan.offer(self.local, self.opened, wish, self.client)
        headers = self._told(press)
        if self.relayed is not None:
            self.plan = narrowed(self.plan, self.relayed.streams)
            headers += self.relayed.headers
            target = replace(target, caller=self.relayed.caller)
        self.session = desk.endpoint.invite(target, media_plan.offer_body(self.plan), headers)

    def _told(self, press: str) -> list[tuple[str, str]]:
        """What nodes and pages of this home are told of the press. A SIP client has no use for it, and what is behind
        it may be anybody's; the key of a member is for nodes alone."""
        if self.client is not None:
            return []
        told = [("Meshdoor-Press", press)]
        if not self.browser:
            told.append(("Meshdoor-Pace", f"{self.pace:.3f}"))
        if self.giver and not self.browser:
            told.append(("Meshdoor-Handover", self.giver.hex()))
        return told

    def agree(self, body: bytes) -> bool:
        """What the answer makes of our offer; False when it is of no use. What is only said again changes nothing."""
        assert self.plan is not None
        if body == self.agreed:
            return True
        try:
            self.streams = media_plan.agreed(self.plan, body, self.peer_host)
        except SdpError as error:
            journal.warn("sdp", f"an answer cannot be used: {error}")
            return False
        self.agreed = body
        return True

    def answer(self, offer: IncomingOffer, now: float) -> bool:
        """Who was rung holds the talk, goes on with it, or has a microphone only now; False when it is refused. It
        never gets more than we offered."""
        try:
            if self.opened is None or self.session is None or not offer.body:
                raise SdpError("there is nothing to answer")
            place = Place(self.local, self.opened, self.peer_host)
            before = self.session.local_body
            answer, self.streams = media_plan.answer(offer.body, place, media_plan.PRESSED, before, self.able)
        except SdpError as error:
            journal.warn("sdp", f"an offer cannot be used: {error}")
            offer.refuse(NOT_ACCEPTABLE, now)
            return False
        offer.answer(answer, now)
        return True

    async def start(self, engine: Engine, gates: Gates) -> None:
        """Let pass what may, if there is a leg and something is agreed on."""
        if not self.has_leg or self.streams is None:
            return
        before, self.flowing = self.flowing, self.streams
        source = "" if self.relayed is None else self.relayed.leg
        try:
            if before != self.streams:
                await engine.start_leg(self.streams.start(self.leg, gates, source))
                return
            await engine.gate(self.leg, gates)
            if self.client is not None and not self.client.quirk.early:
                await engine.key_frame()  # what it had until now it could not show
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")

    async def close(self, engine: Engine) -> LegStatistics | None:
        """Nothing passes any more; what passed, if that is known."""
        self._free()
        if not self.has_leg:
            return None
        self.has_leg = False
        try:
            return await engine.close_leg(self.leg)
        except EngineError:
            return None

    def _free(self) -> None:
        if self.reservation is not None:
            self.reservation.free()
            self.reservation = None
