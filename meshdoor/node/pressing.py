"""What a door does when somebody presses: it carries out what the fork of the press commands.

The fork decides, SIP sessions and legs of the media engine obey; what these report goes back into the fork. A branch
whose picture cannot be had (no media engine, no address) rings all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

from meshdoor.calls import branch as branches
from meshdoor.calls.commands import (
    Bye,
    Cancel,
    CloseMedia,
    Command,
    Ending,
    Invite,
    Knock,
    OpenTalk,
    Record,
    StartEarly,
)
from meshdoor.calls.fork import RING_TIMEOUT, Fork, State
from meshdoor.errors import EngineError, SdpError
from meshdoor.media.messages import Gates, LegOpened, LegStatistics
from meshdoor.node import journal, media_plan
from meshdoor.node.calling import ENGINE_PATIENCE, FAST, RETURN, Desk, open_leg
from meshdoor.node.digits import Talk
from meshdoor.node.media_plan import Streams
from meshdoor.node.relay_plan import narrowed
from meshdoor.sdp.negotiation import MediaPlan
from meshdoor.sip import events as sip
from meshdoor.sip.compose import Fields
from meshdoor.sip.headers import NameAddr, Reason
from meshdoor.sip.offers import IncomingOffer
from meshdoor.sip.uac import UacSession

NOT_ACCEPTABLE = 488  # RFC 3261 §21.4.26
ELSEWHERE = (Reason("SIP", 200, "Call completed elsewhere"),)
EARLY = Gates(microphone=True, speaker=False, picture=True)  # the visitor may be heard; nobody is heard yet
TALK = Gates(microphone=True, speaker=True, picture=True)


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
    """What stands behind one branch: its session and its leg."""

    leg: str
    source: str = ""
    session: UacSession | None = None
    plan: MediaPlan | None = None
    streams: Streams | None = None
    peer_host: str = ""
    local: str = ""
    opened: LegOpened | None = None
    has_leg: bool = False
    flows: bool = False
    given_up: bool = False
    late: bool = False  # it could show nothing before it had answered


@dataclass(slots=True)
class Press:
    """One press: its fork, and what carries it out."""

    id: str
    at: float
    fork: Fork
    relayed: Relayed | None = None
    lines: dict[int, Line] = field(default_factory=dict)
    steps: list[Record] = field(default_factory=list)
    dropped: dict[bytes, int] = field(default_factory=dict)


class Pressing:
    """The presses of one door: one at a time, a second one joins it. Those before it may still owe their last words."""

    def __init__(self, desk: Desk, timeout: float = RING_TIMEOUT) -> None:
        self._desk = desk
        self._timeout = timeout
        self._press: Press | None = None
        self._closing: list[Press] = []
        self._timer: asyncio.TimerHandle | None = None
        self.begun: list[Callable[[Press], None]] = []
        self.over: list[Callable[[Press], None]] = []
        self.answered: list[Callable[[Press, bytes], None]] = []  # told once of each press, with who answered

    @property
    def press(self) -> Press | None:
        """The press that rings or is talked in."""
        return self._press

    def involves(self, key: bytes) -> bool:
        """Does a press ring this member, or talk with it?"""
        return any(branch.peer == key for press in self._presses() for branch in press.fork.branches.values())

    def talks(self) -> list[Talk]:
        """With the visitor at this door."""
        press = self._press
        if press is None or press.fork.winner is None or press.fork.state is not State.TALKING:
            return []
        line = press.lines[press.fork.winner.number]
        if line.session is None:
            return []
        return [Talk.of(press.fork.winner.peer, line.leg, line.session, line.streams)]

    def ring(self, press_id: str, peers: Iterable[bytes], relayed: Relayed | None = None) -> Press:
        """Somebody pressed, here or where the media are `relayed` from."""
        now = self._desk.now()
        if self._press is not None:
            self._press.fork.press(now)
            self._obey(self._press)
            return self._press
        press = self._press = Press(press_id, now, Fork(peers, now, self._timeout), relayed)
        self._desk.publish({"event": "pressed", "press": press_id})
        if relayed is None:
            self._desk.spawn(self._warm_up())
        self._obey(press)
        for listener in self.begun:
            listener(press)
        return press

    def hang_up(self) -> None:
        """The visitor's side ends it."""
        self._feed(self._press, lambda fork, now: fork.hang_up(now))

    def peer_up(self, key: bytes) -> None:
        """A member that may be rung is reachable now."""
        self._feed(self._press, lambda fork, now: fork.peer_appeared(key, now))

    def peer_down(self, key: bytes) -> None:
        """A link is lost. Who rings is not waited for; who talks may come back within a moment."""
        for press in self._presses():
            winner = press.fork.winner
            if winner is not None and winner.peer == key and press.fork.state is State.TALKING:
                asyncio.get_running_loop().call_later(RETURN, self._vanished, press, key)
            else:
                self._feed(press, lambda fork, now: fork.peer_vanished(key, now))

    def dismissed(self, key: bytes) -> None:
        """A member that may not be here any more: nothing is waited for."""
        for press, number, line in self._lines():
            if press.fork.branches[number].peer == key:
                self._end(line, elsewhere=False)
                self._feed(press, lambda fork, now: fork.peer_vanished(key, now))

    def picture_shown(self, key: bytes, call_id: str) -> None:
        """A screen says that it shows the first picture."""
        for press, number, line in self._lines():
            if line.session is not None and line.session.call_id == call_id:
                self._feed(press, partial(_picture, number=number))

    def first_packet(self, leg: str) -> None:
        """The engine sent the first packet of a leg."""
        for press, number, line in self._lines():
            if line.leg == leg:
                self._feed(press, partial(_packet, number=number))

    def silent(self, leg: str) -> None:
        """Who talks has sent nothing for too long: it is gone, whatever its link says."""
        press = self._press
        winner = press.fork.winner if press is not None else None
        if press is not None and winner is not None and press.lines[winner.number].leg == leg:
            self._feed(press, lambda fork, now: fork.failed(winner.number, Ending.LOST, now))

    def legs_lost(self, legs: Iterable[str]) -> None:
        """The engine died: what rings goes on ringing, without a picture until it is back."""
        lost = set(legs)
        for _, _, line in self._lines():
            if line.leg in lost:
                line.has_leg = line.flows = False

    def engine_back(self) -> None:
        """There is an engine again: what rings or talks goes on where it was. Only browsers, and clients that make
        keys by DTLS, are found anew with an offer: theirs ring on without a picture, and a talk with one is over."""
        for press, number, line in self._lines():
            if line.opened is None or line.has_leg or not _goes_on(press, number):
                continue
            if line.opened.ice is None and not line.opened.fingerprint:
                self._desk.spawn(self._resume(press, number))
            else:
                self.silent(line.leg)

    def handle(self, event: sip.SessionEvent) -> bool:
        """An event of the stack; False when it is about no session of ours."""
        for press, number, line in self._lines():
            if line.session is event.session:
                self._handle(press, number, event)
                return True
        return False

    def _presses(self) -> list[Press]:
        return [*self._closing, *([] if self._press is None else [self._press])]

    def _lines(self) -> list[tuple[Press, int, Line]]:
        return [(press, number, line) for press in self._presses() for number, line in press.lines.items()]

    def _feed(self, press: Press | None, report: Callable[[Fork, float], None]) -> None:
        if press is not None:
            report(press.fork, self._desk.now())
            self._obey(press)

    def _handle(self, press: Press, number: int, event: sip.SessionEvent) -> None:
        line = press.lines[number]
        match event:
            case sip.EarlyMedia(body=body):
                if line.streams is not None or self._agree(line, body):  # of two that ring there the first is shown
                    self._feed(press, lambda fork, now: fork.early(number, now))
            case sip.Provisional(response=response):
                if response.status > 100 and not response.body:
                    self._feed(press, lambda fork, now: fork.provisional(number, now))
            case sip.Answered(body=body):
                before = line.streams
                if self._agree(line, body) and before not in (None, line.streams):
                    line.flows = False  # another than who was shown has answered (a fork downstream)
                self._feed(press, lambda fork, now: fork.answered(number, now))
                self._tell_answered(press, number)
            case sip.OfferReceived(offer=again):
                self._offered(press, number, again)
            case sip.FlowLost(session=session):
                if not session.over and number != _winner(press):
                    session.abandon(self._desk.now())
            case sip.SessionOver():
                self._over(press, number, event)

    def _over(self, press: Press, number: int, event: sip.SessionOver) -> None:
        match event:
            case sip.Rejected(response=response):
                self._feed(press, lambda fork, now: fork.rejected(number, response.status, now))
            case sip.Cancelled():
                self._feed(press, lambda fork, now: fork.rejected(number, 487, now))
            case sip.Ended(remote=True):
                self._feed(press, lambda fork, now: fork.bye(number, now))
            case sip.Failed():
                self._feed(press, lambda fork, now: fork.failed(number, Ending.UNREACHABLE, now))

    def _offered(self, press: Press, number: int, offer: IncomingOffer) -> None:
        """Who answered puts the call on hold, or says again what it said, as some clients do."""
        line, now = press.lines[number], self._desk.now()
        try:
            if line.opened is None or line.session is None or number != _winner(press):
                raise SdpError("there is nothing to agree on")
            place = media_plan.Place(line.local, line.opened, line.peer_host)
            able = media_plan.able_for(self._desk.client(press.fork.branches[number].peer))
            body, streams = media_plan.answer(offer.body, place, media_plan.PRESSED, line.session.local_body, able)
        except SdpError as error:
            journal.warn("sdp", f"an offer cannot be used: {error}")
            offer.refuse(NOT_ACCEPTABLE, now)
            return
        offer.answer(body, now)
        line.streams, line.flows = streams, False
        self._desk.spawn(self._start(line, TALK))

    def _tell_answered(self, press: Press, number: int) -> None:
        if press.fork.winner is not None and press.fork.winner.number == number:
            for listener in self.answered:
                listener(press, press.fork.winner.peer)

    def _agree(self, line: Line, body: bytes) -> bool:
        """What the answer makes of our offer; False when it is of no use."""
        assert line.plan is not None
        try:
            line.streams = media_plan.agreed(line.plan, body, line.peer_host)
        except SdpError as error:
            journal.warn("sdp", f"an answer cannot be used: {error}")
            return False
        return True

    def _obey(self, press: Press) -> None:
        """Do what the fork commands, then send it all at once."""
        while (command := press.fork.next_command()) is not None:
            self._do(press, command)
        self._desk.endpoint.flush()
        if press.fork.state in (State.CLOSING, State.ENDED) and press is self._press:
            self._press = None
            self._closing.append(press)
            if press.relayed is None:
                self._desk.spawn(self._cool_down())
        if press.fork.state is State.ENDED and press in self._closing:
            self._closing.remove(press)
            self._end_of(press)
        self._set_timer()
        self._desk.busy_changed()

    def _end_of(self, press: Press) -> None:
        wanted = {branch.peer for other in self._presses() for branch in other.fork.branches.values()}
        for peer in {branch.peer for branch in press.fork.branches.values()} - wanted:
            self._desk.hurry(peer, None)
        self._desk.publish({"event": "over", "press": press.id, "why": str(press.fork.outcome)})
        for listener in self.over:
            listener(press)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = None if self._press is None else self._press.fork.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._timed, deadline)

    def _timed(self, deadline: float) -> None:
        """The loop may be early by the resolution of its clock."""
        self._feed(self._press, lambda fork, now: fork.handle_timer(max(deadline, now)))

    def _do(self, press: Press, command: Command) -> None:
        match command:
            case Record():
                press.steps.append(command)
                self._desk.publish(self._described(press, command))
            case Invite(branch=number, peer=peer):
                press.lines[number] = Line(f"{press.id}-{number}", "" if press.relayed is None else press.relayed.leg)
                self._desk.hurry(peer, FAST)
                self._desk.spawn(self._invite(press, number, peer))
            case StartEarly(branch=number):
                self._desk.spawn(self._start(press.lines[number], EARLY))
            case OpenTalk(branch=number):
                self._desk.spawn(self._start(press.lines[number], TALK))
            case CloseMedia(branch=number):
                self._desk.spawn(self._close(press, number))
            case Cancel(branch=number, elsewhere=elsewhere) | Bye(branch=number, elsewhere=elsewhere):
                self._end(press.lines[number], elsewhere)
            case Knock(branch=number):
                self._desk.note(press.fork.branches[number].peer, {"about": "knock", "press": press.id})
            case _:
                assert_never(command)

    def _described(self, press: Press, record: Record) -> dict[str, object]:
        return {
            "event": "step",
            "press": press.id,
            "member": self._desk.name_of(record.peer),
            "step": str(record.step),
            "ms": round((record.at - press.at) * 1000, 1),
            "detail": record.detail,
        }

    def _end(self, line: Line, elsewhere: bool) -> None:
        line.given_up = True
        if line.session is not None:
            line.session.hangup(ELSEWHERE if elsewhere else (), self._desk.now())

    async def _warm_up(self) -> None:
        try:
            await self._desk.engine.capture(True)
        except EngineError as error:
            journal.warn("camera", f"no picture: {error}")

    async def _cool_down(self) -> None:
        """The camera rests, unless somebody has pressed again meanwhile."""
        with suppress(EngineError):
            if self._press is None:
                await self._desk.engine.capture(False)

    async def _invite(self, press: Press, number: int, peer: bytes) -> None:
        """Open the leg, make the offer, send the INVITE."""
        line = press.lines[number]
        target = self._desk.target(peer)
        if target is None:
            self._feed(press, lambda fork, now: fork.failed(number, Ending.UNREACHABLE, now))
            return
        line.peer_host = self._desk.address(peer)
        line.local = local = media_plan.local_address(line.peer_host)
        client = self._desk.client(peer)
        line.late = client is not None and not client.quirk.early
        try:
            async with asyncio.timeout(ENGINE_PATIENCE):
                browser = self._desk.is_browser(peer)
                line.opened = await open_leg(self._desk, line.leg, local, browser, client)
            line.has_leg = True
        except (EngineError, TimeoutError) as error:
            journal.warn("media", f"no picture for {self._desk.name_of(peer)}: {error}")
        if line.given_up or not _goes_on(press, number):
            await self._close(press, number)
            self._feed(press, lambda fork, now: fork.rejected(number, 487, now))
            return
        line.plan = media_plan.offer(local, line.opened, client=client)
        headers = [("Meshdoor-Press", press.id)]
        if press.relayed is not None:
            line.plan = narrowed(line.plan, press.relayed.streams)
            headers += press.relayed.headers
            target = replace(target, caller=press.relayed.caller)
        line.session = self._desk.endpoint.invite(target, media_plan.offer_body(line.plan), headers)

    async def _resume(self, press: Press, number: int) -> None:
        line = press.lines[number]
        try:
            if press.relayed is None:
                await self._desk.engine.capture(True)
            await self._desk.engine.open_leg(line.leg, line.local, line.opened)
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")
            return
        line.has_leg = True
        if _goes_on(press, number):
            await self._start(line, TALK if number == _winner(press) else EARLY)
        else:
            await self._close(press, number)

    async def _start(self, line: Line, gates: Gates) -> None:
        if not line.has_leg or line.streams is None:
            return
        began, line.flows = line.flows, True
        try:
            if began:
                await self._desk.engine.gate(line.leg, gates)
                if line.late:
                    await self._desk.engine.key_frame()
            else:
                start = line.streams.start(line.leg, gates)
                await self._desk.engine.start_leg(replace(start, source=line.source))
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")

    async def _close(self, press: Press, number: int) -> None:
        line = press.lines[number]
        if not line.has_leg:
            return
        line.has_leg = False
        try:
            last: LegStatistics = await self._desk.engine.close_leg(line.leg)
        except EngineError:
            return
        press.dropped[press.fork.branches[number].peer] = last.video.packets_dropped

    def _vanished(self, press: Press, key: bytes) -> None:
        if press is self._press and self._desk.target(key) is None:
            self._feed(press, lambda fork, now: fork.peer_vanished(key, now))


def _goes_on(press: Press, number: int) -> bool:
    return press.fork.branches[number].state not in (branches.State.CANCELLING, branches.State.ENDED)


def _winner(press: Press) -> int:
    return press.fork.winner.number if press.fork.winner is not None else 0


def _picture(fork: Fork, now: float, number: int) -> None:
    fork.picture(number, now)


def _packet(fork: Fork, now: float, number: int) -> None:
    fork.first_packet(number, now)
