"""A visitor at a screen: one INVITE of a door (state machine; the table is the specification).

The picture is there while it rings; the microphone opens by a person's answer and by nothing else.
"""

from __future__ import annotations

from enum import StrEnum

from meshdoor.calls.commands import Ending
from meshdoor.errors import LocalProtocolError


class State(StrEnum):
    """Where a visit is."""

    RINGING = "RINGING"  # 183 sent: the picture is shown, the bell rings
    KNOCKING = "KNOCKING"  # the same while somebody talks here: the picture only
    TALKING = "TALKING"  # answered here
    ENDED = "ENDED"


class Event(StrEnum):
    """What can happen to a visit."""

    ANSWER = "the person answers"
    DECLINE = "the person declines"
    CANCEL = "CANCEL"
    ELSEWHERE = "CANCEL or BYE, answered elsewhere"
    TAKEN_OVER = "BYE, the other room has taken over"
    TIME_OUT = "time-out"
    FAIL = "the door vanished"
    OCCUPIED = "somebody talks here now"
    FREE = "nobody talks here any more"
    PRESS = "pressed again"
    BYE = "BYE received"
    HANG_UP = "the person hangs up"


class Action(StrEnum):
    """What a transition asks for."""

    PREVIEW = "picture and sound"
    PEEK = "picture only"
    ACCEPT = "200"
    OPEN_TALK = "open talk"
    CLOSE_MEDIA = "close media"
    DECLINE = "603"
    GIVE_UP = "480"
    BYE = "BYE"
    KNOCK = "knock"


S, E, A = State, Event, Action

_WAITING: dict[Event, tuple[State, tuple[Action, ...]]] = {
    E.ANSWER: (S.TALKING, (A.ACCEPT, A.OPEN_TALK)),
    E.DECLINE: (S.ENDED, (A.CLOSE_MEDIA, A.DECLINE)),
    E.CANCEL: (S.ENDED, (A.CLOSE_MEDIA,)),
    E.ELSEWHERE: (S.ENDED, (A.CLOSE_MEDIA,)),
    E.TIME_OUT: (S.ENDED, (A.CLOSE_MEDIA, A.GIVE_UP)),
    E.FAIL: (S.ENDED, (A.CLOSE_MEDIA,)),
    E.BYE: (S.ENDED, (A.CLOSE_MEDIA,)),  # of an early dialog (RFC 3261 §15)
}

TRANSITIONS: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    **{(S.RINGING, event): then for event, then in _WAITING.items()},
    (S.RINGING, E.OCCUPIED): (S.KNOCKING, (A.PEEK,)),
    **{(S.KNOCKING, event): then for event, then in _WAITING.items()},
    (S.KNOCKING, E.FREE): (S.RINGING, (A.PREVIEW,)),
    (S.TALKING, E.ELSEWHERE): (S.ENDED, (A.CLOSE_MEDIA,)),  # another was faster, our 200 came too late
    (S.TALKING, E.TAKEN_OVER): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.TALKING, E.BYE): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.TALKING, E.FAIL): (S.ENDED, (A.CLOSE_MEDIA, A.BYE)),
    (S.TALKING, E.HANG_UP): (S.ENDED, (A.CLOSE_MEDIA, A.BYE)),
    (S.TALKING, E.PRESS): (S.TALKING, (A.KNOCK,)),
}

ENDINGS = {
    E.DECLINE: Ending.DECLINED,
    E.CANCEL: Ending.MISSED,
    E.ELSEWHERE: Ending.ELSEWHERE,
    E.TAKEN_OVER: Ending.HANDED_OVER,
    E.TIME_OUT: Ending.MISSED,
    E.FAIL: Ending.LOST,
    E.BYE: Ending.MISSED,
}


class Incoming:
    """The state of one visit. `handle` raises LocalProtocolError for an event that its state does not allow."""

    def __init__(self, number: int, door: bytes, since: float, *, occupied: bool) -> None:
        self.number = number
        self.door = door
        self.since = since
        self.state = State.KNOCKING if occupied else State.RINGING
        self.ending: Ending | None = None
        self.pictured = False  # a snapshot was asked for
        self.handing = False  # the person hands the visitor over to another room

    @property
    def waits(self) -> bool:
        """Could it still be answered?"""
        return self.state in (State.RINGING, State.KNOCKING)

    def handle(self, event: Event) -> tuple[Action, ...]:
        """Change the state; what is to be done now."""
        try:
            after, actions = TRANSITIONS[self.state, event]
        except KeyError:
            raise LocalProtocolError(f"visit {self.number}: {event.name} in {self.state}") from None
        if after is State.ENDED:
            talked = self.state is State.TALKING and event not in (Event.ELSEWHERE, Event.TAKEN_OVER)
            self.ending = Ending.ANSWERED if talked else ENDINGS[event]
        self.state = after
        return actions
