"""One call of this node, carried out: what its state machine orders becomes SIP and media; what these report goes back.

Who looks through a door offers to take pictures and no sound. When the person there speaks, a re-INVITE under the same
keys opens the sound both ways, and the pictures go on as they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from meshdoor.calls import orders
from meshdoor.calls.call import ANSWERED, Call
from meshdoor.calls.plan import BUSY, FORBIDDEN, Kind
from meshdoor.calls.progress import State
from meshdoor.errors import LocalProtocolError, SdpError
from meshdoor.node import journal, media_plan
from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import FAST, Desk
from meshdoor.node.digits import Talk
from meshdoor.sdp.attributes import Direction
from meshdoor.sip import events as sip
from meshdoor.sip.offers import IncomingOffer
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession

CANCELLED, NOT_ACCEPTABLE, FAILED = 487, 488, 500  # RFC 3261 §21
ANOTHER_TRY = 0.05  # seconds until an offer that came at a bad moment is made again
UNANSWERED = frozenset({State.CALLING, State.RINGING, State.ALERTING})
REFUSALS = {FORBIDDEN: "not permitted", BUSY: "somebody talks there"}


class Owner(Protocol):
    """Who keeps the conversations."""

    def changed(self, conversation: Conversation) -> None:
        """Something happened to it."""

    def objection(self, conversation: Conversation) -> int:
        """The status that refuses two-way sound to the other end; 0 if it may have it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all conversations of a node share."""

    desk: Desk
    owner: Owner
    camera: bool = False
    media: Callable[[Desk, str, str], CallMedia] = CallMedia


class Conversation:
    """One call: with `event` it came in, else it is ours. Call `obey` once it is kept."""

    def __init__(self, setting: Setting, number: int, call: Call, event: sip.IncomingInvite | None = None) -> None:
        self.number = number
        self.call = call
        self.name = setting.desk.name_of(call.peer)
        self.media = setting.media(setting.desk, f"call-{number}", self.name)
        self.session: UacSession | UasSession | None = None
        self._desk = setting.desk
        self._owner = setting.owner
        self._camera = setting.camera
        self._answer = b""
        self._accepted = False
        self._asks = False  # a re-INVITE for two-way sound is under way
        self._timer: asyncio.TimerHandle | None = None
        self._desk.hurry(call.peer, FAST)
        if event is not None:
            self.session = event.session
            self._desk.spawn(self._prepare(event.session, event.request.body))

    @property
    def over(self) -> bool:
        """Is nothing left to settle?"""
        return self.call.state is State.ENDED and (self.session is None or self.session.over)

    @property
    def state(self) -> str:
        """calling, ringing (it rings there), alerting (it rings here), connected, asking, talking, ended."""
        return "ended" if self.call.ending is not None else str(self.call.state).lower()

    @property
    def talk(self) -> Talk | None:
        """If sound passes."""
        gates, media = self.call.gates, self.media
        if self.session is None or not (gates.microphone or gates.speaker):
            return None
        return Talk.of(self.call.peer, media.leg, self.session, media.streams, speaks=gates.microphone)

    def row(self) -> dict[str, Any]:
        """What is told of it."""
        call = self.call
        return {
            "call": self.number,
            "kind": str(call.kind),
            "with": self.name,
            "called": call.called,
            "state": self.state,
            "why": "" if call.ending is None else str(call.ending),
        }

    def act(self, act: Callable[[Call], object]) -> None:
        """Tell the state machine what happened, and obey."""
        act(self.call)
        self.obey()

    def obey(self) -> None:
        """Do what the state machine orders."""
        with self._desk.endpoint.acting() as now:
            while (order := self.call.next_order()) is not None:
                self._do(order, now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.call.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._timed, deadline)
        self._owner.changed(self)

    def link_down(self) -> None:
        """The link to the other end is lost for good."""
        if self.session is not None:
            self.session.abandon(self._desk.now())  # `Failed` follows
        self.act(Call.failed)

    def leg_lost(self) -> None:
        """The media engine died, and what was said with it."""
        self.media.lost()
        self.act(Call.failed)

    def handle(self, event: sip.SessionEvent) -> None:
        """An event of our session."""
        call = self.call
        match event:
            case sip.Provisional(response=response):
                if response.status > 100 and not response.body:
                    call.provisional()
            case sip.EarlyMedia(body=body):
                if self.media.agree(body):
                    call.provisional(early=True)
            case sip.Answered(body=body):
                usable = self.media.agree(body)
                call.answered()
                if not usable:
                    call.failed()
            case sip.OfferReceived(offer=offer):
                self._offered(offer)
            case sip.AnswerReceived() | sip.OfferRejected():
                self._asked(event)
            case sip.FlowLost(session=session):
                if call.state in UNANSWERED:
                    session.abandon(self._desk.now())
            case sip.SessionOver():
                self._ended(event)
        self.obey()

    def _ended(self, event: sip.SessionOver) -> None:
        match event:
            case sip.Rejected(response=response):
                self.call.rejected(response.status)
            case sip.Cancelled():
                if self.call.called:
                    self.call.cancelled()
                    self._gone()
                else:
                    self.call.rejected(CANCELLED)
            case sip.Ended(remote=True):
                self.call.bye()
            case _:
                self._gone()

    def _gone(self) -> None:
        """There is no session any more: it failed, nobody refreshed it, or a CANCEL was faster than our 200."""
        if self.call.ending is None or self.call.state is State.CANCELLING:
            self.call.failed()

    def _asked(self, event: sip.AnswerReceived | sip.OfferRejected) -> None:
        """What came of our re-INVITE; one of the session timer changes nothing."""
        if not self._asks:
            return
        self._asks = False
        if isinstance(event, sip.AnswerReceived) and self.media.agree(event.body):
            self.call.agreed()
            return
        status = event.response.status if isinstance(event, sip.OfferRejected) else NOT_ACCEPTABLE
        why = REFUSALS.get(status, "it was refused")
        self._desk.publish({"event": "no talk", "call": self.number, "with": self.name, "why": why})
        self.call.refused()

    def _offered(self, offer: IncomingOffer) -> None:
        """A re-INVITE: the other end wants to speak, or refreshes the session."""
        now = self._desk.now()
        try:
            if self.session is None or not offer.body:
                raise SdpError("there is nothing to answer")
            speaks = not self.call.converses and media_plan.wants_sound_both_ways(offer.body)
            wish = self._wish(talk=speaks or self.call.state is State.TALKING)
            answer, streams = self.media.answer(offer.body, wish, self.session.local_body)
        except SdpError as error:
            journal.warn("sdp", f"an offer of {self.name} cannot be used: {error}")
            offer.refuse(NOT_ACCEPTABLE, now)
            return
        refusal = self._owner.objection(self) if speaks else 0
        if refusal or (speaks and not self.call.peer_speaks()):
            offer.refuse(refusal or NOT_ACCEPTABLE, now)
            return
        offer.answer(answer, now)
        self.media.take(streams)

    def _wish(self, talk: bool = False) -> media_plan.Wish:
        """What we want of each medium, as the kind of the call has it."""
        call = self.call
        gates = orders.Gates(microphone=True, speaker=True) if talk else ANSWERED[call.kind, call.called]
        video = Direction.INACTIVE
        if call.kind is Kind.MONITOR:
            video = Direction.SENDONLY if call.called else Direction.RECVONLY
        elif call.kind is Kind.ROOM and self._camera:
            video = Direction.SENDRECV
        return media_plan.Wish(Direction.of(gates.microphone, gates.speaker), video)

    def _timed(self, deadline: float) -> None:
        self.act(lambda call: call.handle_timer(max(deadline, self._desk.now())))

    def _do(self, order: orders.Order, now: float) -> None:
        match order:
            case orders.Invite():
                self._desk.spawn(self._invite())
            case orders.Ring(on=on):
                self._ring(on, now)
            case orders.AnnounceMonitor(on=on):
                self._announce(on)
            case orders.Accept():
                self._accepted = True
                self._send_answer(now)
            case orders.Media(gates=gates):
                self.media.let(gates)
            case orders.AskTalk():
                self._ask_talk(now)
            case orders.CloseMedia():
                self._desk.spawn(self.media.close())
            case orders.Over(ending=ending):
                self._desk.hurry(self.call.peer, None)
                journal.say("over", f"{self.name}: {ending}", member=self.name, why=str(ending))
            case _:
                self._end(order, now)

    def _ring(self, on: bool, now: float) -> None:
        if on and isinstance(self.session, UasSession):
            journal.say("ringing", f"{self.name} calls", member=self.name)
            self.session.provisional(180, b"", now)
        ring = {"event": "ring", "call": self.number, "kind": str(self.call.kind), "with": self.name, "on": on}
        self._desk.publish(ring)

    def _announce(self, on: bool) -> None:
        """The device layer lights its light and sounds its tone by this event: the media engine knows no tones."""
        self._desk.publish({"event": "monitored", "call": self.number, "by": self.name, "on": on})
        sees = "looks or listens here" if on else "looks or listens here no more"
        journal.say("monitored", f"{self.name} {sees}", by=self.name, on=on)

    def _end(self, order: orders.Order, now: float) -> None:
        """Reject, Cancel or Bye."""
        session = self.session
        if session is None:
            self.call.rejected(CANCELLED)  # its INVITE was never sent
        elif isinstance(order, orders.Reject) and isinstance(session, UasSession) and not session.over:
            session.reject(order.status, now)
        else:
            session.hangup((), now)

    def _ask_talk(self, now: float) -> None:
        assert self.session is not None
        try:
            self.session.reinvite(self.media.offer_again(self._wish(talk=True), self.session.local_body), now)
            self._asks = True
        except LocalProtocolError:  # the ACK is under way, or the session is being refreshed
            asyncio.get_running_loop().call_later(ANOTHER_TRY, self._ask_again)

    def _ask_again(self) -> None:
        if self.call.state is State.ASKING:
            with self._desk.endpoint.acting() as now:
                self._ask_talk(now)

    def _send_answer(self, now: float) -> None:
        """Once there is both an answer and somebody, or a policy, that answers."""
        if self._answer and self._accepted and isinstance(self.session, UasSession) and not self.session.over:
            self.session.accept(self._answer, now)

    async def _invite(self) -> None:
        """Open the leg, make the offer, send the INVITE."""
        has_leg = await self.media.open(self.call.peer, self._desk.is_browser(self.call.peer))
        target = self._desk.target(self.call.peer)
        if self.call.ending is not None:
            await self.media.close()
        elif target is None:
            self.act(Call.failed)
        elif not has_leg:
            self.act(lambda call: call.rejected(FAILED))
        else:
            page = (("Meshdoor-Call", "page"),) if self.call.kind is Kind.PAGE else ()
            self.session = self._desk.endpoint.invite(target, self.media.offer(self._wish()), page)

    async def _prepare(self, session: UasSession, offer: bytes) -> None:
        """Open the leg and make the answer, which waits for who answers."""
        has_leg = await self.media.open(self.call.peer, media_plan.makes_keys_by_dtls(offer))
        if self.call.ending is not None or session.over:
            await self.media.close()
            return
        try:
            self._answer, streams = self.media.answer(offer, self._wish())
        except SdpError as error:
            journal.warn("call", f"a call of {self.name} cannot be taken: {error}")
            session.reject(NOT_ACCEPTABLE if has_leg else FAILED, self._desk.now())
            self.act(Call.failed)
            return
        with self._desk.endpoint.acting() as now:
            self._send_answer(now)
        self.media.take(streams)
