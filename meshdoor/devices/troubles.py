"""What a person in the house must be told of: a tampered door unit, a door left open, a door unit that vanished.

A node says what is wrong with it in notes to every screen, again when a link comes up:

    {"about": "trouble", "kind": KIND, "on": BOOL}

Only members of the role door, screen and lock are believed, each about itself. `vanished` is never said: screens see
it. A trouble that passes is over, but for tampering: that stays until a person has seen it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from meshdoor.errors import RemoteProtocolError

ABOUT: Final = "trouble"


class Kind(StrEnum):
    """What is wrong."""

    TAMPER = "tamper"
    LEFT_OPEN = "left open"
    RELAY = "relay"
    VANISHED = "vanished"


TEXTS: Final = {
    Kind.TAMPER: ("{name} is being taken off its wall", "look who is there; then: meshdoor alarms --clear"),
    Kind.LEFT_OPEN: ("the door of {name} stands open", "shut it"),
    Kind.RELAY: ("{name} cannot move its lock", "look at its relay and wires; there: meshdoor devices"),
    Kind.VANISHED: ("{name} has vanished", "look whether it is still there, and has power and network"),
}
PASSED: Final = "{name} was taken off its wall, and is back"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`key` is the member it is with; `since` is when it began; `on` is false for one that has passed."""

    kind: Kind
    key: bytes
    name: str
    since: float
    on: bool = True

    @property
    def text(self) -> str:
        """The sentence for a person."""
        form = TEXTS[self.kind][0] if self.on else PASSED
        return form.format(name=self.name)

    @property
    def hint(self) -> str:
        """What to do."""
        return TEXTS[self.kind][1]


class Troubles:
    """Those that a screen knows of; one of a kind and member at most."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, Kind], Trouble] = {}

    def all(self) -> tuple[Trouble, ...]:
        """The oldest first."""
        return tuple(sorted(self._known.values(), key=lambda trouble: trouble.since))

    def report(self, found: Trouble) -> Trouble | None:
        """Something is wrong, or is so no more; what is new about it for a person, if anything."""
        place = found.key, found.kind
        before = self._known.get(place)
        if found.on:
            if before is not None and before.on:
                return None
            self._known[place] = found
        elif before is None or not before.on:
            return None
        elif found.kind is Kind.TAMPER:
            self._known[place] = replace(before, on=False)
        else:
            del self._known[place]
        return found

    def clear(self) -> int:
        """A person has seen them: those that passed are forgotten. How many."""
        passed = [place for place, trouble in self._known.items() if not trouble.on]
        for place in passed:
            del self._known[place]
        return len(passed)

    def keep_only(self, members: Collection[bytes]) -> None:
        """Whoever is a member no more is no trouble."""
        self._known = {place: trouble for place, trouble in self._known.items() if place[0] in members}


def parse_note(note: dict[str, Any]) -> tuple[Kind, bool]:
    """Which kind, and whether it is on. Raises RemoteProtocolError."""
    kind, on = note.get("kind"), note.get("on")
    if kind not in (Kind.TAMPER, Kind.LEFT_OPEN, Kind.RELAY) or not isinstance(on, bool):
        raise RemoteProtocolError("a trouble that is none")
    return Kind(kind), on


def to_note(kind: Kind, on: bool) -> dict[str, Any]:
    return {"about": ABOUT, "kind": str(kind), "on": on}
