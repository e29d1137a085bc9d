"""A visit's table: closed, and the microphone opens by an answer alone."""

from __future__ import annotations

import pytest

from meshdoor.calls.commands import Ending
from meshdoor.calls.incoming import TRANSITIONS, Action, Event, Incoming, State
from meshdoor.errors import LocalProtocolError

WAITING = (State.RINGING, State.KNOCKING)


def visit(state: State) -> Incoming:
    made = Incoming(1, b"door", 0.0, occupied=state is State.KNOCKING)
    if state is State.TALKING:
        made.handle(Event.ANSWER)
    return made


def test_the_microphone_opens_by_an_answer_alone() -> None:
    opening = {event for (_, event), (_, actions) in TRANSITIONS.items() if Action.OPEN_TALK in actions}
    assert opening == {Event.ANSWER}


def test_media_is_closed_when_a_visit_ends_and_only_then() -> None:
    for after, actions in TRANSITIONS.values():
        assert (after is State.ENDED) == (Action.CLOSE_MEDIA in actions)


def test_a_visit_that_knocks_takes_what_one_that_rings_takes() -> None:
    ringing, knocking = ({event for state, event in TRANSITIONS if state is one} for one in WAITING)
    assert ringing - {Event.OCCUPIED} == knocking - {Event.FREE}


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize(
    ("event", "ending"),
    [
        (Event.DECLINE, Ending.DECLINED),
        (Event.CANCEL, Ending.MISSED),
        (Event.ELSEWHERE, Ending.ELSEWHERE),
        (Event.TIME_OUT, Ending.MISSED),
        (Event.FAIL, Ending.LOST),
        (Event.BYE, Ending.MISSED),
    ],
)
def test_how_a_visit_ends_that_nobody_answered_here(state: State, event: Event, ending: Ending) -> None:
    one = visit(state)
    one.handle(event)
    assert (one.state, one.ending) == (State.ENDED, ending)


@pytest.mark.parametrize("event", [Event.BYE, Event.HANG_UP, Event.FAIL])
def test_how_a_conversation_ends(event: Event) -> None:
    one = visit(State.TALKING)
    one.handle(event)
    assert one.ending is Ending.ANSWERED


def test_an_answer_that_came_too_late() -> None:
    one = visit(State.TALKING)
    assert one.ending is None
    one.handle(Event.ELSEWHERE)
    assert one.ending is Ending.ELSEWHERE


def test_a_visitor_who_was_handed_over() -> None:
    one = visit(State.TALKING)
    one.handle(Event.TAKEN_OVER)
    assert one.ending is Ending.HANDED_OVER


def test_an_illegal_event_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError, match="visit 1: HANG_UP in RINGING"):
        visit(State.RINGING).handle(Event.HANG_UP)
