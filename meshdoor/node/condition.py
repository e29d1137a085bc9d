"""How the devices of this node are, and those of the others: so that everybody sees that a door has no picture.

A note about "devices" says {"failed": {kind: why}, "dark": bool}, to every node that this one is linked with, whenever
that changes and on each new link. What another says of itself is shown, and never acted upon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from meshdoor.errors import RemoteProtocolError
from meshdoor.media.reports import FAILED, Device
from meshdoor.node import journal
from meshdoor.node.notes import Note

if TYPE_CHECKING:
    from meshdoor.node.house import House

ABOUT: Final = "devices"
MAX_TEXT: Final = 160  # characters
# What is amiss when a device fails, by its kind. Others are a node's own affair.
LACKS: Final = {
    "camera": "no picture",
    "microphone": "no sound from its microphone",
    "speaker": "no sound at its speaker",
    "display": "nothing on its display",
    "button": "no working button",
    "bell": "no working bell",
    "light": "no working light",
    "contact": "no working contact at its door",
    "tamper": "no working tamper switch",
    "motion": "no working motion sensor",
    "lock": "no working relay at its lock",
}
SCENE: Final = "scene"  # a kind whose state is `dark` or `ok`


@dataclass(frozen=True, slots=True)
class Condition:
    """`failed` tells of each kind of device that does not work why it does not."""

    failed: Mapping[str, str] = field(default_factory=dict)
    dark: bool = False

    @classmethod
    def parse(cls, note: Note) -> Condition:
        """Raises RemoteProtocolError."""
        failed, dark = note.get("failed"), note.get("dark")
        if not isinstance(failed, dict) or not isinstance(dark, bool) or not all(map(_is_reason, failed.items())):
            raise RemoteProtocolError("a condition that says nothing")
        return cls(failed, dark)

    def to_note(self) -> Note:
        return {"about": ABOUT, "failed": dict(self.failed), "dark": self.dark}

    @property
    def troubles(self) -> tuple[str, ...]:
        """What does not work and why, for a person."""
        return tuple(f"{LACKS[kind]}: {why}" for kind, why in sorted(self.failed.items()))


class Told(NamedTuple):
    """What the media engine said last of a device."""

    state: str
    text: str


class Conditions:
    """Of this node and of its peers."""

    def __init__(self, house: House) -> None:
        self.own = Condition()
        self.devices: dict[str, Told] = {}
        self._house = house
        self._others: dict[bytes, Condition] = {}
        house.on_link.append(self._linked)
        house.notes.register(ABOUT, self._received, early=True)

    def told(self, device: Device) -> None:
        """The media engine tells of a device of this node."""
        before = self.devices.get(device.kind)
        self.devices[device.kind] = Told(device.state, device.text)
        if before != self.devices[device.kind]:
            _log(device, before)
            self._look()

    def unknown(self) -> None:
        """The media engine ended; the next one will tell."""
        self.devices.clear()
        self._look()

    def wired(self) -> None:
        """What is wired to this node is otherwise than it was: see `House.wired`."""
        self._look()

    def of(self, key: bytes) -> Condition:
        """That of a member that is linked, or of this node."""
        own = self._house.membership.identity.key
        return self.own if key == own else self._others.get(key, Condition())

    def _look(self) -> None:
        devices = self.devices | dict(self._house.wired())
        failed = {kind: told.text for kind, told in devices.items() if told.state == FAILED and kind in LACKS}
        scene = self.devices.get(SCENE)
        now = Condition({kind: _clean(text) for kind, text in failed.items()}, scene is not None and scene[0] == "dark")
        if now == self.own:
            return
        self.own = now
        for link in self._house.links.links():
            self._house.links.send_note(link.key, now.to_note())
        self._house.looks_different()

    def _linked(self, key: bytes, up: bool) -> None:
        if not up:
            self._others.pop(key, None)
        elif self.own != Condition():
            self._house.links.send_note(key, self.own.to_note())

    def _received(self, key: bytes, note: Note) -> None:
        said = Condition.parse(note)
        before = self.of(key)
        if said == before:
            return
        self._others[key] = said
        name = self._house.name_of(key)
        for trouble in sorted(set(said.troubles) - set(before.troubles)):
            journal.warn("trouble", f"{name}: {trouble}", member=name)
        if before.troubles and not said.troubles:
            journal.say("trouble", f"{name}: all devices work again", member=name)
        self._house.looks_different()


def _log(device: Device, before: Told | None) -> None:
    failed = before is not None and before.state == FAILED
    if device.state == FAILED and not failed:
        journal.warn(device.kind, device.text)
    elif failed and device.state != FAILED:
        journal.say(device.kind, f"the {device.kind} works again")
    elif device.text:
        journal.say(device.kind, device.text)


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:MAX_TEXT]


def _is_reason(entry: tuple[object, object]) -> bool:
    kind, why = entry
    return kind in LACKS and isinstance(why, str) and len(why) <= MAX_TEXT and why.isprintable()
