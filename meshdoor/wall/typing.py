"""What a wall's own keyboard and keypad do with a place (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshdoor.wall.place import ENTER, ERASE, FOUND, INVITE, LAYER, RENAME, TYPE, Place, View
from meshdoor.wall.scene import Action

MAX_NAME: Final = 32  # characters: what fits a door's sign and every view
CODE: Final = 8  # digits


def typed(place: Place, action: Action) -> Place:
    """The place after a key."""
    if action.verb == LAYER:
        return replace(place, layer=action.args[0])
    if action.verb == ERASE:
        return replace(place, typed=place.typed[:-1])
    text = place.typed + action.args[0]
    if place.view is View.CODE:
        return replace(place, typed=text) if len(text) <= CODE and text.isdecimal() else place
    # As by hand: what follows the first letter of a word is small.
    layer = "lower" if place.layer == "upper" else place.layer
    return replace(place, typed=text, layer=layer) if len(text) <= MAX_NAME and text.isprintable() else place


def typable(place: Place, name: str) -> Action | None:
    """What a key of a real keyboard does here."""
    if place.view not in (View.CODE, View.NAME):
        return None
    if name in ("backspace", "return"):
        return Action(ERASE if name == "backspace" else ENTER)
    return Action(TYPE, (name,)) if len(name) == 1 else None


def complete(place: Place) -> bool:
    """Is that all that is asked for?"""
    return len(place.typed) == CODE if place.view is View.CODE else bool(place.typed.strip())


def entered(place: Place) -> Action:
    """What is asked of the node with what was typed."""
    text = place.typed.strip()
    if place.view is View.CODE:
        return Action("pair", (place.about, text))
    return {
        INVITE: Action("invite", (text,)),
        RENAME: Action("set", ("name", text)),
        FOUND: Action("found", (text,)),
    }[place.about]
