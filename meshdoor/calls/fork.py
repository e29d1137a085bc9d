"""One press: every device rings, the first to answer talks, the rest fall silent (state machine, sans-IO).

    fork = Fork(press, peers, now)      the caller then does what `commands()` says, and again after each input
    fork.provisional(branch, now)       what SIP said of a branch, by its number
    fork.peer_appeared(key, now)        what the peer table said
    fork.hand_over(key, now)            who talks wants another device to take over
    fork.handle_timer(now)              when `next_deadline()` is past

The fork never has more than one winner; every branch that loses is cancelled, or its dialog ended. Whom a device hands
over to rings beside the talk, which ends when that one answers, and else goes on as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from meshdoor.calls import branch as branches
from meshdoor.calls.branch import Action, Branch
from meshdoor.calls.branch import Event as Happened
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
    Step,
)
from meshdoor.errors import LocalProtocolError

RING_TIMEOUT = 45.0  # seconds
HANDOVER_TIMEOUT = 20.0  # seconds
MAX_ATTEMPTS = 3  # INVITEs to one device in one press: it may vanish and come back
MAX_BRANCHES = 128  # nothing is handed over any more


class State(StrEnum):
    """Where a fork is."""

    RINGING = "RINGING"
    TALKING = "TALKING"
    HANDOVER = "HANDOVER"  # somebody talks, and another device rings to take over
    CLOSING = "CLOSING"  # decided; some branches still owe a final response
    ENDED = "ENDED"


class Outcome(StrEnum):
    """What a press came to."""

    RINGING = "ringing"
    ANSWERED = "answered"
    MISSED = "missed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What moves a fork from state to state."""

    ANSWERED = "first 2xx"
    NOBODY_LEFT = "all declined"
    TIMED_OUT = "ring time-out"
    VISITOR_LEFT = "the visitor cancels"
    HAND_OVER = "who talks hands over"
    TAKEN_OVER = "the other one answers"
    KEPT = "the other one does not answer"
    CALL_OVER = "the call ends"
    ALL_ENDED = "no branch is left"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.RINGING, Event.ANSWERED): State.TALKING,
    (State.RINGING, Event.NOBODY_LEFT): State.CLOSING,
    (State.RINGING, Event.TIMED_OUT): State.CLOSING,
    (State.RINGING, Event.VISITOR_LEFT): State.CLOSING,
    (State.TALKING, Event.HAND_OVER): State.HANDOVER,
    (State.TALKING, Event.CALL_OVER): State.CLOSING,
    (State.HANDOVER, Event.TAKEN_OVER): State.TALKING,
    (State.HANDOVER, Event.KEPT): State.TALKING,
    (State.HANDOVER, Event.CALL_OVER): State.CLOSING,
    (State.CLOSING, Event.ALL_ENDED): State.ENDED,
}


@dataclass(frozen=True, slots=True)
class _Handing:
    """A hand-over that is under way."""

    giver: Branch
    taker: Branch


