"""How a call between two devices progresses: the table of its state machine (docs/state-machines.md)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a call is."""

    CALLING = "CALLING"  # INVITE sent, nothing heard
    RINGING = "RINGING"  # it rings there
    ALERTING = "ALERTING"  # it rings here
    CONNECTED = "CONNECTED"  # answered: what its kind says may pass
    ASKING = "ASKING"  # the person here speaks; the other end has not agreed yet
    TALKING = "TALKING"  # two-way sound, after somebody spoke
    CANCELLING = "CANCELLING"  # given up; the final response is still to come
    ENDED = "ENDED"


class Event(StrEnum):
    """What can happen to a call."""

    PROVISIONAL = "1xx"
    EARLY = "1xx with SDP"
    ANSWER = "2xx"
    REJECT = "3xx-6xx"
    FAIL = "no response, or the peer vanished"
    ACCEPT = "the person answers"
    AUTO = "answered by policy"
    DECLINE = "the person declines"
    CANCEL = "CANCEL received"
    TIME_OUT = "time-out"
    SPEAK = "the person speaks"
    AGREED = "2xx to the re-INVITE"
    REFUSED = "re-INVITE refused"
    PEER_SPEAKS = "re-INVITE received"
    BYE = "BYE received"
    HANG_UP = "the person hangs up"


class Action(StrEnum):
    """What a transition asks for."""

    STOP_RINGING = "stop ringing"
    ANNOUNCE = "tone and light"
    ACCEPT = "200"
    LISTEN = "hear early media"
    OPEN = "open as its kind says"
    ASK_TALK = "re-INVITE"
    OPEN_TALK = "open talk"
    CLOSE_MEDIA = "close media"
    CANCEL = "CANCEL"
    DECLINE = "603"
    GIVE_UP = "480"
    BYE = "BYE"


S, E, A = State, Event, Action
_CANCEL = (S.CANCELLING, (A.CLOSE_MEDIA, A.CANCEL))
_OVER = (S.ENDED, (A.CLOSE_MEDIA,))
_HANG_UP = (S.ENDED, (A.CLOSE_MEDIA, A.BYE))
_SILENT = (S.ENDED, (A.STOP_RINGING, A.CLOSE_MEDIA))
_LATE = (S.ENDED, (A.BYE,))

TRANSITIONS: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (S.CALLING, E.PROVISIONAL): (S.RINGING, ()),
    (S.CALLING, E.EARLY): (S.RINGING, (A.LISTEN,)),
    (S.CALLING, E.ANSWER): (S.CONNECTED, (A.OPEN,)),
    (S.CALLING, E.REJECT): _OVER,
    (S.CALLING, E.FAIL): _OVER,
    (S.CALLING, E.BYE): _OVER,
    (S.CALLING, E.HANG_UP): _CANCEL,
    (S.CALLING, E.TIME_OUT): _CANCEL,
    (S.RINGING, E.PROVISIONAL): (S.RINGING, ()),
    (S.RINGING, E.EARLY): (S.RINGING, (A.LISTEN,)),
    (S.RINGING, E.ANSWER): (S.CONNECTED, (A.OPEN,)),
    (S.RINGING, E.REJECT): _OVER,
    (S.RINGING, E.FAIL): _OVER,
    (S.RINGING, E.BYE): _OVER,
    (S.RINGING, E.HANG_UP): _CANCEL,
    (S.RINGING, E.TIME_OUT): _CANCEL,
    # Nothing may pass before it was announced.
    (S.ALERTING, E.AUTO): (S.CONNECTED, (A.ANNOUNCE, A.ACCEPT, A.OPEN)),
    (S.ALERTING, E.ACCEPT): (S.CONNECTED, (A.STOP_RINGING, A.ACCEPT, A.OPEN)),
    (S.ALERTING, E.DECLINE): (S.ENDED, (A.STOP_RINGING, A.CLOSE_MEDIA, A.DECLINE)),
    (S.ALERTING, E.TIME_OUT): (S.ENDED, (A.STOP_RINGING, A.CLOSE_MEDIA, A.GIVE_UP)),
    (S.ALERTING, E.CANCEL): _SILENT,
    (S.ALERTING, E.BYE): _SILENT,  # of an early dialog (RFC 3261 §15)
    (S.ALERTING, E.FAIL): _SILENT,
    (S.CONNECTED, E.SPEAK): (S.ASKING, (A.ASK_TALK,)),
    (S.CONNECTED, E.PEER_SPEAKS): (S.TALKING, (A.OPEN_TALK,)),
    (S.CONNECTED, E.ANSWER): (S.CONNECTED, ()),
    (S.CONNECTED, E.CANCEL): (S.CONNECTED, ()),  # it came after the 2xx (RFC 3261 §9.2)
    (S.CONNECTED, E.BYE): _OVER,
    (S.CONNECTED, E.FAIL): _HANG_UP,
    (S.CONNECTED, E.HANG_UP): _HANG_UP,
    (S.ASKING, E.AGREED): (S.TALKING, (A.OPEN_TALK,)),
    (S.ASKING, E.REFUSED): (S.CONNECTED, ()),
    (S.ASKING, E.SPEAK): (S.ASKING, ()),
    (S.ASKING, E.ANSWER): (S.ASKING, ()),
    (S.ASKING, E.CANCEL): (S.ASKING, ()),
    (S.ASKING, E.BYE): _OVER,
    (S.ASKING, E.FAIL): _HANG_UP,
    (S.ASKING, E.HANG_UP): _HANG_UP,
    (S.TALKING, E.SPEAK): (S.TALKING, ()),
    (S.TALKING, E.PEER_SPEAKS): (S.TALKING, ()),
    (S.TALKING, E.ANSWER): (S.TALKING, ()),
    (S.TALKING, E.CANCEL): (S.TALKING, ()),
    (S.TALKING, E.BYE): _OVER,
    (S.TALKING, E.FAIL): _HANG_UP,
    (S.TALKING, E.HANG_UP): _HANG_UP,
    (S.CANCELLING, E.PROVISIONAL): (S.CANCELLING, ()),
    (S.CANCELLING, E.EARLY): (S.CANCELLING, ()),
    (S.CANCELLING, E.ANSWER): _LATE,
    (S.CANCELLING, E.REJECT): (S.ENDED, ()),
    (S.CANCELLING, E.FAIL): (S.ENDED, ()),
    (S.CANCELLING, E.BYE): (S.ENDED, ()),
    (S.CANCELLING, E.HANG_UP): (S.CANCELLING, ()),
    (S.ENDED, E.ANSWER): _LATE,
    # What was under way when the call ended may still arrive.
    **{
        (S.ENDED, event): (S.ENDED, ())
        for event in (
            E.PROVISIONAL,
            E.EARLY,
            E.REJECT,
            E.FAIL,
            E.CANCEL,
            E.AGREED,
            E.REFUSED,
            E.BYE,
            E.HANG_UP,
        )
    },
}
