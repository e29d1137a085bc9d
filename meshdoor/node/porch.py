"""The call service as those see it who look through a door station: what is on there is not on here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from meshdoor.calls.clients import Client
from meshdoor.media.engine_client import Engine
from meshdoor.mesh.peers import Peer
from meshdoor.node.calling import Findable
from meshdoor.node.talking import Rooms
from meshdoor.sip.flow import Target
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.trust.roster import Member, Roster


class Porch:
    """`Rooms` around those of the node. `talks`: is there a visitor whom somebody talks with?"""

    def __init__(self, rooms: Rooms, talks: Callable[[], bool]) -> None:
        self._rooms = rooms
        self.visitor_talks = talks

    @property
    def endpoint(self) -> SipEndpoint:
        return self._rooms.endpoint

    @property
    def engine(self) -> Engine:
        return self._rooms.engine

    @property
    def roster(self) -> Roster:
        return self._rooms.roster

    @property
    def itself(self) -> Member | None:
        return self._rooms.itself

    def peers(self) -> list[Peer]:
        return self._rooms.peers()

    def now(self) -> float:
        return self._rooms.now()

    def target(self, key: bytes) -> Target | None:
        return self._rooms.target(key)

    def address(self, key: bytes) -> str:
        return self._rooms.address(key)

    def is_browser(self, key: bytes) -> bool:
        return self._rooms.is_browser(key)

    def client(self, key: bytes) -> Client | None:
        return self._rooms.client(key)

    def findable(self) -> Findable:
        return self._rooms.findable()

    def hurry(self, key: bytes, interval: float | None) -> None:
        self._rooms.hurry(key, interval)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self._rooms.note(key, note)

    def name_of(self, key: bytes) -> str:
        return self._rooms.name_of(key)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._rooms.spawn(work)

    def publish(self, event: dict[str, Any]) -> None:
        """Nobody at this node is in these calls."""

    def leave_call(self) -> None:
        """No call of this node is concerned."""

    def busy_changed(self) -> None:
        """Nor is it busy with them."""