class Fork:
    """The fork of one press. `timeout` is the seconds until nobody is thought to answer."""

    def __init__(self, peers: Iterable[bytes], now: float, timeout: float = RING_TIMEOUT) -> None:
        self.state = State.RINGING
        self.outcome = Outcome.RINGING
        self.winner: Branch | None = None
        self.branches: dict[int, Branch] = {}
        self._commands: deque[Command] = deque()
        self._deadline = now + timeout
        self._handing: _Handing | None = None
        self._declined: set[bytes] = set()
        for peer in peers:
            self._open(peer, now)

    @property
    def talks(self) -> bool:
        """Does somebody talk with the visitor?"""
        return self.state in (State.TALKING, State.HANDOVER)

    def next_command(self) -> Command | None:
        """The next thing to do, or None."""
        return self._commands.popleft() if self._commands else None

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._deadline if self.state in (State.RINGING, State.HANDOVER) else None

    def handle_timer(self, now: float) -> None:
        """Give up when nobody answered in time, or not the one that was to take over."""
        if now < self._deadline:
            return
        if self.state is State.RINGING:
            self._give_up(Event.TIMED_OUT, Outcome.MISSED, Ending.MISSED, now)
        elif self._handing is not None:
            self._lose(self._handing.taker, Ending.MISSED, now)
            self._handed(self._handing, Ending.MISSED)
            self._move(Event.KEPT)

    def peer_appeared(self, peer: bytes, now: float) -> None:
        """Ring a device that can be rung now, unless it rings, declined, or was tried too often."""
        tries = [branch for branch in self.branches.values() if branch.peer == peer]
        if self.state is not State.RINGING or peer in self._declined or len(tries) >= MAX_ATTEMPTS:
            return
        if all(branch.state is branches.State.ENDED for branch in tries):
            self._open(peer, now)

    def peer_vanished(self, peer: bytes, now: float) -> None:
        """Wait no longer for a device whose link is lost."""
        for branch in self.branches.values():
            if branch.peer == peer and branch.state is not branches.State.ENDED:
                self.failed(branch.number, Ending.LOST, now)

    def press(self, now: float) -> None:
        """Somebody pressed again: a longer ring, or a knock on the device that talks."""
        if self.talks and self.winner is not None:
            self._commands.append(Knock(self.winner.number))

    def hand_over(self, peer: bytes, now: float) -> bool:
        """Ring this device beside the one that talks; False if nobody talks, or is handing over already."""
        giver = self.winner
        if self.state is not State.TALKING or giver is None or giver.peer == peer:
            return False
        if len(self.branches) >= MAX_BRANCHES:
            return False
        self._move(Event.HAND_OVER)
        self._deadline = now + HANDOVER_TIMEOUT
        self._handing = _Handing(giver, self._open(peer, now))
        return True

    def provisional(self, number: int, now: float) -> None:
        """A provisional response without a session description."""
        branch = self._branch(number)
        self._note(branch, Step.PROVISIONAL, now)
        self._do(branch, branch.handle(Happened.PROVISIONAL))

    def early(self, number: int, now: float) -> None:
        """A provisional response with a session description."""
        branch = self._branch(number)
        self._note(branch, Step.PROVISIONAL, now)
        self._note(branch, Step.EARLY, now)
        self._do(branch, branch.handle(Happened.EARLY))

    def answered(self, number: int, now: float) -> None:
        """A 2xx. The first one wins, or the one that is handed over to; any other gets ACK and BYE."""
        branch = self._branch(number)
        if self._handing is not None and branch is self._handing.taker:
            self._take_over(self._handing, now)
        self._do(branch, branch.handle(Happened.ANSWER))
        if branch.state is branches.State.TALKING and self.winner is None:
            self._won(branch, now)
        self._settle(now)

    def rejected(self, number: int, status: int, now: float) -> None:
        """A final response of 300 or more: of this device alone, even when it is a 6xx."""
        branch = self._branch(number)
        ending = Ending.of(status)
        if branch.rings and ending in (Ending.DECLINED, Ending.BUSY):
            self._declined.add(branch.peer)
        self._end(branch, Happened.REJECT, ending, now)

    def failed(self, number: int, why: Ending, now: float) -> None:
        """No response came, or the device vanished."""
        branch = self._branch(number)
        self._end(branch, Happened.FAIL, why, now)

    def bye(self, number: int, now: float) -> None:
        """The device ended the dialog."""
        branch = self._branch(number)
        self._end(branch, Happened.BYE, Ending.LOST if branch.rings else Ending.ANSWERED, now)

    def first_packet(self, number: int, now: float) -> None:
        """The first packet went out to this branch."""
        self._note(self._branch(number), Step.PACKET, now)

    def picture(self, number: int, now: float) -> None:
        """The device says that it shows the first picture."""
        self._note(self._branch(number), Step.PICTURE, now)

    def hang_up(self, now: float) -> None:
        """The visitor's side ends it: a call is ended, a ring is given up."""
        if self.state is State.RINGING:
            self._give_up(Event.VISITOR_LEFT, Outcome.CANCELLED, Ending.CANCELLED, now)
        elif self.talks and self.winner is not None:
            self._end(self.winner, Happened.HANG_UP, Ending.ANSWERED, now)

    def _branch(self, number: int) -> Branch:
        try:
            return self.branches[number]
        except KeyError:
            raise LocalProtocolError(f"no branch {number}") from None

    def _open(self, peer: bytes, now: float) -> Branch:
        branch = Branch(len(self.branches) + 1, peer)
        self.branches[branch.number] = branch
        self._note(branch, Step.ASKED, now)
        self._commands.append(Invite(branch.number, peer))
        return branch

    def _won(self, winner: Branch, now: float) -> None:
        self.winner = winner
        self.outcome = Outcome.ANSWERED
        self._move(Event.ANSWERED if self.state is State.RINGING else Event.TAKEN_OVER)
        self._note(winner, Step.ANSWERED, now)
        for branch in self.branches.values():
            if branch.rings:
                self._lose(branch, Ending.ELSEWHERE, now)

    def _take_over(self, handing: _Handing, now: float) -> None:
        """The one that talks is out before the other one is in."""
        self._note(handing.giver, Step.ENDED, now, Ending.HANDED_OVER)
        self._handed(handing, Ending.ANSWERED)
        self._do(handing.giver, handing.giver.handle(Happened.TAKEN_OVER))
        self.winner = None

    def _handed(self, handing: _Handing, ending: Ending) -> None:
        """The hand-over is over."""
        self._handing = None
        self._commands.append(HandedOver(handing.giver.number, handing.taker.peer, ending))

    def _give_up(self, event: Event, outcome: Outcome, ending: Ending, now: float) -> None:
        self.outcome = outcome
        self._move(event)
        for branch in self.branches.values():
            if branch.rings:
                self._lose(branch, ending, now)
        self._settle(now)

    def _lose(self, branch: Branch, ending: Ending, now: float) -> None:
        self._note(branch, Step.ENDED, now, ending)
        self._do(branch, branch.handle(Happened.GIVE_UP))

    def _end(self, branch: Branch, event: Happened, ending: Ending, now: float) -> None:
        if branch.rings or branch.state is branches.State.TALKING:
            self._note(branch, Step.ENDED, now, ending)
        self._do(branch, branch.handle(event))
        if self._handing is not None and branch is self._handing.taker:
            self._handed(self._handing, ending)
            self._move(Event.KEPT)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Follow what the branches came to."""
        ended = [branch.state is branches.State.ENDED for branch in self.branches.values()]
        if self.state is State.RINGING and all(ended) and self._declined:
            self.outcome = Outcome.DECLINED
            self._move(Event.NOBODY_LEFT)
        elif self.talks and self.winner and self.winner.state is branches.State.ENDED:
            if self._handing is not None:
                self._lose(self._handing.taker, Ending.CANCELLED, now)
                self._handed(self._handing, Ending.CANCELLED)
            self._move(Event.CALL_OVER)
        if self.state is State.CLOSING and all(ended):
            self._move(Event.ALL_ENDED)

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]

    def _do(self, branch: Branch, actions: Iterable[Action]) -> None:
        elsewhere = self.outcome is Outcome.ANSWERED
        self._commands.extend(COMMANDS[action](branch.number, elsewhere) for action in actions)

    def _note(self, branch: Branch, step: Step, now: float, detail: str = "") -> None:
        """Write a step down the first time."""
        if step not in branch.seen:
            branch.seen.add(step)
            self._commands.append(Record(branch.peer, step, now, detail))


COMMANDS: dict[Action, Callable[[int, bool], Command]] = {
    Action.START_EARLY: lambda number, _: StartEarly(number),
    Action.OPEN_TALK: lambda number, _: OpenTalk(number),
    Action.CLOSE_MEDIA: lambda number, _: CloseMedia(number),
    Action.CANCEL: Cancel,
    Action.BYE: lambda number, _: Bye(number),
    Action.BYE_ELSEWHERE: lambda number, _: Bye(number, elsewhere=True),
    Action.ACK_BYE: Bye,
}
