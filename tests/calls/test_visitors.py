"""The visitors of a screen: one conversation at most, one bell, no microphone before an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshdoor.calls.commands import Ending
from meshdoor.calls.incoming import State
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
from meshdoor.calls.visitors import MAX_VISITS, PEEK, PREVIEW, RING_GUARD, SNAPSHOT_AFTER, TALK, Visitors

FRONT, GARDEN = b"front", b"garden"


def orders(visitors: Visitors) -> list[Order]:
    return list(_orders(visitors))


def _orders(visitors: Visitors) -> Iterator[Order]:
    while (order := visitors.next_order()) is not None:
        yield order


@pytest.fixture
def visitors() -> Visitors:
    """A visitor rings at the front door: visit 1."""
    visitors = Visitors()
    assert visitors.invited(FRONT, 0.0) == 1
    assert orders(visitors) == [Early(1), Media(PREVIEW, 1), Bell(True)]
    return visitors


def test_the_person_answers(visitors: Visitors) -> None:
    assert visitors.answer() == 1
    assert orders(visitors) == [Accept(1), Media(TALK, 1), Bell(False)]
    assert visitors.hang_up()
    assert orders(visitors) == [CloseMedia(1), Bye(1), Over(Ending.ANSWERED, 1)]
    assert not visitors.visits


def test_the_person_declines(visitors: Visitors) -> None:
    assert visitors.decline(1) == 1
    assert orders(visitors) == [CloseMedia(1), Reject(603, 1), Over(Ending.DECLINED, 1), Bell(False)]


def test_answered_elsewhere_is_not_missed_and_leaves_no_snapshot(visitors: Visitors) -> None:
    visitors.cancelled(1, elsewhere=True)
    assert orders(visitors) == [CloseMedia(1), Over(Ending.ELSEWHERE, 1), Bell(False)]


def test_a_missed_visitor_leaves_a_snapshot_taken_before_the_picture_goes(visitors: Visitors) -> None:
    visitors.cancelled(1, elsewhere=False)
    assert orders(visitors) == [Snapshot(1), CloseMedia(1), Over(Ending.MISSED, 1), Bell(False)]


def test_the_snapshot_is_taken_while_it_rings_and_once(visitors: Visitors) -> None:
    assert visitors.next_deadline() == SNAPSHOT_AFTER
    visitors.handle_timer(SNAPSHOT_AFTER - 0.1)
    assert orders(visitors) == []
    visitors.handle_timer(SNAPSHOT_AFTER)
    assert orders(visitors) == [Snapshot(1)]
    assert visitors.next_deadline() == RING_GUARD
    visitors.failed(1)
    assert orders(visitors) == [CloseMedia(1), Over(Ending.LOST, 1), Bell(False)]
    assert visitors.next_deadline() is None


def test_a_door_that_never_cancels(visitors: Visitors) -> None:
    visitors.handle_timer(RING_GUARD)
    assert orders(visitors) == [Snapshot(1), CloseMedia(1), Reject(480, 1), Over(Ending.MISSED, 1), Bell(False)]


def test_an_answer_that_came_too_late(visitors: Visitors) -> None:
    visitors.answer()
    visitors.bye(1, elsewhere=True)
    assert Over(Ending.ELSEWHERE, 1) in orders(visitors)


@pytest.mark.parametrize(("on", "ending"), [(True, Ending.HANDED_OVER), (False, Ending.ELSEWHERE)])
def test_a_visitor_who_is_handed_over(visitors: Visitors, on: bool, ending: Ending) -> None:
    visitors.handing(1, on=True)  # nobody talks: there is nothing to hand over
    assert not visitors.visits[1].handing
    visitors.answer()
    orders(visitors)
    visitors.handing(1, on=True)
    visitors.handing(1, on=on)
    visitors.handing(7, on=True)
    visitors.bye(1, elsewhere=True)
    assert orders(visitors) == [CloseMedia(1), Over(ending, 1)]


def test_a_cancel_after_the_answer_means_nothing(visitors: Visitors) -> None:
    visitors.answer()
    orders(visitors)
    visitors.cancelled(1, elsewhere=False)
    assert orders(visitors) == []


def test_the_door_hangs_up(visitors: Visitors) -> None:
    visitors.answer()
    orders(visitors)
    visitors.bye(1)
    assert orders(visitors) == [CloseMedia(1), Over(Ending.ANSWERED, 1)]


def test_a_second_visitor_knocks_and_rings_when_the_first_goes(visitors: Visitors) -> None:
    visitors.answer()
    orders(visitors)
    assert visitors.invited(GARDEN, 5.0) == 2
    assert orders(visitors) == [Early(2), Media(PEEK, 2), Knock(2)]
    visitors.hang_up()
    assert orders(visitors) == [CloseMedia(1), Bye(1), Over(Ending.ANSWERED, 1), Media(PREVIEW, 2), Bell(True)]


def test_answering_the_second_ends_the_first(visitors: Visitors) -> None:
    visitors.answer()
    visitors.invited(GARDEN, 5.0)
    orders(visitors)
    assert visitors.answer() == 2
    assert orders(visitors) == [CloseMedia(1), Bye(1), Over(Ending.ANSWERED, 1), Accept(2), Media(TALK, 2)]


def test_two_ring_and_the_one_not_answered_falls_silent(visitors: Visitors) -> None:
    visitors.invited(GARDEN, 1.0)
    orders(visitors)
    assert visitors.answer(2) == 2
    assert orders(visitors) == [Accept(2), Media(TALK, 2), Media(PEEK, 1), Bell(False)]


def test_a_visitor_during_a_room_call(visitors: Visitors) -> None:
    visitors.in_call(True)
    assert orders(visitors) == [Media(PEEK, 1), Bell(False)]
    visitors.in_call(False)
    assert orders(visitors) == [Media(PREVIEW, 1), Bell(True)]
    visitors.in_call(True)
    orders(visitors)
    visitors.answer()
    visitors.in_call(False)
    assert orders(visitors) == [LeaveCall(), Accept(1), Media(TALK, 1)]


def test_pressed_again_at_the_door_that_talks(visitors: Visitors) -> None:
    visitors.pressed(1)
    visitors.pressed(7)
    assert orders(visitors) == []
    visitors.answer()
    orders(visitors)
    visitors.pressed(1)
    assert orders(visitors) == [Knock(1)]


def test_what_the_person_does_too_late_does_nothing(visitors: Visitors) -> None:
    visitors.cancelled(1, elsewhere=True)
    orders(visitors)
    assert visitors.answer() is None
    assert visitors.decline() is None
    assert not visitors.hang_up()
    visitors.bye(1)
    assert orders(visitors) == []


def test_so_many_visitors_and_no_more() -> None:
    visitors = Visitors()
    assert [visitors.invited(FRONT, 0.0) for _ in range(MAX_VISITS)] == list(range(1, MAX_VISITS + 1))
    assert visitors.invited(FRONT, 0.0) is None


class VisitorsMachine(RuleBasedStateMachine):
    """Doors and a person do what they like, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.visitors = Visitors()
        self.gates: dict[int, Gates] = {}
        self.answered: set[int] = set()
        self.over: set[int] = set()
        self.bell = False
        self.in_call = False

    number = st.integers(min_value=1, max_value=6)

    def obey(self) -> None:
        for order in orders(self.visitors):
            match order:
                case Early(number):
                    assert number not in self.over
                case Media(gates, number):
                    assert number not in self.over
                    assert not gates.microphone or number in self.answered
                    self.gates[number] = gates
                case CloseMedia(number):
                    del self.gates[number]
                case Over(_, number):
                    assert number not in self.over
                    self.over.add(number)
                case Bell(on):
                    assert on != self.bell
                    self.bell = on
                case LeaveCall():
                    assert self.in_call
                    self.in_call = False

    @rule()
    def invited(self) -> None:
        self.visitors.invited(FRONT, self.now)
        self.obey()

    @rule(number=number)
    def person_answers(self, number: int) -> None:
        answered = self.visitors.answer(number)
        self.answered |= {number} if answered else set()
        self.obey()

    @rule(number=number)
    def person_declines(self, number: int) -> None:
        self.visitors.decline(number)
        self.obey()

    @rule()
    def person_hangs_up(self) -> None:
        self.visitors.hang_up()
        self.obey()

    @rule(number=number, elsewhere=st.booleans())
    def cancel(self, number: int, elsewhere: bool) -> None:
        self.visitors.cancelled(number, elsewhere=elsewhere)
        self.obey()

    @rule(number=number, elsewhere=st.booleans())
    def bye(self, number: int, elsewhere: bool) -> None:
        self.visitors.bye(number, elsewhere=elsewhere)
        self.obey()

    @rule(number=number, on=st.booleans())
    def handing(self, number: int, on: bool) -> None:
        self.visitors.handing(number, on=on)
        self.obey()

    @rule(number=number)
    def crash(self, number: int) -> None:
        self.visitors.failed(number)
        self.obey()

    @rule(number=number)
    def press(self, number: int) -> None:
        self.visitors.pressed(number)
        self.obey()

    @rule(busy=st.booleans())
    def room_call(self, busy: bool) -> None:
        if not busy or self.visitors.talking is None:
            self.in_call = busy
            self.visitors.in_call(busy)
        self.obey()

    @rule(seconds=st.floats(min_value=0.0, max_value=100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.visitors.handle_timer(self.now)
        self.obey()

    @invariant()
    def one_conversation_one_bell(self) -> None:
        states = [visit.state for visit in self.visitors.visits.values()]
        talking = [number for number, gates in self.gates.items() if gates.microphone]
        assert len(talking) == states.count(State.TALKING) <= 1
        assert not (talking and self.in_call)
        assert self.bell == (State.RINGING in states)
        assert self.bell <= (not talking and not self.in_call)
        assert set(self.gates) == set(self.visitors.visits)

    def teardown(self) -> None:
        """Doors that never cancel are given up; nothing goes on ringing."""
        self.visitors.hang_up()
        for _ in range(2):
            self.now += RING_GUARD
            self.visitors.handle_timer(self.now)
        assert not self.visitors.visits
        assert self.visitors.next_deadline() is None


TestVisitorsMachine = VisitorsMachine.TestCase
TestVisitorsMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
