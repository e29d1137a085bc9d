"""Members that come and go, told to what carries out the calls."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from meshdoor.mesh.peers import Peer
from meshdoor.node.answering import Answering
from meshdoor.node.attachments import Attachments
from meshdoor.node.bridge import Bridges
from meshdoor.node.button import Button
from meshdoor.node.house import House
from meshdoor.node.pressing import Pressing
from meshdoor.node.stations import Stations
from meshdoor.node.talking import Rooms, Talking
from meshdoor.transport.links import LinkTransport
from meshdoor.trust.permissions import Permission, Role


class Calls(Rooms, Protocol):
    """The call service, as far as it matters to calls who is there."""

    button: Button
    pressing: Pressing
    answering: Answering
    talking: Talking
    bridges: Bridges
    stations: Stations
    attachments: Attachments

    def involves(self, key: bytes) -> bool:
        """Is something on with this member?"""

    def want_engine(self) -> None:
        """The media engine is about to be needed."""


class Comings:
    """`look` when links or phones came or went, `dismiss` when somebody may have lost the right to be here."""

    def __init__(self, calls: Calls, house: House, link: LinkTransport) -> None:
        self._calls = calls
        self._house = house
        self._link = link
        self._linked: set[bytes] = set()
        self._browsers = False  # the engine was told of them

    def linked(self, key: bytes) -> bool:
        """Can this member be reached?"""
        return key in self._linked

    def look(self) -> None:
        """Who is there now?"""
        calls = self._calls
        linked = {peer.key for peer in calls.peers() if peer.state != "unreachable"}
        for key in self._linked - linked:
            calls.pressing.peer_down(key)
            calls.stations.peer_down(key)
            calls.answering.peer_down(key)
            self._link.lost(key)
            calls.talking.peer_down(key)
        self._linked = linked
        calls.button.look()
        if any(self._needs_media(peer) for peer in calls.peers()):
            calls.want_engine()
        self.prepare_browsers()

    def prepare_browsers(self) -> None:
        """Where phones belong to the home, the first of them shall not wait for what it needs."""
        calls = self._calls
        if not self._browsers and any(calls.is_browser(key) for key in calls.roster.members):
            self._browsers = True
            calls.spawn(calls.engine.prepare())

    def dismiss(self) -> None:
        """End what is on with phones that were revoked, and with guests whose time is over."""
        calls = self._calls
        parts: Iterable[Pressing | Talking | Bridges | Stations] = (
            calls.pressing,
            calls.talking,
            calls.bridges,
            calls.stations,
        )
        now = time.time()
        guests = [member for member in calls.roster.members.values() if member.expired(now)]
        for member in (*calls.roster.revoked.values(), *guests):
            if member.role is Role.PHONE and calls.involves(member.key):
                for part in parts:
                    part.dismissed(member.key)
        calls.attachments.look()

    def _needs_media(self, peer: Peer) -> bool:
        if self._house.role is Role.DOOR:
            return Permission.VIEW in peer.member.permissions
        return self._house.role is Role.SCREEN and peer.member.role is Role.DOOR
