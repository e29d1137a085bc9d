"""How screens share their history: each asks the others what it lacks (the messages are those of `calls.sync`).

A screen asks another when their link comes up, again when no answer came, and now and then after that. What it learns
counts only from screens that may view; a press only of a door that is or was a member.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from meshdoor.calls.parts import notes_of
from meshdoor.calls.records import PressRecord
from meshdoor.calls.sync import (
    MAX_IDS,
    PAGE,
    Ask,
    Entries,
    Entry,
    Message,
    News,
    Opening,
    Picture,
    Seen,
    Since,
    Stored,
    Summary,
    Want,
)
from meshdoor.errors import RemoteProtocolError, StateError
from meshdoor.node.house import House
from meshdoor.node.reporting import HISTORY, keeps_history
from meshdoor.store.ledger import Ledger
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.trust.permissions import Role

EVERY = 300.0  # seconds between two questions when nothing is amiss
RETRY = 10.0  # seconds until a question without an answer is asked again
PACE = 0.5  # seconds between two pages, so that no note is dropped for coming too fast
PICTURE_DEADLINE = 3.0  # seconds
MAX_ENTRIES = 200_000  # bytes of entries in one message


@dataclass(slots=True)
class _Page:
    """A page of another ledger of which some entries are still to come."""

    summary: Summary
    missing: set[str]


class Sharing:
    """The conversation with the other screens. `changed` is called when the history has changed by it."""

    def __init__(self, house: House, ledger: Ledger, changed: Callable[[], None]) -> None:
        self._house = house
        self._ledger = ledger
        self._changed = changed
        self._due: dict[bytes, float] = {}
        self._pages: dict[bytes, _Page] = {}
        self._wake = asyncio.Event()
        self._pictures: dict[str, asyncio.Future[bytes]] = {}

    def linked(self, key: bytes, up: bool) -> None:
        """A link came up or went down."""
        self._pages.pop(key, None)
        if up:
            self._ask_in(key, 0.0)
        else:
            self._due.pop(key, None)

    async def keep_asking(self) -> None:
        """Ask whoever it is time to ask, until cancelled."""
        while True:
            self._wake.clear()
            now = _now()
            if self._house.settled:
                for key in [key for key, due in self._due.items() if due <= now]:
                    with suppress(StateError):  # whoever writes next says what is wrong
                        await self._ask(key)
            soonest = min(self._due.values(), default=None) if self._house.settled else now + PACE
            with suppress(TimeoutError):
                async with asyncio.timeout_at(soonest):
                    await self._wake.wait()

    async def received(self, key: bytes, message: Message) -> None:
        """A message of a member. Raises RemoteProtocolError."""
        if not self._may_say(key, message):
            raise RemoteProtocolError("what only screens that may view say")
        match message:
            case Since() | Want() | Ask():
                await self._answer(key, message)
            case Summary():
                await self._compare(key, message)
            case Entries():
                await self._take(key, message)
            case News():
                self._ask_in(key, 0.0)
            case Seen(ids=ids):
                if await self._ledger.run(LedgerFile.mark_seen, ids, time.time()):
                    self._changed()
            case Opening(opening=opening):
                await self._put([Stored(opening, False)])
            case Picture(id=identifier, data=data):
                waiting = self._pictures.get(identifier)
                if waiting is not None and not waiting.done():
                    waiting.set_result(data)
            case _:
                assert_never(message)

    async def _answer(self, key: bytes, asked: Since | Want | Ask) -> None:
        match asked:
            case Since():
                await self._tell_changes(key, asked)
            case Want(ids=ids):
                await self._give(key, ids)
            case Ask(id=identifier):
                self.send(key, Picture(identifier, await self._ledger.run(LedgerFile.picture, identifier)))

    def send(self, key: bytes, message: Message) -> bool:
        """False when there is no link."""
        notes = notes_of(HISTORY, message.to_json(), secrets.token_hex(8))
        return all(self._house.links.send_note(key, note) for note in notes)

    def screens(self) -> list[bytes]:
        """The screens that are linked."""
        roster = self._house.membership.roster
        return [link.key for link in self._house.links.links() if keeps_history(roster, link.key)]

    def tell_all(self, message: Message) -> None:
        """Say it to every screen that is linked; the others will ask."""
        for key in self.screens():
            self.send(key, message)

    def spread_news(self, told: Collection[bytes]) -> None:
        """A door told of a press: the first of those `told` lets the others know, which it could not reach."""
        if self._house.membership.identity.key == min(told, default=b""):
            for key in set(self.screens()).difference(told):
                self.send(key, News())

    def tell_seen(self, ids: list[str]) -> None:
        """A person here has seen these."""
        for start in range(0, len(ids), MAX_IDS):
            self.tell_all(Seen(tuple(ids[start : start + MAX_IDS])))

    async def fetch_picture(self, identifier: str) -> bytes:
        """The picture of a visitor from whichever screen has it; empty if none does."""
        for key in self.screens():
            waiting = self._pictures.setdefault(identifier, asyncio.get_running_loop().create_future())
            try:
                async with asyncio.timeout(PICTURE_DEADLINE):
                    self.send(key, Ask(identifier))
                    if data := await asyncio.shield(waiting):
                        return data
            except TimeoutError:
                continue
            finally:
                self._pictures.pop(identifier, None)
        return b""

    def _may_say(self, key: bytes, message: Message) -> bool:
        """An opening may also be told by the lock, or by who asked it to open."""
        if isinstance(message, Opening) and key.hex() in (message.opening.lock, message.opening.who):
            return True
        return keeps_history(self._house.membership.roster, key)

    def _ask_in(self, key: bytes, interval: float) -> None:
        self._due[key] = _now() + interval
        self._wake.set()

    async def _ask(self, key: bytes) -> None:
        if not keeps_history(self._house.membership.roster, key):
            self._due[key] = _now() + EVERY  # its permissions may change
            return
        self._due[key] = _now() + RETRY
        self.send(key, Since(*await self._ledger.run(LedgerFile.cursor, key)))

    async def _tell_changes(self, key: bytes, asked: Since) -> None:
        epoch = await self._ledger.run(lambda file: file.epoch)
        items, last, more = await self._ledger.run(LedgerFile.since, asked.after if asked.epoch == epoch else 0)
        self.send(key, Summary(epoch, last, more, items))

    async def _compare(self, key: bytes, summary: Summary) -> None:
        missing = await self._ledger.run(LedgerFile.lacking, summary.items)
        seen = [item.id for item in summary.items if item.seen]
        if seen and await self._ledger.run(LedgerFile.mark_seen, seen, time.time()):
            self._changed()
        self._pages[key] = _Page(summary, set(missing))
        await self._go_on(key)

    async def _take(self, key: bytes, message: Entries) -> None:
        page = self._pages.get(key)
        arrived = {stored.entry.id for stored in message.entries} | set(message.gone)
        if page is None or not arrived & page.missing:
            raise RemoteProtocolError("entries that nobody asked for")
        await self._put([stored for stored in message.entries if stored.entry.id in page.missing])
        page.missing -= arrived
        await self._go_on(key)

    async def _go_on(self, key: bytes) -> None:
        """Want what is missing of a page; when nothing is, remember it, and ask for the next one in its time."""
        page = self._pages[key]
        if page.missing:
            self._ask_in(key, RETRY)
            self.send(key, Want(tuple(sorted(page.missing)[:PAGE])))
            return
        del self._pages[key]
        await self._ledger.run(LedgerFile.set_cursor, key, page.summary.epoch, page.summary.last)
        self._ask_in(key, PACE if page.summary.more else EVERY * random.uniform(0.8, 1.2))

    async def _give(self, key: bytes, ids: tuple[str, ...]) -> None:
        found = await self._ledger.run(LedgerFile.entries, ids)
        here = {stored.entry.id for stored in found}
        self.send(key, Entries(_that_fit(found), tuple(identifier for identifier in ids if identifier not in here)))

    async def _put(self, entries: Iterable[Stored]) -> None:
        ours = [stored for stored in entries if self._is_of_this_home(stored.entry)]
        if await self._ledger.run(LedgerFile.put, *ours, now=time.time()):
            self._changed()

    def _is_of_this_home(self, entry: Entry) -> bool:
        """Is the door, or the lock, one that is or was a member?"""
        key, role = (entry.door, Role.DOOR) if isinstance(entry, PressRecord) else (entry.lock, None)
        roster = self._house.membership.roster
        member = roster.members.get(bytes.fromhex(key)) or roster.revoked.get(bytes.fromhex(key))
        return member is not None and role in (None, member.role)


def _that_fit(entries: Iterable[Stored]) -> tuple[Stored, ...]:
    """As many as one message holds, and one at least."""
    chosen: list[Stored] = []
    size = 0
    for stored in entries:
        size += len(str(stored.to_json()))
        if chosen and size > MAX_ENTRIES:
            break
        chosen.append(stored)
    return tuple(chosen)


def _now() -> float:
    return asyncio.get_running_loop().time()
