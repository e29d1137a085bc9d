"""The button of a door: whom a press rings, and who else while it rings."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from meshdoor.calls import plan
from meshdoor.calls.names import Meant
from meshdoor.config import Config
from meshdoor.control import Json
from meshdoor.errors import Refused
from meshdoor.mesh.peers import Peer
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.outsiders import Outsiders, names_of
from meshdoor.node.pressing import Pressing
from meshdoor.trust.permissions import Permission


class Calls(Protocol):
    """The call service, as far as the button concerns it."""

    pressing: Pressing
    outsiders: Outsiders

    def peers(self) -> list[Peer]:
        """The other members, as they are now."""

    def name_of(self, key: bytes) -> str:
        """What people call a member."""


class Button:
    """`rings` is told of each member that can be rung now and could not before."""

    def __init__(self, calls: Calls, config: Config, house: House, rings: Callable[[bytes], None]) -> None:
        self._calls = calls
        self._config = config
        self._house = house
        self._rings = rings
        self._ringable: set[bytes] = set()
        self._only: frozenset[bytes] | None = None  # whom the last press was for; None: everybody
        self._outside: frozenset[bytes] = frozenset()  # rung by the last press

    def press(self, meant: Meant | None = None) -> Json:
        """Somebody pressed it, for everybody or for some. Raises Refused."""
        calls, key = self._calls, self._house.membership.identity.key
        if not self._house.membership.roster.may(key, Permission.RING):
            raise Refused(f"a {self._house.role} does not ring", "the button is at a door")
        meant = meant or self.routed()
        self._only = None if meant.everyone else frozenset(meant.members)
        asked = plan.who_rings(calls.peers(), key)
        if self._only is not None:
            asked = asked.only(self._only)
        outside = calls.outsiders.keys(meant.outside)
        self._outside = frozenset(outside)
        asked = replace(asked, rung=asked.rung + outside)
        press = calls.pressing.ring(secrets.token_hex(8), asked.rung)
        journal.say("pressed", f"ringing {', '.join(map(calls.name_of, asked.rung)) or 'nobody'}", press=press.id)
        return {
            "press": press.id,
            "rings": [calls.name_of(peer) for peer in asked.rung],
            "silent": [{"name": silent.name, "why": silent.why} for silent in asked.silent],
        }

    def routed(self) -> Meant:
        """Whom a press is for: everybody, and whom the routes name beside."""
        return names_of(self._config, self._house).everyone(self._house.membership.roster)

    def found(self, key: bytes) -> None:
        """There is a way to somebody outside now."""
        if key in self._outside:
            self._calls.pressing.peer_up(key)

    def look(self) -> None:
        """Members came or went."""
        before = self._ringable
        self._ringable = set(plan.who_rings(self._calls.peers(), self._house.membership.identity.key).rung)
        for key in self._ringable - before:
            if self._only is None or key in self._only:
                self._calls.pressing.peer_up(key)
            self._rings(key)
