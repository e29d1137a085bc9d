"""Screens and doors that exchange notes, with no network: as much of a House as the history needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from meshdoor.errors import EngineError
from meshdoor.mesh.frames import MAX_NOTE, write_object
from meshdoor.node.history import History
from meshdoor.node.house import House
from meshdoor.node.notes import Note, NoteRouter
from meshdoor.store.ledger import Ledger
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

PICTURE = b"\xff\xd8\xff" + bytes(70_000)


@dataclass(frozen=True)
class FakeIdentity:
    key: bytes


@dataclass
class FakeMembership:
    identity: FakeIdentity
    roster: Roster


@dataclass(frozen=True)
class FakeLink:
    key: bytes


class FakeLinks:
    """The links of one node; a note arrives later, and not at all when the link is cut by then."""

    def __init__(self, house: FakeHouse) -> None:
        self.house = house
        self.peers: dict[bytes, FakeHouse] = {}
        self.sent: list[dict[str, Any]] = []

    def links(self) -> tuple[FakeLink, ...]:
        return tuple(map(FakeLink, self.peers))

    def send_note(self, key: bytes, note: dict[str, Any]) -> bool:
        if key not in self.peers:
            return False
        payload = write_object(note)
        assert len(payload) <= MAX_NOTE
        self.sent.append(note)
        asyncio.get_running_loop().call_soon(self._arrive, key, payload)
        return True

    def _arrive(self, key: bytes, payload: bytes) -> None:
        target = self.peers.get(key)
        if target is not None:
            here = self.house
            target.notes.received(here.membership.identity.key, here.name, json.loads(payload), target.settled)


class FakeHouse:
    """One node. `join` and `cut` are its cables."""

    def __init__(self, itself: Member, everyone: Iterable[Member]) -> None:
        members = {member.key: member for member in everyone}
        self.membership = FakeMembership(FakeIdentity(itself.key), Roster(members=members))
        self.name, self.role = itself.name, itself.role
        self.settled = True
        self.notes = NoteRouter()
        self.on_link: list[Callable[[bytes, bool], None]] = []
        self.links = FakeLinks(self)

    @property
    def house(self) -> House:
        return cast(House, self)

    @property
    def key(self) -> bytes:
        return self.membership.identity.key

    def note(self, key: bytes, note: Note) -> None:
        self.notes.received(key, self.name, note, True)


def join(one: FakeHouse, other: FakeHouse) -> None:
    """Their link comes up."""
    for here, there in ((one, other), (other, one)):
        here.links.peers[there.key] = there
    for here, there in ((one, other), (other, one)):
        for listener in here.on_link:
            listener(there.key, True)


def cut(one: FakeHouse, other: FakeHouse) -> None:
    """Their link goes down."""
    for here, there in ((one, other), (other, one)):
        del here.links.peers[there.key]
        for listener in here.on_link:
            listener(there.key, False)


@dataclass
class Screen:
    """A screen with its history."""

    node: FakeHouse
    history: History
    ledger: Ledger
    changes: list[None] = field(default_factory=list)


@asynccontextmanager
async def screen(itself: Member, everyone: Iterable[Member], folder: Path) -> AsyncIterator[Screen]:
    """A screen that runs."""
    assert itself.role is Role.SCREEN
    node = FakeHouse(itself, everyone)
    await asyncio.to_thread(folder.mkdir, exist_ok=True)

    async def shoot(path: str, leg: str) -> None:
        if leg == "gone":
            raise EngineError("no such leg")
        await asyncio.to_thread(Path(path).write_bytes, PICTURE if leg == "visit-1" else b"no picture")

    async with Ledger(folder / "ledger.db") as ledger:
        made = Screen(node, History(node.house, ledger, folder, shoot), ledger)
        made.history.listeners.append(lambda: made.changes.append(None))
        running = asyncio.create_task(made.history.run())
        try:
            yield made
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
