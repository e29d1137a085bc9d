"""One branch of a fork: one INVITE to one device (state machine; the table is the specification)."""

from __future__ import annotations

from enum import StrEnum

from meshdoor.errors import LocalProtocolError


class State(StrEnum):
    """Where a branch is."""

    CALLING = "CALLING"  # INVITE sent, nothing heard
    RINGING = "RINGING"  # a provisional response without a session description
    EARLY = "EARLY"  # early dialog with a session: it sees the visitor
    TALKING = "TALKING"  # its 2xx was the first
    CANCELLING = "CANCELLING"  # it lost or was given up; its final response is still to come
    ENDED = "ENDED"


class Event(StrEnum):
    """What can happen to a branch."""

    PROVISIONAL = "1xx"
    EARLY = "1xx with SDP"
    ANSWER = "2xx"
    REJECT = "3xx-6xx"
    FAIL = "no response, or the peer vanished"
    GIVE_UP = "the fork gives it up"
    BYE = "BYE received"
    HANG_UP = "the door hangs up"
    TAKEN_OVER = "another device takes over"


class Action(StrEnum):
    """What a transition asks for."""

    START_EARLY = "start early media"
    OPEN_TALK = "open talk"
    CLOSE_MEDIA = "close media"
    CANCEL = "CANCEL"
    BYE = "BYE"
    BYE_ELSEWHERE = "BYE, completed elsewhere"
    ACK_BYE = "ACK, BYE"


S, E, A = State, Event, Action
_CLOSE_CANCEL = (A.CLOSE_MEDIA, A.CANCEL)

TRANSITIONS: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (S.CALLING, E.PROVISIONAL): (S.RINGING, ()),
    (S.CALLING, E.EARLY): (S.EARLY, (A.START_EARLY,)),
    (S.CALLING, E.ANSWER): (S.TALKING, (A.OPEN_TALK,)),
    (S.CALLING, E.REJECT): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.CALLING, E.FAIL): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.CALLING, E.BYE): (S.ENDED, (A.CLOSE_MEDIA,)),  # of its early dialog (RFC 3261 §15)
    (S.CALLING, E.GIVE_UP): (S.CANCELLING, _CLOSE_CANCEL),
    (S.RINGING, E.PROVISIONAL): (S.RINGING, ()),
    (S.RINGING, E.EARLY): (S.EARLY, (A.START_EARLY,)),
    (S.RINGING, E.ANSWER): (S.TALKING, (A.OPEN_TALK,)),
    (S.RINGING, E.REJECT): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.RINGING, E.FAIL): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.RINGING, E.BYE): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.RINGING, E.GIVE_UP): (S.CANCELLING, _CLOSE_CANCEL),
    (S.EARLY, E.PROVISIONAL): (S.EARLY, ()),
    (S.EARLY, E.EARLY): (S.EARLY, ()),
    (S.EARLY, E.ANSWER): (S.TALKING, (A.OPEN_TALK,)),
    (S.EARLY, E.REJECT): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.EARLY, E.FAIL): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.EARLY, E.BYE): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.EARLY, E.GIVE_UP): (S.CANCELLING, _CLOSE_CANCEL),
    (S.TALKING, E.ANSWER): (S.TALKING, ()),
    (S.TALKING, E.BYE): (S.ENDED, (A.CLOSE_MEDIA,)),
    (S.TALKING, E.FAIL): (S.ENDED, (A.CLOSE_MEDIA, A.BYE)),
    (S.TALKING, E.HANG_UP): (S.ENDED, (A.CLOSE_MEDIA, A.BYE)),
    (S.TALKING, E.TAKEN_OVER): (S.ENDED, (A.CLOSE_MEDIA, A.BYE_ELSEWHERE)),
    (S.CANCELLING, E.PROVISIONAL): (S.CANCELLING, ()),
    (S.CANCELLING, E.EARLY): (S.CANCELLING, ()),
    (S.CANCELLING, E.ANSWER): (S.ENDED, (A.ACK_BYE,)),
    (S.CANCELLING, E.REJECT): (S.ENDED, ()),
    (S.CANCELLING, E.FAIL): (S.ENDED, ()),
    (S.CANCELLING, E.BYE): (S.ENDED, ()),
    # What was under way when the branch ended may still arrive; a 2xx always makes a dialog that must end.
    (S.ENDED, E.PROVISIONAL): (S.ENDED, ()),
    (S.ENDED, E.EARLY): (S.ENDED, ()),
    (S.ENDED, E.ANSWER): (S.ENDED, (A.ACK_BYE,)),
    (S.ENDED, E.REJECT): (S.ENDED, ()),
    (S.ENDED, E.FAIL): (S.ENDED, ()),
    (S.ENDED, E.BYE): (S.ENDED, ()),
}

RINGING_STATES = frozenset({S.CALLING, S.RINGING, S.EARLY})


class Branch:
    """The state of one branch. `handle` raises LocalProtocolError for an event that its state does not allow."""

    def __init__(self, number: int, peer: bytes) -> None:
        self.number = number
        self.peer = peer
        self.state = State.CALLING
        self.seen: set[str] = set()

    @property
    def rings(self) -> bool:
        """Could it still win?"""
        return self.state in RINGING_STATES

    def handle(self, event: Event) -> tuple[Action, ...]:
        """Change the state; what is to be done now."""
        try:
            self.state, actions = TRANSITIONS[self.state, event]
        except KeyError:
            raise LocalProtocolError(f"branch {self.number}: {event.name} in {self.state}") from None
        return actions
