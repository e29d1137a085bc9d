"""A door station as the lock of the node that knows it."""

from __future__ import annotations

from typing import Protocol


class Opener(Protocol):
    """The stations of this node."""

    async def release(self) -> None:
        """Open the one that this node opens. Raises Refused."""


class CodeActuator:
    """A lock that opens by the code of a station: the panel itself shuts it again."""

    simulated = False

    def __init__(self, stations: Opener) -> None:
        self._stations = stations

    async def release(self) -> None:
        """Raises Refused."""
        await self._stations.release()

    async def shut(self) -> None:
        """The panel does, by itself."""
