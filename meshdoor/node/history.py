"""The history of the home on a screen: what doors report, what other screens know, what a person has seen.

    history = History(house, ledger, folder)    registers itself for the notes about "press" and "history"
    await history.run()                         beside the house, until cancelled
    answering.snap = history.snap               pictures of visitors, in case nobody answers
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshdoor.calls import sync
from meshdoor.calls.parts import Assembly
from meshdoor.calls.records import OpeningRecord, PressRecord
from meshdoor.calls.sync import MAX_PICTURE, Stored, is_picture
from meshdoor.errors import EngineError, NotFound, RemoteProtocolError, StateError
from meshdoor.node import journal, reporting
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.sharing import Sharing
from meshdoor.ratelimit import LogLimiter
from meshdoor.store.ledger import Ledger
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.trust.permissions import Permission, Role

MAX_INBOX = 256
MAX_TOLD = 256
MAX_HELD = 8  # pictures of visitors of which nobody knows yet whether they were missed
HOLD = 300.0  # seconds until a press that nobody finished counts as missed
WRITING = 3.0  # seconds that a picture may take to be written
CLOCK_ERROR = 5.0  # seconds by which a door's clock may differ from ours and still be believed
MAX_AGE = 7 * 86400.0  # seconds that a report may have waited at a door

Shoot = Callable[[str, str], Coroutine[Any, Any, None]]  # write what the leg shows to the path
Work = Callable[[], Awaitable[None]]


class History:
    """The ledger of this screen and whoever feeds it."""

    def __init__(self, house: House, ledger: Ledger, folder: Path, shoot: Shoot) -> None:
        self.listeners: list[Callable[[], None]] = []
        self.pictured_listeners: list[Callable[[str, bytes], None]] = []  # told of each picture of a visitor
        self._house = house
        self._ledger = ledger
        self._folder = folder
        self._shoot = shoot
        self._sharing = Sharing(house, ledger, self._changed)
        self._inbox: asyncio.Queue[Work] = asyncio.Queue(MAX_INBOX)
        self._presses, self._messages = Assembly(), Assembly()
        self._held: dict[str, bytes] = {}
        self._log = LogLimiter()
        house.notes.register(reporting.ABOUT, self._reported)
        house.notes.register(reporting.HISTORY, self._told)
        house.on_link.append(self._linked)

    async def run(self) -> None:
        """Take in what comes, in its order, until cancelled."""
        if self._ledger.damage:
            journal.warn("history", self._ledger.damage)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sharing.keep_asking())
            while True:
                work = await self._inbox.get()
                try:
                    await work()
                except (RemoteProtocolError, StateError) as error:
                    self._complain(str(error))

    async def newest(self, limit: int, *, missed: bool = False) -> list[Stored]:
        """The newest entries, or of them the missed visitors that nobody has seen. Raises StateError."""
        if missed:
            return await self._ledger.run(LedgerFile.unseen, limit, time.time())
        return await self._ledger.run(LedgerFile.newest, limit)

    async def visits(self, limit: int, before: str = "") -> list[Stored]:
        """The newest presses, or the newest before one of them. Raises StateError."""
        return await self._ledger.run(LedgerFile.visits, limit, before)

    async def pictured(self, ids: Iterable[str]) -> set[str]:
        """Of which of these visitors there is a picture at hand."""
        return await self._ledger.run(LedgerFile.pictured, list(ids))

    async def last_pictures(self) -> dict[str, str]:
        """The press with the newest picture, by the key of the door in hexadecimal."""
        return await self._ledger.run(LedgerFile.last_pictures)

    async def openings_of(self, press: str) -> list[OpeningRecord]:
        """Who opened what for this visitor."""
        return await self._ledger.run(LedgerFile.openings_of, press)

    async def mark_seen(self, which: str) -> list[str]:
        """A person has seen `all` missed visitors, or the one whose id begins so: which were new. Raises NotFound."""
        return await self.mark(None if which == "all" else [await self.find(which)])

    async def mark(self, ids: list[str] | None) -> list[str]:
        """A person has seen these, or all missed visitors: which were new. Raises StateError."""
        marked = await self._ledger.run(LedgerFile.mark_seen, ids, time.time())
        if marked:
            self._sharing.tell_seen(marked)
            self._changed()
        return marked

    async def find(self, beginning: str) -> str:
        """The one press whose id begins so. Raises NotFound."""
        found = await self._ledger.run(LedgerFile.find, beginning.lower()) if beginning else []
        if len(found) != 1:
            many = "more than one press" if found else "no press"
            raise NotFound(f"there is {many} whose id begins with {beginning!r}", "`meshdoor history` shows the ids")
        return found[0]

    async def picture(self, press: str) -> bytes:
        """The picture of a visitor, from here or from another screen; empty if there is none."""
        data = await self._ledger.run(LedgerFile.picture, press)
        if not data and (data := await self._sharing.fetch_picture(press)):
            await self._ledger.run(LedgerFile.put_picture, press, data)
        return data

    async def opened(self, opening: OpeningRecord) -> None:
        """A lock was asked to open, here or by us. Raises StateError."""
        await self._ledger.run(LedgerFile.put, Stored(opening, False), now=time.time())
        self._sharing.tell_all(sync.Opening(opening))
        self._changed()

    async def snap(self, press: str, leg: str, door: bytes) -> None:
        """Take the picture that a leg shows now, and keep it if this visitor turns out to be missed."""
        path = self._folder / f"visitor-{secrets.token_hex(8)}.jpg"
        try:
            await self._shoot(str(path), leg)
            data = await asyncio.to_thread(_taken, path)
        except (EngineError, OSError) as error:
            self._complain(f"no picture of the visitor: {error}")
            return
        if not is_picture(data):
            self._complain(f"no picture of the visitor: {len(data)} bytes that cannot be kept")
            return
        while len(self._held) >= MAX_HELD:
            del self._held[next(iter(self._held))]
        self._held[press] = data
        for watcher in self.pictured_listeners:
            watcher(press, data)
        asyncio.get_running_loop().call_later(HOLD, self._later, lambda: self._keep_picture(press))

    def _reported(self, key: bytes, note: Note) -> None:
        message = self._presses.receive(key, note)
        if message is None:
            return
        record = PressRecord.parse(message.get("press"))
        if not self._may_report(key, bytes.fromhex(record.door)):
            raise RemoteProtocolError("a press of another door")
        record = replace(record, at=_by_our_clock(record.at, message.get("age")))
        told = _keys(message.get("told"))
        self._later(lambda: self._put(record, told))

    def _may_report(self, key: bytes, door: bytes) -> bool:
        """A door for itself; for a station, which has no links of its own, a screen that adopts such."""
        roster = self._house.membership.roster
        teller, member = roster.member(key), roster.member(door)
        if teller is None or member is None or not roster.may(door, Permission.RING):
            return False
        adopts = teller.role is Role.SCREEN and Permission.ADMIT in teller.permissions
        return key == door or (adopts and member.role is Role.DOOR and not member.linked)

    def _told(self, key: bytes, note: Note) -> None:
        message = self._messages.receive(key, note)
        if message is not None:
            said = sync.parse(message)
            self._later(lambda: self._sharing.received(key, said))

    def _linked(self, key: bytes, up: bool) -> None:
        self._presses.forget(key)
        self._messages.forget(key)
        self._sharing.linked(key, up)

    async def _put(self, record: PressRecord, told: frozenset[bytes]) -> None:
        if await self._ledger.run(LedgerFile.put, Stored(record, False), now=time.time()):
            self._changed()
        if record.finished:
            self._sharing.spread_news(told)
            if record.missed:
                await self._keep_picture(record.id)
            self._held.pop(record.id, None)

    async def _keep_picture(self, press: str) -> None:
        data = self._held.pop(press, None)
        if data is not None:
            await self._ledger.run(LedgerFile.put_picture, press, data)

    def _later(self, work: Work) -> None:
        """Into the inbox. When it is full this is dropped: screens ask each other for what they lack."""
        if self._inbox.full():
            self._complain("more comes than can be written")
        else:
            self._inbox.put_nowait(work)

    def _changed(self) -> None:
        for listener in self.listeners:
            listener()

    def _complain(self, text: str) -> None:
        if self._log.admit(text[:20], asyncio.get_running_loop().time()) is not None:
            journal.warn("history", text)


def _by_our_clock(at: float, age: Any) -> float:
    """When it was, if the door's clock is right; else by how long ago it says it was."""
    if type(age) not in (int, float) or not math.isfinite(age) or not 0 <= age <= MAX_AGE:
        raise RemoteProtocolError("a press of no age")
    ours = time.time() - float(age)
    return at if abs(at - ours) <= CLOCK_ERROR else max(0.0, ours)


def _keys(value: Any) -> frozenset[bytes]:
    if not isinstance(value, list) or len(value) > MAX_TOLD:
        raise RemoteProtocolError("a press that was told to nobody, or too many")
    try:
        return frozenset(map(bytes.fromhex, value))
    except (TypeError, ValueError):
        raise RemoteProtocolError("a press told to what is no key") from None


def _taken(path: Path) -> bytes:
    """What the file holds, which is then no more. The engine writes it a moment after it said that it will."""
    deadline = time.monotonic() + WRITING
    try:
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with path.open("rb") as file:
            return file.read(MAX_PICTURE + 1)
    finally:
        path.unlink(missing_ok=True)
