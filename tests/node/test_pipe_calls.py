"""The calls of a node in the words of liblinphone."""

from __future__ import annotations

from typing import Any

from meshdoor.node.pipe_calls import MAX_CALLS, MAX_NOTICES, PipeCalls, State

PRESS = "ab" * 8


def made() -> PipeCalls:
    return PipeCalls(lambda: "myhouse")


def told(calls: PipeCalls, **event: Any) -> list[str]:
    """What `pop-event` says after it."""
    calls.heard(event)
    return popped(calls)


def popped(calls: PipeCalls) -> list[str]:
    said = []
    while "Event-type" in (body := calls.pop().body):
        said.append(body.partition("\n\n")[2].strip().partition("\n")[0])
    return said


def names(*states: State) -> list[str]:
    return [f"Event: {state}" for state in states]


def test_a_press_is_an_outgoing_call() -> None:
    calls = made()
    assert told(calls, event="pressed", press=PRESS) == names(State.INIT, State.PROGRESS)
    assert calls.pressed(PRESS, "sip:homescreen@myhouse").id == 1
    step = {"event": "step", "press": PRESS}
    assert told(calls, **step, step="asked") == []
    assert told(calls, **step, step="provisional") == names(State.RINGS_THERE)
    assert told(calls, **step, step="early") == names(State.EARLY)
    assert told(calls, **step, step="provisional") == []
    assert "Duration" not in calls.status(calls.on[0], 9.0).body
    assert told(calls, **step, step="answered", at=5.0) == names(State.CONNECTED, State.RUNNING)
    assert calls.status(calls.on[0], 8.9).body == (
        "State: LinphoneCallStreamsRunning\nFrom: sip:homescreen@myhouse\nDirection: out\nDuration: 3\n"
    )
    assert told(calls, event="dtmf", leg=f"{PRESS}-2", digit="5") == ["Tone: 5"]
    assert told(calls, event="dtmf", leg="visit-2", digit="5") == []
    assert told(calls, event="over", press=PRESS) == names(State.END, State.RELEASED)
    assert (calls.on, calls.current, calls.find(1)) == ((), None, None)
    assert told(calls, event="over", press=PRESS) == []


def test_a_visitor_is_an_incoming_call() -> None:
    calls = made()
    assert told(calls, event="visitor", visit=4, door="Front door") == names(State.RINGS_HERE)
    assert calls.status(calls.on[0], 0.0).body == (
        "State: LinphoneCallIncomingReceived\nFrom: sip:frontdoor@myhouse\n"
    )
    assert told(calls, event="answered", visit=4, at=1.0) == names(State.CONNECTED, State.RUNNING)
    assert "Direction: in" in calls.status(calls.on[0], 1.0).body
    assert told(calls, event="dtmf", leg="visit-4", digit="#") == ["Tone: #"]
    assert told(calls, event="over", visit=4) == names(State.END, State.RELEASED)


def test_calls_between_rooms_have_their_states() -> None:
    calls = made()
    row = {"event": "call", "call": 7, "with": "Hall", "called": False}
    assert told(calls, **row, state="calling") == names(State.INIT, State.PROGRESS)
    assert calls.called(7, "sip:hall@myhouse") is calls.on[0]
    assert told(calls, **row, state="ringing") == names(State.RINGS_THERE)
    assert told(calls, **row, state="connected") == names(State.CONNECTED, State.RUNNING)
    assert told(calls, **row, state="talking") == []
    assert "Direction: out" in calls.status(calls.on[0], 1.0).body
    other = row | {"call": 8, "with": "?", "called": True}
    assert told(calls, **other, state="alerting") == names(State.RINGS_HERE)
    assert calls.on[1].address == "sip:unknown@myhouse"
    assert not calls.on[1].outgoing
    assert told(calls, event="dtmf", leg="call-8", digit="1") == ["Tone: 1"]
    assert calls.current is calls.on[0]
    assert told(calls, **row, state="ended") == names(State.END, State.RELEASED)
    assert calls.current is calls.on[0]
    assert told(calls, event="call", call=9, state="odd", **{"with": "x"}) == []


def test_a_call_may_be_known_before_it_is_told_of() -> None:
    calls = made()
    assert calls.called(3, "sip:hall@myhouse").state is None
    assert calls.status(calls.on[0], 0.0).body.startswith("State: LinphoneCallOutgoingInit")
    assert calls.pressed(PRESS).address == "sip:everyone@myhouse"


def test_nothing_grows_without_end() -> None:
    calls = made()
    for number in range(MAX_NOTICES):
        calls.heard({"event": "visitor", "visit": number, "door": "Gate"})
        calls.heard({"event": "answered", "visit": number})
    assert len(calls.on) == MAX_CALLS
    assert len(popped(calls)) == MAX_NOTICES
