"""The branch's table: complete for what can come from outside, and closed."""

from __future__ import annotations

import pytest

from meshdoor.calls.branch import TRANSITIONS, Action, Branch, Event, State
from meshdoor.errors import LocalProtocolError

FROM_OUTSIDE = {Event.PROVISIONAL, Event.EARLY, Event.ANSWER, Event.REJECT, Event.FAIL}


def test_every_state_but_talking_takes_every_response() -> None:
    for state in set(State) - {State.TALKING}:
        for event in FROM_OUTSIDE:
            assert (state, event) in TRANSITIONS


def test_a_2xx_that_does_not_win_is_always_ended() -> None:
    for state in (State.CANCELLING, State.ENDED):
        assert TRANSITIONS[state, Event.ANSWER] == (State.ENDED, (Action.ACK_BYE,))


def test_talk_opens_only_by_an_answer() -> None:
    opening = {event for (_, event), (_, actions) in TRANSITIONS.items() if Action.OPEN_TALK in actions}
    assert opening == {Event.ANSWER}


def test_media_is_closed_whenever_a_branch_stops_being_served() -> None:
    served = {State.CALLING, State.RINGING, State.EARLY, State.TALKING}
    for (state, _), (after, actions) in TRANSITIONS.items():
        assert (state in served and after not in served) == (Action.CLOSE_MEDIA in actions)


def test_nothing_leaves_ended() -> None:
    assert {after for (state, _), (after, _) in TRANSITIONS.items() if state is State.ENDED} == {State.ENDED}


def test_an_illegal_event_is_our_bug() -> None:
    branch = Branch(1, b"kitchen")
    with pytest.raises(LocalProtocolError, match="branch 1: HANG_UP in CALLING"):
        branch.handle(Event.HANG_UP)
