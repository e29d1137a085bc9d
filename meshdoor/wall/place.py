"""Where a person is on a wall, and what touches do inside of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshdoor.wall.scene import Action


class View(StrEnum):
    CLOCK = "clock"
    DOORS = "doors"
    ROOMS = "rooms"
    VISITORS = "visitors"
    VISIT = "visit"  # one picture, large; about: the visit
    PAIRING = "pairing"
    CODE = "code"  # the digits of a newcomer; about: the newcomer
    NAME = "name"  # a keyboard; about: what is named, of NAMED
    INVITED = "invited"  # the QR code of a phone
    SETTINGS = "settings"
    HANDOVER = "handover"  # to whom a visitor is handed over
    CALL = "call"  # rings, or talks; comes by itself
    ALARM = "alarm"  # comes by itself
    NEWCOMER = "newcomer"  # this node is in no home; comes by itself


INVITE, RENAME, FOUND = "invite", "rename", "found"
NAMED: Final = (INVITE, RENAME, FOUND)
ROOTS: Final = (View.DOORS, View.ROOMS, View.VISITORS, View.PAIRING, View.SETTINGS)  # of the menu


@dataclass(frozen=True, slots=True)
class Place:
    """`page` of a list; `typed` so far; `layer` of the keyboard."""

    view: View
    about: str = ""
    page: int = 0
    typed: str = ""
    layer: str = "upper"


# What stays on the wall; the arguments of others are told in the package's docstring.
GO, BACK, TURN, TYPE, ERASE, LAYER, ENTER = "go", "back", "turn", "type", "erase", "layer", "enter"
LOCAL: Final = frozenset({GO, BACK, TURN, TYPE, ERASE, LAYER, ENTER})

HOLD: Final = 0.9  # seconds; as on the page of phones


def go(view: View, about: str = "") -> Action:
    """To a view."""
    return Action(GO, (view, about))


def turn(page: int) -> Action:
    """To a page of a list."""
    return Action(TURN, (str(page),))
