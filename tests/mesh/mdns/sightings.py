"""What an Mdns told, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from meshdoor.mesh.announcement import Announcement
from meshdoor.mesh.interfaces import Interface
from meshdoor.mesh.mdns import Mdns

LOOPBACK = Interface("lo", 1, ("127.0.0.1",), (), ("127.0.0.0/8",))


class Sightings:
    """`here` are the last announcements by instance, `told` all that was ever said (None: lost)."""

    def __init__(self) -> None:
        self.here: dict[str, Announcement] = {}
        self.sources: set[str] = set()
        self.told: list[Announcement | None] = []
        self._changed = asyncio.Event()

    def mdns(self, *interfaces: Interface) -> Mdns:
        return Mdns(self._saw, self._lost, interfaces or (LOOPBACK,))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def see(self, announcement: Announcement) -> None:
        await self.until(lambda: self.here.get(announcement.instance) == announcement)

    def _saw(self, announcement: Announcement, source: str) -> None:
        self.here[announcement.instance] = announcement
        self.sources.add(source)
        self._tell(announcement)

    def _lost(self, instance: str) -> None:
        self.here.pop(instance, None)
        self._tell(None)

    def _tell(self, said: Announcement | None) -> None:
        self.told.append(said)
        self._changed.set()
