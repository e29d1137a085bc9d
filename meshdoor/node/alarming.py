"""Alarms of the house: what the sensors of each node say, on every screen.

Notes about "trouble" are those of `meshdoor.devices.troubles`. With `{"about": "contact", "state": STATE, "of": NAME}`
a node says how the door is that its contact watches; `of` is the name of that door, "" for the node's own. With
`{"about": "seen"}` a screen says that a person has seen what passed. Both ends say all again on each new link.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from meshdoor.config import MAX_NAME, Config
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.devices import troubles
from meshdoor.devices.contact import Door
from meshdoor.devices.troubles import Kind, Trouble, Troubles
from meshdoor.errors import RemoteProtocolError
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal
from meshdoor.node.arguments import Args, checked
from meshdoor.node.notes import Note
from meshdoor.trust.permissions import Role

if TYPE_CHECKING:
    from meshdoor.node.house import House

SENSORS: Final = frozenset({Role.DOOR, Role.SCREEN, Role.LOCK})
UNITS: Final = frozenset({Role.DOOR, Role.LOCK})  # those whose vanishing is an alarm

STATES: Final = {state.value for state in Door}

Publish = Callable[[dict[str, Any]], None]


class Alarming:
    """What is wrong in this house, as far as this node is told. A contact at a lock watches the door of that lock."""

    def __init__(self, house: House, config: Config) -> None:
        self.publish: Publish = lambda event: None
        self.contacts: dict[bytes, tuple[Door, str]] = {}
        self._house = house
        self._vanished = config.devices.vanished
        self._of = config.lock.of if config.lock is not None else ""
        self._own: set[Kind] = set()
        self._troubles = Troubles()
        self._look = asyncio.Event()
        self._began: float | None = None
        for about, handler in ((troubles.ABOUT, self._told), ("contact", self._contact_told), ("seen", self._seen)):
            house.notes.register(about, handler, early=True)
        house.on_link.append(self._linked)
        house.watchers.append(self._look.set)

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        return {"alarms": checked(self._alarms_verb), "alarms_clear": checked(self._clear_verb)}

    def on(self) -> tuple[Trouble, ...]:
        """The alarms of this house, as far as this node is told of them."""
        return self._troubles.all()

    def contact_of(self, door: bytes, name: str) -> str:
        """How a door is: `open`, `left open` or `closed`; empty where no contact says so."""
        if door in self.contacts and not self.contacts[door][1]:
            return self.contacts[door][0].value
        wanted = name.casefold()
        return next((state.value for state, of in self.contacts.values() if of and of.casefold() == wanted), "")

    def say(self, kind: Kind, on: bool) -> None:
        """What a sensor of this node says now. Screens are told when that is news."""
        if on is (kind in self._own):
            return
        (self._own.add if on else self._own.discard)(kind)
        self._send(troubles.to_note(kind, on))
        self._report(kind, self._house.membership.identity.key, on)

    def say_contact(self, state: Door) -> None:
        """How the door is that the contact of this node watches."""
        self._send(self._contact_note(state))
        self._contact(self._house.membership.identity.key, state, self._of)
        self.say(Kind.LEFT_OPEN, state is Door.LEFT_OPEN)

    async def run(self) -> None:
        """Watch for door units that vanish, until cancelled."""
        self._began = _now()
        while True:
            self._look.clear()
            deadline = self._look_for_vanished()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._look.wait()

    def _look_for_vanished(self) -> float | None:
        """When to look again."""
        self._troubles.keep_only(self._house.membership.roster.members)
        if not self._vanished or self._house.role is not Role.SCREEN:
            return None
        deadlines = []
        for peer in self._house.peers.peers():
            if peer.member.role not in UNITS:
                continue
            deadline = self._gone_since(peer)
            if deadline is not None and deadline > _now():
                deadlines.append(deadline)
            self._report(Kind.VANISHED, peer.key, deadline is not None and deadline <= _now())
        return min(deadlines, default=None)

    def _gone_since(self, peer: Peer) -> float | None:
        """When it counts as vanished; None while it is in reach. One that was never seen: since this node began."""
        if peer.state != "unreachable" or self._began is None:
            return None
        return (self._began if peer.since is None else max(peer.since, self._began)) + self._vanished

    def _told(self, key: bytes, note: Note) -> None:
        self._check(key)
        kind, on = troubles.parse_note(note)
        self._report(kind, key, on)

    def _contact_told(self, key: bytes, note: Note) -> None:
        self._check(key)
        of, state = note.get("of"), note.get("state")
        if not isinstance(of, str) or len(of) > MAX_NAME or not of.isprintable() or not isinstance(state, str):
            raise RemoteProtocolError("a contact of no door")
        if state not in STATES:
            raise RemoteProtocolError("a contact that says nothing")
        self._contact(key, Door(state), of)

    def _seen(self, key: bytes, note: Note) -> None:
        member = self._house.membership.roster.member(key)
        if member is None or member.role is not Role.SCREEN:
            raise RemoteProtocolError("only screens have people before them")
        self._clear()

    def _check(self, key: bytes) -> None:
        member = self._house.membership.roster.member(key)
        if member is None or member.role not in SENSORS:
            raise RemoteProtocolError("it has no sensors")
        if self._house.role is not Role.SCREEN:
            raise RemoteProtocolError("this is for screens")

    def _contact(self, key: bytes, state: Door, of: str) -> None:
        if self.contacts.get(key) == (state, of):
            return
        self.contacts[key] = state, of
        name = of or self._house.name_of(key)
        journal.say("contact", f"{name} is {state.value}", member=self._house.name_of(key), state=state.value)
        self.publish({"event": "contact", "door": name, "state": state.value})
        self._house.looks_different()

    def _report(self, kind: Kind, key: bytes, on: bool) -> None:
        of = self.contacts[key][1] if kind is Kind.LEFT_OPEN and key in self.contacts else ""
        name = of or self._house.name_of(key)
        news = self._troubles.report(Trouble(kind, key, name, time.time(), on))
        if news is None:
            return
        (journal.warn if on else journal.say)("alarm", news.text if on else f"{name}: {kind} is over", member=name)
        self.publish({"event": "alarm", "kind": str(kind), "member": name, "on": on, "text": news.text})
        self._house.looks_different()

    def _linked(self, key: bytes, up: bool) -> None:
        if not up:
            self.contacts.pop(key, None)
            return
        member = self._house.membership.roster.member(key)
        if member is None or member.role is not Role.SCREEN:
            return
        for kind in (Kind.TAMPER, Kind.LEFT_OPEN, Kind.RELAY):
            if kind in self._own or self._house.role is not Role.SCREEN:
                self._house.links.send_note(key, troubles.to_note(kind, kind in self._own))
        own = self.contacts.get(self._house.membership.identity.key)
        if own is not None:
            self._house.links.send_note(key, self._contact_note(own[0]))

    def _contact_note(self, state: Door) -> Note:
        return {"about": "contact", "state": state.value, "of": self._of}

    def _send(self, note: Note) -> None:
        """To every screen in reach."""
        for peer in self._house.reachable():
            if peer.member.role is Role.SCREEN:
                self._house.links.send_note(peer.key, note)

    async def _alarms_verb(self, args: Args) -> Json:
        return [
            {"kind": str(each.kind), "text": each.text, "hint": each.hint, "since": each.since, "on": each.on}
            for each in self.on()
        ]

    async def _clear_verb(self, args: Args) -> Json:
        self._send({"about": "seen"})
        return {"cleared": self._clear(), "left": len(self.on())}

    def _clear(self) -> int:
        cleared = self._troubles.clear()
        if cleared:
            self._house.looks_different()
        return cleared


def _now() -> float:
    return asyncio.get_running_loop().time()
