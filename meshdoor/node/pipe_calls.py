"""The calls of a node as linphone-daemon numbers and names them, made of what the node tells of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from meshdoor.calls.names import fold
from meshdoor.control.daemon import NO_NOTICE, Notice, Reply

MAX_NOTICES: Final = 256  # that nobody asked for; the oldest go
MAX_CALLS: Final = 32  # that are on; the oldest are forgotten
CHANGED: Final = "call-state-changed"

Event = dict[str, Any]


class State(StrEnum):
    """Of a call, as liblinphone has them."""

    INIT = "LinphoneCallOutgoingInit"
    PROGRESS = "LinphoneCallOutgoingProgress"
    RINGS_THERE = "LinphoneCallOutgoingRinging"
    EARLY = "LinphoneCallOutgoingEarlyMedia"
    RINGS_HERE = "LinphoneCallIncomingReceived"
    CONNECTED = "LinphoneCallConnected"
    RUNNING = "LinphoneCallStreamsRunning"
    END = "LinphoneCallEnd"
    RELEASED = "LinphoneCallReleased"


ORDER: Final = tuple(State)
STEPS: Final = {"provisional": State.RINGS_THERE, "early": State.EARLY, "answered": State.RUNNING}
STATES: Final = {
    "calling": State.PROGRESS,
    "ringing": State.RINGS_THERE,
    "alerting": State.RINGS_HERE,
    "connected": State.RUNNING,
    "asking": State.RUNNING,
    "talking": State.RUNNING,
    "ended": State.RELEASED,
}
# What liblinphone goes through on its way to another state.
BETWEEN: Final = {State.PROGRESS: State.INIT, State.RUNNING: State.CONNECTED, State.RELEASED: State.END}


@dataclass(slots=True)
class PipeCall:
    """One call. `press`, `visit` or `call` is what the node calls it; `address` is the other end."""

    id: int
    address: str
    press: str | None = None
    visit: int | None = None
    call: int | None = None
    outgoing: bool = True
    state: State | None = None
    answered: float | None = None

    def has_leg(self, leg: str) -> bool:
        """Is it a leg of this call?"""
        if self.press is not None:
            return leg.startswith(f"{self.press}-")
        return leg == (f"visit-{self.visit}" if self.call is None else f"call-{self.call}")


class PipeCalls:
    """`domain` is what the addresses of members end with."""

    def __init__(self, domain: Callable[[], str]) -> None:
        self._domain = domain
        self._calls: dict[int, PipeCall] = {}
        self._count = 0
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def heard(self, event: Event) -> None:
        """The node tells of something."""
        match event:
            case {"event": "pressed", "press": str(press)}:
                self._move(self.pressed(press), State.PROGRESS, event)
            case {"event": "step", "press": str(press), "step": str(step)} if step in STEPS:
                self._move(self._find(press=press), STEPS[step], event)
            case {"event": "over", "press": str(press)}:
                self._move(self._find(press=press), State.RELEASED, event)
            case {"event": "visitor", "visit": int(visit), "door": str(door)}:
                self._move(self._new(self._address(door), visit=visit, outgoing=False), State.RINGS_HERE, event)
            case {"event": "answered", "visit": int(visit)}:
                self._move(self._find(visit=visit), State.RUNNING, event)
            case {"event": "over", "visit": int(visit)}:
                self._move(self._find(visit=visit), State.RELEASED, event)
            case {"event": "call", "call": int(call), "with": str(name), "state": str(state)} if state in STATES:
                known = self._find(call=call)
                found = known or self._new(self._address(name), call=call, outgoing=not event.get("called"))
                self._move(found, STATES[state], event)
            case {"event": "dtmf", "leg": str(leg), "digit": str(digit)}:
                self._tone(leg, digit)

    def pressed(self, press: str, address: str = "") -> PipeCall:
        """The call that a press is; `address` is what was dialled."""
        found = self._find(press=press) or self._new(self._address("everyone"), press=press)
        found.address = address or found.address
        return found

    def called(self, call: int, address: str) -> PipeCall:
        """The call that the node gave this number; `address` is what was dialled."""
        found = self._find(call=call) or self._new(address, call=call)
        found.address = address
        return found

    def find(self, number: int) -> PipeCall | None:
        """By the number that the script knows."""
        return self._calls.get(number)

    @property
    def on(self) -> tuple[PipeCall, ...]:
        """Those that are not over, the oldest first."""
        return tuple(self._calls.values())

    @property
    def current(self) -> PipeCall | None:
        """The one that a command without a number means: one that is talked in, else the last."""
        talked = [call for call in self.on if call.state is State.RUNNING]
        return next(reversed(talked or self.on), None)

    def pop(self) -> Reply:
        """What happened, one thing at a time."""
        if not self._notices:
            return NO_NOTICE
        notice = self._notices.popleft()
        return notice.reply(len(self._notices))

    def status(self, call: PipeCall, now: float) -> Reply:
        """The answer to `call-status`."""
        state = call.state or State.INIT
        if call.answered is None:
            return Reply.fields(State=state, From=call.address)
        direction = "out" if call.outgoing else "in"
        duration = int(now - call.answered)
        return Reply.fields(State=state, From=call.address, Direction=direction, Duration=duration)

    def _address(self, name: str) -> str:
        return f"sip:{fold(name) or 'unknown'}@{self._domain()}"

    def _new(self, address: str, **what: Any) -> PipeCall:
        if len(self._calls) >= MAX_CALLS:
            self._calls.pop(next(iter(self._calls)))
        self._count += 1
        made = self._calls[self._count] = PipeCall(self._count, address, **what)
        return made

    def _find(self, **wanted: object) -> PipeCall | None:
        ((name, value),) = wanted.items()
        return next((call for call in self._calls.values() if getattr(call, name) == value), None)

    def _move(self, call: PipeCall | None, state: State, event: Event) -> None:
        """To a state, through those before it; a call goes back to none that it has left."""
        if call is None or (call.state is not None and ORDER.index(state) <= ORDER.index(call.state)):
            return
        for each in (BETWEEN.get(state), state):
            if each is not None and (call.state is None or ORDER.index(each) > ORDER.index(call.state)):
                call.state = each
                self._notices.append(Notice.of(CHANGED, Event=each, From=call.address, Id=call.id))
        if state is State.RUNNING:
            call.answered = float(event.get("at", 0.0))
        elif state is State.RELEASED:
            self._calls.pop(call.id, None)

    def _tone(self, leg: str, digit: str) -> None:
        for call in self.on:
            if call.has_leg(leg):
                self._notices.append(Notice.of("receiving-tone", Tone=digit, From=call.address, Id=call.id))
