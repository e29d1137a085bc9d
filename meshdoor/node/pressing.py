"""What a door does when somebody presses: it carries out what the fork of the press commands.

The fork decides, SIP sessions and legs of the media engine obey; what these report goes back into the fork. A branch
whose picture cannot be had rings all the same; while the media engine starts, it is told where the picture will come
from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import assert_never

from meshdoor.calls.commands import (
    Bye,
    Cancel,
    CloseMedia,
    Command,
    Ending,
    HandedOver,
    Invite,
    Knock,
    OpenTalk,
    Record,
    StartEarly,
)
from meshdoor.calls.fork import RING_TIMEOUT, Fork, State
from meshdoor.errors import EngineError
from meshdoor.media.plans import Gates
from meshdoor.node import journal
from meshdoor.node.calling import FAST, RETURN, Desk, pace
from meshdoor.node.digits import Talk
from meshdoor.node.line import Line, Relayed
from meshdoor.node.press import Press
from meshdoor.sip import events as sip
from meshdoor.sip.headers import Reason

ELSEWHERE = (Reason("SIP", 200, "Call completed elsewhere"),)
EARLY = Gates(microphone=True, speaker=False, picture=True)  # the visitor may be heard; nobody is heard yet
TALK = Gates(microphone=True, speaker=True, picture=True)


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
        self.answered: list[Callable[[Press, bytes], None]] = []  # told who answered, and who took over then
        self.handed: list[Callable[[Press, HandedOver], None]] = []  # told what became of a hand-over

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
        if press is None or press.fork.winner is None or not press.fork.talks:
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

    def hand_over(self, taker: bytes) -> bool:
        """Who talks hands over to `taker`; False if that cannot be now."""
        press = self._press
        if press is None or not press.fork.hand_over(taker, self._desk.now()):
            return False
        self._obey(press)
        return True

    def peer_up(self, key: bytes) -> None:
        """A member that may be rung is reachable now."""
        self._feed(self._press, lambda fork, now: fork.peer_appeared(key, now))

    def peer_down(self, key: bytes) -> None:
        """A link is lost. Who rings is not waited for; who talks may come back within a moment."""
        for press in self._presses():
            winner = press.fork.winner
            if winner is not None and winner.peer == key and press.fork.talks:
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
                line.has_leg, line.flowing = False, None

    def engine_back(self) -> None:
        """There is an engine again: what rings or talks goes on where it was. Only browsers, and clients that make
        keys by DTLS, are found anew with an offer: theirs ring on without a picture, and a talk with one is over."""
        for press, number, line in self._lines():
            if line.opened is None or line.has_leg or not press.goes_on(number):
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
                if line.streams is not None or line.agree(body):  # of two that ring there the first is shown
                    self._feed(press, lambda fork, now: fork.early(number, now))
            case sip.Provisional(response=response):
                if response.status > 100 and not response.body:
                    self._feed(press, lambda fork, now: fork.provisional(number, now))
            case sip.Answered(body=body):
                line.agree(body)  # that of another than who was shown, where somebody forks again
                if _is_previewed(press, number):
                    self._feed(press, lambda fork, now: fork.early(number, now))
                else:
                    self._won(press, number)
            case sip.OfferReceived(offer=offer):
                if line.answer(offer, self._desk.now()):
                    self._agreed_again(press, number)
            case sip.FlowLost(session=session):
                if not session.over and number != press.winner:
                    session.abandon(self._desk.now())
            case sip.SessionOver():
                self._over(press, number, event)

    def _agreed_again(self, press: Press, number: int) -> None:
        line = press.lines[number]
        if _is_previewed(press, number) and line.is_spoken_on:
            self._won(press, number)
        self._desk.spawn(line.start(self._desk.engine, _gates(press, number)))

    def _over(self, press: Press, number: int, event: sip.SessionOver) -> None:
        preview = press.lines[number].previews and number != press.winner
        match event:
            case sip.Rejected(response=response):
                self._feed(press, lambda fork, now: fork.rejected(number, response.status, now))
            case sip.Cancelled():
                self._feed(press, lambda fork, now: fork.rejected(number, 487, now))
            case sip.Ended(remote=remote) if preview:  # a person there wants to see no more of it, or we have ended it
                self._feed(press, lambda fork, now: fork.rejected(number, 603 if remote else 487, now))
            case sip.Ended(remote=True):
                self._feed(press, lambda fork, now: fork.bye(number, now))
            case sip.Failed():
                self._feed(press, lambda fork, now: fork.failed(number, Ending.UNREACHABLE, now))

    def _won(self, press: Press, number: int) -> None:
        """A person answered there; unless somebody else was faster."""
        self._feed(press, lambda fork, now: fork.answered(number, now))
        if press.fork.winner is not None and press.fork.winner.number == number:
            for listener in self.answered:
                listener(press, press.fork.winner.peer)

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
                interval = pace(len(press.fork.branches))
                press.add_line(number, interval)
                self._desk.hurry(peer, interval)
                self._desk.spawn(self._invite(press, number, peer))
            case StartEarly(branch=number):
                self._desk.spawn(press.lines[number].start(self._desk.engine, EARLY))
            case OpenTalk(branch=number):
                self._desk.hurry(press.fork.branches[number].peer, FAST)
                self._desk.spawn(press.lines[number].start(self._desk.engine, TALK))
            case CloseMedia(branch=number):
                self._desk.spawn(self._close(press, number))
            case Cancel(branch=number, elsewhere=elsewhere) | Bye(branch=number, elsewhere=elsewhere):
                self._end(press.lines[number], elsewhere)
            case Knock(branch=number):
                self._desk.note(press.fork.branches[number].peer, {"about": "knock", "press": press.id})
            case HandedOver():
                for listener in self.handed:
                    listener(press, command)
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
        try:
            await line.open(self._desk, peer)
        except EngineError as error:
            journal.warn("media", f"no picture for {self._desk.name_of(peer)}: {error}")
        if line.given_up or not press.goes_on(number):
            await self._close(press, number)
            self._feed(press, lambda fork, now: fork.rejected(number, 487, now))
            return
        line.invite(self._desk, target, press.id)

    async def _resume(self, press: Press, number: int) -> None:
        line = press.lines[number]
        try:
            if press.relayed is None:
                await self._desk.engine.capture(True)
            await line.reopen(self._desk.engine)
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")
            return
        if press.goes_on(number):
            await line.start(self._desk.engine, _gates(press, number))
        else:
            await self._close(press, number)

    async def _close(self, press: Press, number: int) -> None:
        last = await press.lines[number].close(self._desk.engine)
        if last is not None:
            press.dropped[press.fork.branches[number].peer] = last.video.packets_dropped

    def _vanished(self, press: Press, key: bytes) -> None:
        if press is self._press and self._desk.target(key) is None:
            self._feed(press, lambda fork, now: fork.peer_vanished(key, now))


def _is_previewed(press: Press, number: int) -> bool:
    """Does it show the visitor, and nobody there has answered?"""
    return press.lines[number].previews and press.fork.branches[number].rings


def _gates(press: Press, number: int) -> Gates:
    return TALK if number == press.winner else EARLY


def _picture(fork: Fork, now: float, number: int) -> None:
    fork.picture(number, now)


def _packet(fork: Fork, now: float, number: int) -> None:
    fork.first_packet(number, now)
