"""Telling those who are not here of a visitor: phones whose page is closed, and the family's own messengers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from meshdoor.control import Json
from meshdoor.errors import Refused, UserError
from meshdoor.node import journal
from meshdoor.node.arguments import Args
from meshdoor.node.family import Family
from meshdoor.node.house import House
from meshdoor.node.push import Push
from meshdoor.node.wishes import Subscription, Wishes
from meshdoor.ratelimit import KeyedRateLimit, RateLimit
from meshdoor.trust.permissions import Permission

PICTURE_PATIENCE: Final = 4.0  # seconds to wait for the picture of a visitor: one is taken after two
FAMILY_RATE: Final = (1 / 30, 4.0)  # visitors a second and at once
PUSH_RATE: Final = (1 / 10, 4.0)  # of one phone
MAX_WAITING: Final = 8  # visitors of whom the picture is waited for
MAX_SENDING: Final = 4  # messages under way at once

IsHere = Callable[[bytes], bool]


class Notifying:
    """Give it the events of the calls (`tell`) and pictures (`pictured`); `run` sends, until cancelled."""

    def __init__(self, house: House, wishes: Wishes, push: Push, family: Family | None, is_here: IsHere) -> None:
        self._house = house
        self._wishes = wishes
        self._push = push
        self._family = family
        self._is_here = is_here
        self._family_rate = RateLimit(*FAMILY_RATE)
        self._push_rate = KeyedRateLimit(*PUSH_RATE)
        self._pictures: dict[str, asyncio.Future[bytes]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._sending = asyncio.Semaphore(MAX_SENDING)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    def tell(self, event: Mapping[str, Json]) -> None:
        """Something happened here; a visitor is what counts, unless somebody has answered already and hands over."""
        if event.get("event") != "visitor" or event.get("from") or self._tasks is None:
            return
        door, press = str(event.get("door", "")), str(event.get("press", ""))
        for key, subscription in self._absent().items():
            if self._push_rate.allow(key, _now()):
                self._tasks.create_task(self._send_push(key, subscription, door, press))
        if self._family is not None and len(self._pictures) < MAX_WAITING and self._family_rate.allow(_now()):
            self._pictures[press] = asyncio.get_running_loop().create_future()
            self._tasks.create_task(self._tell_family(door, press))

    def pictured(self, press: str, picture: bytes) -> None:
        """There is a picture of a visitor."""
        waiting = self._pictures.get(press)
        if waiting is not None and not waiting.done():
            waiting.set_result(picture)

    async def test(self, args: Args) -> Json:
        """`phone notify`: send a test to everybody who would be told. Raises UserError."""
        phones = [await self._try_push(key, sub) for key, sub in self._wishes.subscriptions().items()]
        lines = [line for line in phones if line]
        if self._family is not None:
            text = f"A test of {self._house.name}: visitors will be told of like this."
            sent = await asyncio.to_thread(self._family.tell, self._title(), text)
            lines.append(f"notify.urls_file: {sent}")
        if not lines:
            raise Refused(
                "nobody would be told of a visitor",
                "allow notifications in the page of a phone, or set notify.urls_file",
            )
        return {"text": "\n".join(lines)}

    def _absent(self) -> dict[bytes, Subscription]:
        """Phones that may see visitors, are not attached anywhere, and are not to be left in peace."""
        roster, now = self._house.membership.roster, time.time()
        found = {}
        for key, subscription in self._wishes.subscriptions().items():
            member = roster.member(key)
            if member is None or member.expired(now) or Permission.VIEW not in member.permissions:
                continue
            if not self._is_here(key) and not self._wishes.is_quiet(key, now):
                found[key] = subscription
        return found

    async def _send_push(self, key: bytes, subscription: Subscription, door: str, press: str) -> None:
        said = {"title": self._title(), "body": f"Somebody is at {door}.", "tag": press}
        message = {"event": "visitor", "door": door, "press": press} | said
        async with self._sending:
            try:
                if not await asyncio.to_thread(self._push.send, subscription, message, press[:32]):
                    await asyncio.to_thread(self._wishes.set_push, key, None)
            except (OSError, ImportError, UserError) as error:
                journal.warn("push", f"{self._name(key)} could not be told of a visitor: {error}")

    async def _try_push(self, key: bytes, subscription: Subscription) -> str:
        if (name := self._name(key)) == "":
            return ""
        message = {"event": "test", "title": self._title(), "body": f"A test of {self._house.name}.", "tag": "test"}
        try:
            if await asyncio.to_thread(self._push.send, subscription, message):
                return f"{name}: told"
        except (OSError, ImportError) as error:
            return f"{name}: {error}"
        await asyncio.to_thread(self._wishes.set_push, key, None)
        return f"{name}: takes no messages any more"

    async def _tell_family(self, door: str, press: str) -> None:
        assert self._family is not None
        picture = b""
        try:
            async with asyncio.timeout(PICTURE_PATIENCE):
                picture = await self._pictures[press]
        except TimeoutError:
            pass  # then without
        finally:
            del self._pictures[press]
        async with self._sending:
            try:
                sent = await asyncio.to_thread(self._family.tell, self._title(), f"Somebody is at {door}.", picture)
            except UserError as error:
                journal.warn("notify", f"nobody was told of a visitor: {error}; {error.hint}")
                return
        if sent.failed:
            journal.warn("notify", f"of those to be told of a visitor: {sent}")

    def _title(self) -> str:
        return self._house.membership.roster.home_name

    def _name(self, key: bytes) -> str:
        member = self._house.membership.roster.member(key)
        return "" if member is None else member.name


def _now() -> float:
    return asyncio.get_running_loop().time()
