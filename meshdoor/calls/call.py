"""A call between two devices that is no press: monitor, room to room, page (state machine, sans-IO).

    call = Call.outgoing(Kind.MONITOR, door, now)       then do what `next_order()` says, again after each input
    call = Call.incoming(kind, caller, now, auto=True)  `auto` as `plan.receive` has it

What passes once it is answered follows from its kind: room to room everything; through a monitor only the picture of
the door; from a page only the pager's voice. Who looks or listens may then `speak`, which makes the sound two-way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from meshdoor.calls.commands import Ending
from meshdoor.calls.fork import RING_TIMEOUT
from meshdoor.calls.orders import (
    Accept,
    AnnounceMonitor,
    AskTalk,
    Bye,
    Cancel,
    CloseMedia,
    Gates,
    Invite,
    Media,
    Order,
    Over,
    Reject,
    Ring,
)
from meshdoor.calls.plan import Kind
from meshdoor.calls.progress import TRANSITIONS, Action, Event, State
from meshdoor.errors import LocalProtocolError

RING_GUARD = 180.0  # seconds until a caller that never cancels is given up

LISTEN = Gates(speaker=True)
# By kind and whether the call came in here: what passes when it is answered.
ANSWERED: dict[tuple[Kind, bool], Gates] = {
    (Kind.ROOM, False): Gates(microphone=True, speaker=True, picture=True),
    (Kind.ROOM, True): Gates(microphone=True, speaker=True, picture=True),
    (Kind.MONITOR, False): Gates(picture=True),
    (Kind.MONITOR, True): Gates(picture=True),
    (Kind.PAGE, False): Gates(microphone=True),
    (Kind.PAGE, True): Gates(speaker=True),
}
# By kind: does the end that was called make the sound two-way? Nobody needs to, room to room.
SPEAKER_IS_CALLED = {Kind.MONITOR: False, Kind.PAGE: True}
SHUT = Gates()

ENDINGS = {
    Event.DECLINE: Ending.DECLINED,
    Event.CANCEL: Ending.MISSED,
    Event.TIME_OUT: Ending.MISSED,
    Event.BYE: Ending.MISSED,
    Event.HANG_UP: Ending.CANCELLED,
}
UNANSWERED = frozenset({State.CALLING, State.RINGING, State.ALERTING})


class Call:
    """One call. Inputs that its state does not allow raise LocalProtocolError."""

    def __init__(self, kind: Kind, peer: bytes, deadline: float, *, called: bool) -> None:
        if kind is Kind.VISITOR:
            raise LocalProtocolError("a visitor is a press: see Fork and Visitors")
        self.kind = kind
        self.peer = peer
        self.called = called
        self.state = State.ALERTING if called else State.CALLING
        self.gates = SHUT
        self.ending: Ending | None = None
        self._deadline = deadline
        self._announced = False
        self._orders: deque[Order] = deque()

    @classmethod
    def outgoing(cls, kind: Kind, peer: bytes, now: float, timeout: float = RING_TIMEOUT) -> Call:
        """Call `peer`; given up after `timeout` seconds."""
        call = cls(kind, peer, now + timeout, called=False)
        call._orders.append(Invite())
        return call

    @classmethod
    def incoming(cls, kind: Kind, peer: bytes, now: float, *, auto: bool) -> Call:
        """An INVITE of `peer`. A monitor is always answered by itself, and always announced."""
        call = cls(kind, peer, now + RING_GUARD, called=True)
        if auto or kind is Kind.MONITOR:
            call._handle(Event.AUTO)
        else:
            call._orders.append(Ring(True))
        return call

    @property
    def converses(self) -> bool:
        """Does a person talk here, so that nobody should cut in?"""
        return self.gates.microphone and self.gates.speaker

    @property
    def may_speak(self) -> bool:
        """Is it this end that makes the sound two-way?"""
        return SPEAKER_IS_CALLED.get(self.kind) is self.called

    def next_order(self) -> Order | None:
        """The next thing to do, or None."""
        return self._orders.popleft() if self._orders else None

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._deadline if self.state in UNANSWERED else None

    def handle_timer(self, now: float) -> None:
        """Give up when nobody answered in time."""
        if self.state in UNANSWERED and now >= self._deadline:
            self._handle(Event.TIME_OUT)

    def provisional(self, *, early: bool = False) -> None:
        """A provisional response; `early` with a session description."""
        self._handle(Event.EARLY if early else Event.PROVISIONAL)

    def answered(self) -> None:
        """A 2xx to our INVITE."""
        self._handle(Event.ANSWER)

    def rejected(self, status: int) -> None:
        """A final response of 300 or more."""
        self._handle(Event.REJECT, Ending.of(status))

    def failed(self) -> None:
        """No response came, or the peer vanished."""
        self._handle(Event.FAIL, Ending.UNREACHABLE if self.state is State.CALLING else Ending.LOST)

    def accept(self) -> bool:
        """The person answers; False if it does not ring any more."""
        return self._if_alerting(Event.ACCEPT)

    def decline(self) -> bool:
        """The person declines; False if it does not ring any more."""
        return self._if_alerting(Event.DECLINE)

    def cancelled(self) -> None:
        """The caller gave up."""
        self._handle(Event.CANCEL)

    def speak(self) -> bool:
        """The person here wants two-way sound; False where that is not theirs to open."""
        allowed = self.may_speak and self.state in (State.CONNECTED, State.ASKING, State.TALKING)
        if allowed:
            self._handle(Event.SPEAK)
        return allowed

    def agreed(self) -> None:
        """The other end agreed to two-way sound."""
        self._handle(Event.AGREED)

    def refused(self) -> None:
        """The other end refused two-way sound: it goes on as before."""
        self._handle(Event.REFUSED)

    def peer_speaks(self) -> bool:
        """The other end offers two-way sound: False means that it may not, answer 488.

        A door never opens the microphone of who looks through it.
        """
        allowed = SPEAKER_IS_CALLED.get(self.kind) is (not self.called)
        if allowed := allowed and self.state in (State.CONNECTED, State.TALKING):
            self._handle(Event.PEER_SPEAKS)
        return allowed

    def bye(self) -> None:
        """The other end ended the dialog."""
        self._handle(Event.BYE)

    def hang_up(self) -> None:
        """The person here ends it, whatever it is by now."""
        self._handle(Event.DECLINE if self.state is State.ALERTING else Event.HANG_UP)

    def _if_alerting(self, event: Event) -> bool:
        alerting = self.state is State.ALERTING
        if alerting:
            self._handle(event)
        return alerting

    def _handle(self, event: Event, ending: Ending | None = None) -> None:
        before = self.state
        try:
            self.state, actions = TRANSITIONS[before, event]
        except KeyError:
            raise LocalProtocolError(f"call: {event.name} in {before}") from None
        for action in actions:
            DO[action](self)
        if self.ending is None and self.state in (State.CANCELLING, State.ENDED):
            self.ending = (ending or ENDINGS[event]) if before in UNANSWERED else Ending.ANSWERED
            self._orders.append(Over(self.ending))

    def _order(self, order: Order) -> None:
        self._orders.append(order)

    def _announce(self) -> None:
        self._announced = True
        self._order(AnnounceMonitor(self.peer, True))

    def _open(self, gates: Gates) -> None:
        if gates != self.gates:
            self.gates = gates
            self._order(Media(gates))

    def _open_talk(self) -> None:
        self._open(Gates(microphone=True, speaker=True, picture=self.gates.picture))

    def _close(self) -> None:
        self.gates = SHUT
        self._order(CloseMedia())
        if self._announced:
            self._order(AnnounceMonitor(self.peer, False))


DO: dict[Action, Callable[[Call], None]] = {
    Action.STOP_RINGING: lambda call: call._order(Ring(False)),
    Action.ANNOUNCE: Call._announce,
    Action.ACCEPT: lambda call: call._order(Accept()),
    Action.LISTEN: lambda call: call._open(LISTEN),
    Action.OPEN: lambda call: call._open(ANSWERED[call.kind, call.called]),
    Action.ASK_TALK: lambda call: call._order(AskTalk()),
    Action.OPEN_TALK: Call._open_talk,
    Action.CLOSE_MEDIA: Call._close,
    Action.CANCEL: lambda call: call._order(Cancel()),
    Action.DECLINE: lambda call: call._order(Reject(603)),
    Action.GIVE_UP: lambda call: call._order(Reject(480)),
    Action.BYE: lambda call: call._order(Bye()),
}
