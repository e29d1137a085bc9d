"""All visitors of one screen: who rings, who waits while somebody talks, whom the person answered (sans-IO).

    number = visitors.invited(door, now)     an INVITE of a door; None: too many, answer 486
    visitors.answer(now)                     the person; the longest ringing, or the visit of that number
    visitors.cancelled(number, True, now)    what SIP said of a visit
    visitors.handle_timer(now)               when `next_deadline()` is past

The owner does what `next_order()` says after each input. At most one visit talks; answering another ends the first.
What the network says of a visit that is over counts for nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from meshdoor.calls.commands import Ending
from meshdoor.calls.incoming import Action, Event, Incoming, State
from meshdoor.calls.orders import (
    Accept,
    Bell,
    Bye,
    CloseMedia,
    Early,
    Gates,
    Knock,
    LeaveCall,
    Media,
    Order,
    Over,
    Reject,
    Snapshot,
)

MAX_VISITS = 8
RING_GUARD = 180.0  # seconds until a door that never cancels is given up; doors give up long before
SNAPSHOT_AFTER = 2.0  # seconds of ringing: the visitor stands before the door now, and perhaps not later

PREVIEW = Gates(speaker=True, picture=True)
PEEK = Gates(picture=True)
TALK = Gates(microphone=True, speaker=True, picture=True)
UNSEEN = frozenset({Ending.MISSED, Ending.LOST})


class Visitors:
    """The visits that are not over, in the order in which they came."""

    def __init__(self) -> None:
        self.visits: dict[int, Incoming] = {}
        self._orders: deque[Order] = deque()
        self._count = 0
        self._in_call = False
        self._bell = False

    @property
    def talking(self) -> Incoming | None:
        """The visit that somebody here talks with."""
        return next((visit for visit in self.visits.values() if visit.state is State.TALKING), None)

    @property
    def waiting(self) -> tuple[Incoming, ...]:
        """The visits that could be answered."""
        return tuple(visit for visit in self.visits.values() if visit.waits)

    def next_order(self) -> Order | None:
        """The next thing to do, or None."""
        return self._orders.popleft() if self._orders else None

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return min(map(_deadline, self.waiting), default=None)

    def handle_timer(self, now: float) -> None:
        """Take the snapshot that is due; give up a door that never cancels."""
        for visit in self.waiting:
            if now >= visit.since + RING_GUARD:
                self._handle(visit, Event.TIME_OUT)
            elif now >= _deadline(visit):
                self._picture(visit)
        self._settle()

    def invited(self, door: bytes, now: float) -> int | None:
        """An INVITE of a door: the number of the visit, None when there are too many."""
        if len(self.visits) >= MAX_VISITS:
            return None
        self._count += 1
        occupied = self._in_call or self.talking is not None
        visit = self.visits[self._count] = Incoming(self._count, door, now, occupied=occupied)
        self._orders.append(Early(visit.number))
        self._do(visit, (Action.PEEK, Action.KNOCK) if occupied else (Action.PREVIEW,))
        self._settle()
        return visit.number

    def answer(self, number: int | None = None) -> int | None:
        """The person answers: which visit it is, None when that one does not ring (any more)."""
        visit = self._chosen(number)
        if visit is None:
            return None
        if self._in_call:
            self._in_call = False
            self._orders.append(LeaveCall())
        if self.talking is not None:
            self._handle(self.talking, Event.HANG_UP)
        self._handle(visit, Event.ANSWER)
        self._settle()
        return visit.number

    def decline(self, number: int | None = None) -> int | None:
        """The person sends the visitor away from this screen: which visit it was, None when it does not ring."""
        visit = self._chosen(number)
        if visit is None:
            return None
        self._handle(visit, Event.DECLINE)
        self._settle()
        return visit.number

    def hang_up(self) -> bool:
        """The person ends the conversation with a visitor; False if there is none."""
        visit = self.talking
        if visit is not None:
            self._handle(visit, Event.HANG_UP)
            self._settle()
        return visit is not None

    def cancelled(self, number: int, *, elsewhere: bool) -> None:
        """The door gave up; `elsewhere` if its Reason says that another answered (RFC 3326).

        After our answer a CANCEL means nothing (RFC 3261 §9.2).
        """
        visit = self.visits.get(number)
        if visit is not None and visit.waits:
            self._heard(number, Event.ELSEWHERE if elsewhere else Event.CANCEL)

    def bye(self, number: int, *, elsewhere: bool = False) -> None:
        """The door ended the dialog; `elsewhere` if our answer came too late, or another room has taken over."""
        visit = self.visits.get(number)
        if not elsewhere:
            self._heard(number, Event.BYE)
        elif visit is not None and visit.handing:
            self._heard(number, Event.TAKEN_OVER)
        else:
            self._heard(number, Event.ELSEWHERE)

    def handing(self, number: int, *, on: bool) -> None:
        """The person hands the visitor over to another room, or that came to nothing."""
        visit = self.visits.get(number)
        if visit is not None:
            visit.handing = on and visit.state is State.TALKING

    def failed(self, number: int) -> None:
        """The door vanished, or its session ended in another way."""
        self._heard(number, Event.FAIL)

    def pressed(self, number: int) -> None:
        """Somebody pressed again at the door that we talk with."""
        visit = self.visits.get(number)
        if visit is not None and visit.state is State.TALKING:
            self._handle(visit, Event.PRESS)

    def in_call(self, busy: bool) -> None:
        """A room-to-room conversation began here, or ended."""
        self._in_call = busy
        self._settle()

    def _chosen(self, number: int | None) -> Incoming | None:
        waiting = self.waiting
        return next((visit for visit in waiting if number in (None, visit.number)), None)

    def _heard(self, number: int, event: Event) -> None:
        visit = self.visits.get(number)
        if visit is not None:
            self._handle(visit, event)
            self._settle()

    def _handle(self, visit: Incoming, event: Event) -> None:
        actions = visit.handle(event)
        if visit.ending in UNSEEN and not visit.pictured:
            self._picture(visit)
        self._do(visit, actions)
        if visit.ending is not None:
            del self.visits[visit.number]
            self._orders.append(Over(visit.ending, visit.number))

    def _settle(self) -> None:
        """Who waits knocks while somebody talks here, and rings when nobody does; the bell is for who rings."""
        occupied = self._in_call or self.talking is not None
        for visit in self.visits.values():
            if visit.state is State.RINGING and occupied:
                self._do(visit, visit.handle(Event.OCCUPIED))
            elif visit.state is State.KNOCKING and not occupied:
                self._do(visit, visit.handle(Event.FREE))
        rings = any(visit.state is State.RINGING for visit in self.visits.values())
        if rings != self._bell:
            self._bell = rings
            self._orders.append(Bell(rings))

    def _picture(self, visit: Incoming) -> None:
        visit.pictured = True
        self._orders.append(Snapshot(visit.number))

    def _do(self, visit: Incoming, actions: Iterable[Action]) -> None:
        self._orders.extend(ORDERS[action](visit.number) for action in actions)


def _deadline(visit: Incoming) -> float:
    return visit.since + (RING_GUARD if visit.pictured else SNAPSHOT_AFTER)


ORDERS: dict[Action, Callable[[int], Order]] = {
    Action.PREVIEW: lambda number: Media(PREVIEW, number),
    Action.PEEK: lambda number: Media(PEEK, number),
    Action.ACCEPT: Accept,
    Action.OPEN_TALK: lambda number: Media(TALK, number),
    Action.CLOSE_MEDIA: CloseMedia,
    Action.DECLINE: lambda number: Reject(603, number),
    Action.GIVE_UP: lambda number: Reject(480, number),
    Action.BYE: Bye,
    Action.KNOCK: Knock,
}
