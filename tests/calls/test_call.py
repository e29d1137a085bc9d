"""A call between two devices: what passes when, who may open the microphone, and that both ends end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meshdoor.calls.call import RING_GUARD, SHUT, Call
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
from meshdoor.calls.progress import TRANSITIONS, Action, State
from meshdoor.errors import LocalProtocolError

DOOR, KITCHEN, HALL = b"door", b"kitchen", b"hall"
SEE = Gates(picture=True)
ALL = Gates(microphone=True, speaker=True, picture=True)


def orders(call: Call) -> list[Order]:
    return list(_orders(call))


def _orders(call: Call) -> Iterator[Order]:
    while (order := call.next_order()) is not None:
        yield order


def outgoing(kind: Kind) -> Call:
    call = Call.outgoing(kind, DOOR, 0.0)
    assert orders(call) == [Invite()]
    return call


def connected(kind: Kind, *, called: bool) -> Call:
    """A call that was just answered."""
    if called:
        call = Call.incoming(kind, KITCHEN, 0.0, auto=False)
        call.accept()
    else:
        call = Call.outgoing(kind, DOOR, 0.0)
        call.answered()
    assert call.state is State.CONNECTED
    orders(call)
    return call


def test_a_monitor_shows_the_picture_and_opens_sound_when_the_person_says_so() -> None:
    call = outgoing(Kind.MONITOR)
    call.provisional()
    call.answered()
    assert orders(call) == [Media(SEE)]
    assert call.speak()
    assert orders(call) == [AskTalk()]
    assert not call.converses
    call.agreed()
    assert orders(call) == [Media(ALL)]
    assert call.converses


def test_a_door_announces_whoever_looks_before_anything_passes_and_until_nothing_does() -> None:
    call = Call.incoming(Kind.MONITOR, KITCHEN, 0.0, auto=False)
    assert orders(call) == [AnnounceMonitor(KITCHEN, True), Accept(), Media(SEE)]
    assert call.peer_speaks()
    assert orders(call) == [Media(ALL)]
    call.bye()
    assert orders(call) == [CloseMedia(), AnnounceMonitor(KITCHEN, False), Over(Ending.ANSWERED)]


def test_a_door_never_opens_the_sound_of_who_looks() -> None:
    watcher, door = connected(Kind.MONITOR, called=False), Call.incoming(Kind.MONITOR, KITCHEN, 0.0, auto=True)
    assert not watcher.peer_speaks()
    assert not door.speak()
    assert watcher.gates == SEE


def test_refused_talk_changes_nothing() -> None:
    call = connected(Kind.MONITOR, called=False)
    call.speak()
    call.refused()
    assert (call.state, call.gates) == (State.CONNECTED, SEE)


def test_speaking_twice_asks_once() -> None:
    call = connected(Kind.MONITOR, called=False)
    assert call.speak()
    assert call.speak()
    call.agreed()
    assert call.speak()
    assert orders(call) == [AskTalk(), Media(ALL)]


def test_room_to_room_rings_and_opens_everything_by_an_answer() -> None:
    call = Call.incoming(Kind.ROOM, HALL, 0.0, auto=False)
    assert orders(call) == [Ring(True)]
    assert call.accept()
    assert orders(call) == [Ring(False), Accept(), Media(ALL)]
    assert not call.accept()
    assert not call.may_speak
    assert not call.speak()


def test_an_answer_by_policy_is_announced() -> None:
    call = Call.incoming(Kind.ROOM, HALL, 0.0, auto=True)
    assert orders(call) == [AnnounceMonitor(HALL, True), Accept(), Media(ALL)]


def test_a_page_is_one_way_until_the_listener_speaks() -> None:
    pager, listener = connected(Kind.PAGE, called=False), connected(Kind.PAGE, called=True)
    assert (pager.gates, listener.gates) == (Gates(microphone=True), Gates(speaker=True))
    assert not pager.speak()
    assert listener.speak()
    assert pager.peer_speaks()
    listener.agreed()
    assert pager.gates == listener.gates == Gates(microphone=True, speaker=True)


def test_early_media_of_an_old_phone_is_heard_and_not_answered() -> None:
    call = outgoing(Kind.ROOM)
    call.provisional(early=True)
    assert orders(call) == [Media(Gates(speaker=True))]
    call.provisional(early=True)
    assert orders(call) == []


def test_the_caller_gives_up() -> None:
    call = outgoing(Kind.ROOM)
    call.hang_up()
    assert orders(call) == [CloseMedia(), Cancel(), Over(Ending.CANCELLED)]
    call.hang_up()
    call.rejected(487)
    assert (orders(call), call.state) == ([], State.ENDED)


def test_an_answer_to_a_call_given_up_gets_bye() -> None:
    call = outgoing(Kind.ROOM)
    call.hang_up()
    orders(call)
    call.answered()
    assert orders(call) == [Bye()]
    assert call.ending is Ending.CANCELLED


def test_nobody_answers_there() -> None:
    call = outgoing(Kind.ROOM)
    call.provisional()
    assert call.next_deadline() == RING_TIMEOUT
    call.handle_timer(RING_TIMEOUT - 1)
    assert orders(call) == []
    call.handle_timer(RING_TIMEOUT)
    assert orders(call) == [CloseMedia(), Cancel(), Over(Ending.MISSED)]
    assert call.next_deadline() is None


def test_nobody_answers_here() -> None:
    call = Call.incoming(Kind.ROOM, HALL, 0.0, auto=False)
    orders(call)
    call.handle_timer(RING_GUARD)
    assert orders(call) == [Ring(False), CloseMedia(), Reject(480), Over(Ending.MISSED)]


@pytest.mark.parametrize(
    ("status", "ending"), [(486, Ending.BUSY), (603, Ending.DECLINED), (503, Ending.UNREACHABLE), (488, Ending.FAILED)]
)
def test_the_other_end_says_no(status: int, ending: Ending) -> None:
    call = outgoing(Kind.ROOM)
    call.rejected(status)
    assert orders(call) == [CloseMedia(), Over(ending)]


def test_the_person_declines() -> None:
    call = Call.incoming(Kind.ROOM, HALL, 0.0, auto=False)
    orders(call)
    call.hang_up()
    assert orders(call) == [Ring(False), CloseMedia(), Reject(603), Over(Ending.DECLINED)]
    assert not call.decline()


def test_a_caller_that_cancels_was_missed() -> None:
    call = Call.incoming(Kind.ROOM, HALL, 0.0, auto=False)
    call.cancelled()
    assert call.ending is Ending.MISSED


def test_a_peer_that_vanishes() -> None:
    calling, ringing, talking = outgoing(Kind.ROOM), outgoing(Kind.ROOM), connected(Kind.ROOM, called=True)
    ringing.provisional()
    for call in (calling, ringing, talking):
        call.failed()
    assert [call.ending for call in (calling, ringing, talking)] == [
        Ending.UNREACHABLE,
        Ending.LOST,
        Ending.ANSWERED,
    ]
    assert orders(talking) == [CloseMedia(), Bye(), Over(Ending.ANSWERED)]


def test_a_visitor_is_no_call() -> None:
    with pytest.raises(LocalProtocolError, match="Fork"):
        Call.outgoing(Kind.VISITOR, DOOR, 0.0)


def test_an_illegal_event_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError, match="call: AGREED in CALLING"):
        outgoing(Kind.ROOM).agreed()


def test_media_is_closed_whenever_a_call_stops_and_nothing_leaves_ended() -> None:
    over = {State.CANCELLING, State.ENDED}
    for (before, _), (after, actions) in TRANSITIONS.items():
        assert (before not in over and after in over) == (Action.CLOSE_MEDIA in actions)
        assert before is not State.ENDED or after is State.ENDED


class CallMachine(RuleBasedStateMachine):
    """Two ends of a call and the messages between them, which may be lost with the link, never overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.caller: Call | None = None
        self.called: Call | None = None
        self.to_called: deque[str] = deque()
        self.to_caller: deque[str] = deque()
        self.gates = {False: SHUT, True: SHUT}
        self.announced = False
        self.person = False  # somebody at the called end answered or spoke
        self.spoke = False  # somebody at the calling end spoke
        self.cut = False

    @initialize(kind=st.sampled_from([Kind.ROOM, Kind.MONITOR, Kind.PAGE]), auto=st.booleans())
    def begin(self, kind: Kind, auto: bool) -> None:
        self.kind = kind
        self.auto = auto
        self.caller = Call.outgoing(kind, DOOR, self.now)
        self.obey()

    def obey(self) -> None:
        for call, queue in ((self.caller, self.to_called), (self.called, self.to_caller)):
            for order in orders(call) if call else ():
                self.do(call, order, queue)

    def do(self, call: Call | None, order: Order, queue: deque[str]) -> None:
        assert call is not None
        match order:
            case Media(gates):
                self.gates[call.called] = gates
            case CloseMedia():
                self.gates[call.called] = SHUT
            case AnnounceMonitor(_, on):
                self.announced = on
            case Ring(True):
                queue.append("180")
            case Accept():
                queue.append("200")
            case Reject(status):
                queue.append(str(status))
            case Invite() | Cancel() | Bye() | AskTalk():
                queue.append(type(order).__name__.upper())
        if self.cut:
            queue.clear()

    @rule()
    def deliver_to_called(self) -> None:
        if not self.to_called:
            return
        message, call = self.to_called.popleft(), self.called
        if call is None:
            self.called = Call.incoming(self.kind, KITCHEN, self.now, auto=self.auto)
        elif message == "CANCEL":
            waited = call.state is State.ALERTING
            call.cancelled()
            self.to_caller.extend(["487"] if waited else [])
        elif message == "BYE":
            call.bye()
        elif message == "ASKTALK":
            self.to_caller.append("AGREED" if call.peer_speaks() else "REFUSED")
        else:
            self.deliver_answer(call, message)
        self.obey()

    @rule()
    def deliver_to_caller(self) -> None:
        call = self.caller
        assert call is not None
        if not self.to_caller:
            return
        message = self.to_caller.popleft()
        match message:
            case "180":
                call.provisional()
            case "200":
                call.answered()
            case "BYE":
                call.bye()
            case "ASKTALK":
                self.to_called.append("AGREED" if call.peer_speaks() else "REFUSED")
            case "AGREED" | "REFUSED":
                self.deliver_answer(call, message)
            case _:
                call.rejected(int(message))
        self.obey()

    def deliver_answer(self, call: Call, message: str) -> None:
        if message == "AGREED":
            call.agreed()
        else:
            call.refused()

    @rule()
    def person_answers(self) -> None:
        if self.called is not None:
            self.person |= self.called.accept()
        self.obey()

    @rule()
    def person_declines(self) -> None:
        if self.called is not None:
            self.called.decline()
        self.obey()

    @rule(at_called=st.booleans())
    def person_speaks(self, at_called: bool) -> None:
        call = self.called if at_called else self.caller
        if call is not None and call.speak():
            self.person |= at_called
            self.spoke |= not at_called
        self.obey()

    @rule(at_called=st.booleans())
    def person_hangs_up(self, at_called: bool) -> None:
        call = self.called if at_called else self.caller
        if call is not None:
            call.hang_up()
        self.obey()

    @rule()
    def link_is_cut(self) -> None:
        self.cut = True
        self.to_called.clear()
        self.to_caller.clear()
        for call in (self.caller, self.called):
            if call is not None:
                call.failed()
        self.obey()

    @rule(seconds=st.floats(min_value=0.0, max_value=60.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for call in (self.caller, self.called):
            if call is not None:
                call.handle_timer(self.now)
        self.obey()

    @invariant()
    def nothing_passes_unasked(self) -> None:
        if self.gates[True] != SHUT:
            assert self.announced or self.person, "somebody sees or hears unannounced"
        if self.gates[True].microphone and self.kind is Kind.MONITOR:
            assert self.spoke, "the door is heard before anybody asked"
        if self.gates[False].microphone and self.kind is Kind.MONITOR:
            assert self.spoke
        if self.gates[True].microphone and self.kind is Kind.PAGE:
            assert self.person, "a page opened the listener's microphone"
        for call in (self.caller, self.called):
            if call is not None and call.ending is not None:
                assert self.gates[call.called] == SHUT

    def teardown(self) -> None:
        """Whoever is left hangs up or waits: both ends end, and no light stays on."""
        if self.caller is None:
            return
        self.caller.hang_up()
        self.obey()
        while self.to_called or self.to_caller:
            self.deliver_to_called()
            self.deliver_to_caller()
        self.link_is_cut()
        assert self.caller.state is State.ENDED
        assert self.called is None or self.called.state is State.ENDED
        assert not self.announced
        assert self.gates == {False: SHUT, True: SHUT}


TestCallMachine = CallMachine.TestCase
TestCallMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
