"""What the events of a node say to a person, one line each."""

from __future__ import annotations

from meshdoor.control import Json

CALLS = {
    "calling": "calling {with}",
    "ringing": "it rings at {with}",
    "alerting": "{with} calls",
    "connected": "connected with {with}",
    "asking": "asking {with} for sound",
    "talking": "talking with {with}",
    "ended": "the call with {with} is over: {why}",
}
STEPS = {
    "early": "{member} rings and shows the visitor",
    "first picture": "{member} has the first picture after {ms:.0f} ms",
    "answered": "{member} answers after {ms:.0f} ms",
    "ended": "{member} falls silent: {detail}",
}
EVENTS = {
    "pressed": "somebody presses the button",
    "visitor": "somebody is at {door}",
    "knock": "somebody else is at a door",
    "answered": "answered {door}",
    "no talk": "{with} does not take our sound: {why}",
    "hand over": "{from} hands the visitor over to {to}: {state}",
    "lock": "the lock, for {who}: {result}",
    "alarm": "{text}",
    "contact": "{door} is {state}",
    "dtmf": "{from} types {digit}",
    "picture": "the first picture is shown",
    "no picture": "pictures stopped coming",
    "sound": "the first sound is heard",
}
SWITCHES = {
    "bell": ("the bell rings", "the bell is silent"),
    "ring": ("{with} rings here", "{with} rings no more"),
    "motion": ("somebody is near", "nobody is near any more"),
    "monitored": ("{by} looks or listens here", "{by} looks or listens here no more"),
}


def sentence(event: dict[str, Json]) -> str:
    """An event in words; empty for one that only programs care about."""
    form = _form(event)
    try:
        return form.format_map(event)
    except (KeyError, ValueError):
        return str(event.get("event", ""))  # of another version


def _form(event: dict[str, Json]) -> str:
    kind = str(event.get("event", ""))
    if kind == "call":
        return CALLS.get(str(event.get("state")), "")
    if kind == "step":
        return STEPS.get(str(event.get("step")), "")
    if kind == "over":
        return "{door}: {why}" if "visit" in event else "the press is over: {why}"
    if kind in SWITCHES:
        on, off = SWITCHES[kind]
        return on if event.get("on") else off
    return EVENTS.get(kind, "")
