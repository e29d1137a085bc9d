"""What an Mdns told of the nodes of this test run, and waiting for it.

Other runs may share the loopback interface: each has nodes of its own, and is deaf to those of the others.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable

from meshdoor.mesh.announcement import Announcement
from meshdoor.mesh.interfaces import Interface
from meshdoor.mesh.mdns import Mdns
from tests.mesh.homes import announcement
from tests.patience import PATIENCE

HERE = "127.0.0.1"
RUN = secrets.randbits(60) << 32
LOOPBACK = Interface("lo", 1, ("127.0.0.1",), (), ("127.0.0.0/8",))


_ours: set[str] = set()


def said(number: int, **changes: object) -> Announcement:
    """What node `number` of this run announces."""
    made = dataclasses.replace(announcement(RUN + number, HERE), **changes)  # type: ignore[arg-type]
    _ours.add(made.instance)
    return made


class Sightings:
    """`here` are the last announcements by instance, `told` all that was ever said (None: lost)."""

    def __init__(self) -> None:
        self.here: dict[str, Announcement] = {}
        self.sources: set[str] = set()
        self.told: list[Announcement | None] = []
        self._changed = asyncio.Event()

    def mdns(self, *interfaces: Interface) -> Mdns:
        return Mdns(self.saw, self.lost, interfaces or (LOOPBACK,))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def see(self, wanted: Announcement) -> None:
        await self.until(lambda: self.here.get(wanted.instance) == wanted)

    def saw(self, said: Announcement, source: str) -> None:
        if said.instance in _ours:
            self.here[said.instance] = said
            self.sources.add(source)
            self._tell(said)

    def lost(self, instance: str) -> None:
        if self.here.pop(instance, None):
            self._tell(None)

    def _tell(self, said: Announcement | None) -> None:
        self.told.append(said)
        self._changed.set()
