"""Nodes with real links on loopback, and what their links told them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.frames import State
from meshdoor.mesh.link import Links
from meshdoor.trust.identity import Identity
from tests.mesh.houses import House, house
from tests.patience import PATIENCE


class Recorder:
    """LinkEvents that are kept: `(name, key or address, rest)`."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.on_link_up: Callable[[bytes], None] = lambda key: None
        self._news = asyncio.Event()

    def all(self, name: str) -> list[tuple[Any, ...]]:
        return [entry[1:] for entry in self.log if entry[0] == name]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what was recorded makes the condition true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def heard(self, name: str, count: int = 1) -> None:
        """Wait for so many of a kind."""
        await self.until(lambda: len(self.all(name)) >= count)

    def _note(self, *entry: Any) -> None:
        self.log.append(entry)
        self._news.set()

    def link_up(self, key: bytes, address: Address) -> None:
        self._note("up", key, address)
        self.on_link_up(key)

    def link_down(self, key: bytes, reason: str) -> None:
        self._note("down", key, reason)

    def measured(self, key: bytes, rtt: float | None, digest: bytes, version: str, state: State) -> None:
        self._note("measured", key, rtt, digest, version, state)

    def want(self, key: bytes, heads: Sequence[bytes]) -> None:
        self._note("want", key, tuple(heads))

    def statements(self, key: bytes, statements: Sequence[bytes]) -> None:
        self._note("statements", key, tuple(statements))

    def sip(self, key: bytes, message: bytes) -> None:
        self._note("sip", key, message)

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self._note("note", key, note)

    def pairing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
        self.streams.append((reader, writer))
        self._note("pairing", address)

    def refused(self, address: Address, why: str) -> None:
        self._note("refused", address, why)


class Node:
    """One identity, its links and their record."""

    def __init__(self, identity: Identity, hosts: Sequence[str] = ("127.0.0.1",)) -> None:
        self.identity = identity
        self.key = identity.key
        self.told = Recorder()
        self.links = Links(identity, self.told, listen(0, hosts))
        self.hosts = hosts

    @property
    def addresses(self) -> list[Address]:
        return [Address(host, self.links.port) for host in self.hosts]

    async def dial(self, other: Node) -> bool:
        return await self.links.dial(other.key, other.addresses)

    def linked(self) -> set[bytes]:
        return {info.key for info in self.links.links()}


async def turn_until(condition: Callable[[], Any]) -> None:
    """Let the loop turn, without a pause, until the condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0)


@asynccontextmanager
async def nodes(*identities: Identity, roster: House | None = None) -> AsyncIterator[list[Node]]:
    """Nodes that are all members of one home, with no link yet."""
    async with AsyncExitStack() as stack:
        made = [Node(identity) for identity in identities]
        for node in made:
            await stack.enter_async_context(node.links)
            node.links.roster_changed(roster or house(*identities))
        yield made


@asynccontextmanager
async def linked(*identities: Identity) -> AsyncIterator[list[Node]]:
    """Nodes with all links up; the lower key has dialed."""
    async with nodes(*identities) as made:
        for index, one in enumerate(made):
            for other in made[index + 1 :]:
                assert await one.dial(other)
                await other.told.heard("up", index + 1)
        yield made
