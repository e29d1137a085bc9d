"""Who has not left yet, and waiting until nobody has to."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable


class Presence:
    """Things that are open, so that closing can wait for the last of them."""

    def __init__(self) -> None:
        self._here: set[Hashable] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._here)

    def enter(self, thing: Hashable) -> None:
        self._here.add(thing)
        self._empty.clear()

    def leave(self, thing: Hashable) -> None:
        """More than once does no harm."""
        self._here.discard(thing)
        if not self._here:
            self._empty.set()

    async def emptied(self) -> None:
        """Wait until nobody is here."""
        await self._empty.wait()
