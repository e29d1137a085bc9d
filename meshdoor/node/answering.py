"""What a screen does when a door rings: it carries out what `Visitors` orders.

The picture is shown while it rings; the microphone stays shut in the media engine until a person answers here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from meshdoor.calls import orders, plan
from meshdoor.calls.commands import Ending
from meshdoor.calls.incoming import Incoming, State
from meshdoor.calls.visitors import Visitors
from meshdoor.control import Json
from meshdoor.errors import EngineError, Refused, SdpError
from meshdoor.media.plans import Gates
from meshdoor.media.reports import FirstPicture, LegOpened
from meshdoor.mesh.frames import State as Busy
from meshdoor.node import journal, media_plan
from meshdoor.node.calling import FAST, RETURN, Desk, engine_is_there, open_leg, read_pace
from meshdoor.node.digits import Talk
from meshdoor.node.media_plan import NOTHING, Streams
from meshdoor.sip import events as sip
from meshdoor.sip.headers import Reason
from meshdoor.sip.uas import UasSession
from meshdoor.tasks import until_first
from meshdoor.trust.roster import Member

NO_LEG = LegOpened(media_plan.NO_PORT, media_plan.NO_PORT, 0, 0)

Snap = Callable[[str, str, bytes], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Visit:
    """What stands behind one visit: its session, its leg, and what is to be once both are there."""

    number: int
    door: bytes
    press: str
    call_id: str
    session: UasSession
    leg: str
    answer: bytes = b""
    streams: Streams = NOTHING
    gates: Gates = field(default_factory=Gates)
    local: str = ""
    opened: LegOpened = NO_LEG
    has_leg: bool = False
    flows: bool = False
    accepted: bool = False
    decided: asyncio.Event = field(default_factory=asyncio.Event)  # somebody answered, or it is over


class Answering:
    """The visitors at this screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._visitors = Visitors()
        self._visits: dict[int, Visit] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.snap: Snap | None = None

    @property
    def busy(self) -> Busy:
        if self._visitors.talking is not None:
            return Busy.IN_CALL
        return Busy.RINGING if self._visitors.waiting else Busy.FREE

    @property
    def rings(self) -> bool:
        """Does a visitor wait to be answered?"""
        return bool(self._visitors.waiting)

    def involves(self, key: bytes) -> bool:
        """Is somebody at the door of this member?"""
        return any(visit.door == key for visit in self._visits.values())

    def visits(self) -> list[dict[str, Json]]:
        """Who is at which door."""
        return [
            {"visit": number, "door": self._desk.name_of(visit.door), "state": str(visit.state).lower()}
            for number, visit in self._visitors.visits.items()
        ]

    def standing(self) -> list[tuple[Visit, Incoming]]:
        """The same, with all that is known."""
        return [(self._visits[number], visit) for number, visit in self._visitors.visits.items()]

    def talks(self) -> list[Talk]:
        """With the visitor whom somebody here talks with."""
        talking = self._visitors.talking
        if talking is None:
            return []
        visit = self._visits[talking.number]
        return [Talk.of(visit.door, visit.leg, visit.session, visit.streams)]

    def invited(self, event: sip.IncomingInvite, door: Member) -> None:
        """A door rings, and may."""
        number = self._visitors.invited(door.key, self._desk.now())
        if number is None:
            event.session.reject(plan.BUSY, self._desk.now())
            return
        press = event.request.headers.get("Meshdoor-Press") or ""
        leg = f"visit-{number}"
        self._visits[number] = Visit(number, door.key, press[:32], event.request.call_id, event.session, leg)
        self._desk.hurry(door.key, read_pace(event.request.headers.get("Meshdoor-Pace")))
        visitor = {"event": "visitor", "visit": number, "door": door.name, "press": press[:32]}
        self._desk.publish(visitor | {"from": self._giver(event)})
        journal.say("ringing", f"somebody is at {door.name}", door=door.name)
        self._desk.spawn(self._prepare(self._visits[number], event.request.body))
        self._obey()

    def answer(self, number: int | None = None) -> Json:
        """The person answers. Raises Refused when nothing rings."""
        return self._told(self._visitors.answer(number))

    def decline(self, number: int | None = None) -> Json:
        """The person declines, for this screen alone. Raises Refused when nothing rings."""
        return self._told(self._visitors.decline(number))

    def hang_up(self) -> bool:
        """End the conversation with a visitor; False when there is none."""
        ended = self._visitors.hang_up()
        self._obey()
        return ended

    def knocked(self, door: bytes, press: str = "") -> None:
        """Somebody pressed again at a door, or at a station for which another node rings."""
        for number, visit in self._visits.items():
            if door == visit.door or (press and press == visit.press):
                self._visitors.pressed(number)
        self._obey()

    def handing(self, door: bytes, call_id: str, *, on: bool) -> None:
        """A person here hands a visitor over, or that came to nothing."""
        for number, visit in self._visits.items():
            if (visit.door, visit.call_id) == (door, call_id):
                self._visitors.handing(number, on=on)

    def in_call(self, busy: bool) -> None:
        """A conversation that is no visitor's began or ended here."""
        self._visitors.in_call(busy)
        self._obey()

    def peer_down(self, key: bytes) -> None:
        """The link to a door is lost; while we talk it may come back within a moment."""
        for number, visit in list(self._visits.items()):
            if visit.door != key:
                continue
            known = self._visitors.visits.get(number)
            if known is not None and known.state is State.TALKING:
                asyncio.get_running_loop().call_later(RETURN, self._vanished, visit)
            else:
                self._lost(visit)
        self._obey()

    def silent(self, leg: str) -> None:
        """The door sends nothing any more."""
        talking = self._visitors.talking
        if talking is not None and self._visits[talking.number].leg == leg:
            self._lost(self._visits[talking.number])
            self._obey()

    def picture(self, event: FirstPicture) -> None:
        """The first picture of a visit is shown: its door wants to know."""
        for visit in self._visits.values():
            if visit.leg == event.leg:
                self._desk.note(visit.door, {"about": "picture", "call": visit.call_id})

    def legs_lost(self, legs: Iterable[str]) -> None:
        """The engine died: it rings on, without a picture until it is back."""
        lost = set(legs)
        for visit in self._visits.values():
            if visit.leg in lost:
                visit.has_leg = visit.flows = False

    def engine_back(self) -> None:
        """There is an engine again: who rings or talks goes on where he was."""
        for visit in self._visits.values():
            if visit.answer and visit.opened is not NO_LEG and visit.opened.ice is None and not visit.has_leg:
                self._desk.spawn(self._resume(visit))

    def handle(self, event: sip.SessionEvent) -> bool:
        """An event of the stack; False when it is about no visit."""
        visit = next((each for each in self._visits.values() if each.session is event.session), None)
        if visit is None:
            return False
        match event:
            case sip.Cancelled(reasons=reasons):
                self._visitors.cancelled(visit.number, elsewhere=_elsewhere(reasons))
            case sip.Ended(remote=True, reasons=reasons):
                self._visitors.bye(visit.number, elsewhere=_elsewhere(reasons))
            case sip.Failed() | sip.Rejected():
                self._visitors.failed(visit.number)
            case _:
                return True
        self._obey()
        return True

    def _giver(self, event: sip.IncomingInvite) -> str | None:
        """Who hands the visitor over to this screen; None where somebody pressed."""
        giver = event.request.headers.get("Meshdoor-Handover")
        try:
            return None if giver is None else self._desk.name_of(bytes.fromhex(giver)) or None
        except ValueError:
            return None

    def _told(self, number: int | None) -> Json:
        if number is None:
            raise Refused("nothing rings here")
        door = self._desk.name_of(self._visits[number].door)
        self._obey()
        return {"visit": number, "door": door}

    def _obey(self) -> None:
        with self._desk.endpoint.acting() as now:
            while (order := self._visitors.next_order()) is not None:
                self._do(order, now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._visitors.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._timed, deadline)
        self._desk.busy_changed()

    def _timed(self, deadline: float) -> None:
        self._visitors.handle_timer(max(deadline, self._desk.now()))
        self._obey()

    def _do(self, order: orders.Order, now: float) -> None:
        match order:
            case orders.Bell(on=on):
                self._desk.publish({"event": "bell", "on": on})
            case orders.LeaveCall():
                self._desk.leave_call()
            case orders.Over(ending=ending, visit=number):
                self._over(self._visits.pop(number), ending)
            case orders.Media(gates=gates, visit=number):
                self._gate(self._visits[number], Gates(gates.microphone, gates.speaker, gates.picture))
            case orders.Accept(visit=number):
                self._accept(self._visits[number], now)
            case orders.Reject(status=status, visit=number):
                _unless_over(self._visits[number].session, lambda session: session.reject(status, now))
            case orders.Bye(visit=number):
                _unless_over(self._visits[number].session, lambda session: session.hangup((), now))
            case orders.CloseMedia(visit=number):
                self._desk.spawn(self._close(self._visits[number]))
            case orders.Knock(visit=number):
                self._desk.publish({"event": "knock", "visit": number})
            case orders.Snapshot(visit=number):
                self._snapshot(self._visits[number])
            case _:
                pass  # Early: `_prepare` is under way since the INVITE came

    def _over(self, visit: Visit, ending: Ending) -> None:
        visit.decided.set()
        door = self._desk.name_of(visit.door)
        self._desk.hurry(visit.door, None)
        self._desk.publish({"event": "over", "visit": visit.number, "door": door, "why": str(ending)})
        journal.say("over", f"{door}: {ending}", door=door, why=str(ending))

    async def _prepare(self, visit: Visit, offer: bytes) -> None:
        """Open the leg, answer the door's offer in a 183, and let pass what may."""
        await self._await_engine(visit)
        if visit.number not in self._visits:
            return
        peer, client = self._desk.address(visit.door), self._desk.client(visit.door)
        visit.local = media_plan.local_address(peer)
        try:
            dtls = media_plan.makes_keys_by_dtls(offer)
            visit.opened = await open_leg(self._desk, visit.leg, visit.local, dtls, client)
            visit.has_leg = True
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")
        if visit.session.over:
            await self._close(visit)
            return
        try:
            place = media_plan.Place(visit.local, visit.opened, peer)
            able = media_plan.able_for(client)
            visit.answer, visit.streams = media_plan.answer(offer, place, able=able)
        except SdpError as error:
            journal.warn("sdp", f"an offer cannot be used: {error}")
            visit.session.reject(488, self._desk.now())
            self._visitors.failed(visit.number)
            self._obey()
            return
        with self._desk.endpoint.acting() as now:
            if visit.accepted:
                visit.session.accept(visit.answer, now)
            else:
                visit.session.provisional(183, visit.answer, now)
        await self._start(visit)

    async def _await_engine(self, visit: Visit) -> None:
        """Where it still starts, as on a screen that was just switched on, it rings without a picture, which comes when
        it can. Who answers meanwhile waits for it no longer than ever."""
        if await engine_is_there(self._desk) or visit.decided.is_set():
            return
        journal.warn("media", "no picture yet: the media engine still starts")
        with self._desk.endpoint.acting() as now:
            visit.session.provisional(180, b"", now)
        await until_first(self._desk.engine.wait_ready(), visit.decided.wait())

    async def _resume(self, visit: Visit) -> None:
        try:
            await self._desk.engine.open_leg(visit.leg, visit.local, visit.opened)
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")
            return
        visit.has_leg = True
        if visit.number in self._visits:
            await self._start(visit)
        else:
            await self._close(visit)

    async def _start(self, visit: Visit) -> None:
        if not visit.has_leg:
            return
        began, visit.flows = visit.flows, True
        try:
            if began:
                await self._desk.engine.gate(visit.leg, visit.gates)
            else:
                await self._desk.engine.start_leg(visit.streams.start(visit.leg, visit.gates))
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")

    def _gate(self, visit: Visit, gates: Gates) -> None:
        visit.gates = gates
        if visit.answer:
            self._desk.spawn(self._start(visit))

    def _accept(self, visit: Visit, now: float) -> None:
        visit.accepted = True
        visit.decided.set()
        self._desk.hurry(visit.door, FAST)
        self._desk.publish({"event": "answered", "visit": visit.number, "door": self._desk.name_of(visit.door)})
        if visit.answer and not visit.session.over:
            visit.session.accept(visit.answer, now)

    async def _close(self, visit: Visit) -> None:
        if visit.has_leg:
            visit.has_leg = False
            try:
                await self._desk.engine.close_leg(visit.leg)
            except EngineError:
                return  # it died, and the leg with it

    def _snapshot(self, visit: Visit) -> None:
        if self.snap is not None and visit.has_leg and visit.press:
            self._desk.spawn(self.snap(visit.press, visit.leg, visit.door))

    def _lost(self, visit: Visit) -> None:
        if not visit.session.over:
            visit.session.abandon(self._desk.now())
        self._visitors.failed(visit.number)

    def _vanished(self, visit: Visit) -> None:
        if visit.number in self._visits and self._desk.target(visit.door) is None:
            self._lost(visit)
            self._obey()


def _elsewhere(reasons: Iterable[Reason]) -> bool:
    """`Call completed elsewhere` (RFC 3326)."""
    return any(reason.protocol.upper() == "SIP" and reason.cause == 200 for reason in reasons)


def _unless_over(session: UasSession, act: Callable[[UasSession], None]) -> None:
    if not session.over:
        act(session)

