"""The web server starts when there is a phone, or one is invited: until then not even its code is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from meshdoor.errors import Refused, UserError
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.web import Web
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Roster

RETRY: Final = 30.0  # seconds until it is tried again, when it could not start

Serve = Callable[[], AbstractAsyncContextManager[Web]]
Load = Callable[[], Serve]  # blocks, as it loads code


class WebStart:
    """Only screens serve a page: what hangs outside must not hand out what a phone is let in with."""

    def __init__(self, house: House, load: Load | None) -> None:
        self._house = house
        self._load = load
        self._wanted = asyncio.Event()
        self._web: asyncio.Future[Web] | None = None
        house.membership.listen(self._look)

    async def open(self) -> Web:
        """The web server, started if it does not run yet. Raises Refused."""
        if self._house.role is not Role.SCREEN:
            raise Refused(f"a {self._house.role} serves no page for phones", "do it on a screen")
        if self._load is None:
            raise Refused("this node serves no page for phones")
        self._wanted.set()
        if self._web is None or (self._web.done() and self._web.exception() is not None):
            self._web = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._web)

    async def run(self) -> None:
        """Serve from when it is wanted until cancelled."""
        self._look(self._house.membership.roster)
        await self._wanted.wait()
        assert self._load is not None
        serve = await asyncio.to_thread(self._load)
        while True:
            try:
                async with serve() as web:
                    await self._serve(web)
            except UserError as error:
                journal.warn("web", f"the page of phones is not served: {error}; {error.hint}")
                self._failed(error)
            self._wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY):
                    await self._wanted.wait()

    async def _serve(self, web: Web) -> None:
        self._house.serves_page(web.port)
        journal.say("web", f"phones find this node at {web.url_base}", port=web.port)
        if self._web is None or self._web.done():
            self._web = asyncio.get_running_loop().create_future()
        self._web.set_result(web)
        try:
            await asyncio.Event().wait()
        finally:
            self._house.serves_page(None)

    def _failed(self, error: UserError) -> None:
        if self._web is not None and not self._web.done():
            self._web.set_exception(Refused(f"the page of phones cannot be served: {error}", error.hint))
            self._web.exception()  # somebody may have stopped waiting for it

    def _look(self, roster: Roster) -> None:
        phones = any(member.role is Role.PHONE for member in roster.members.values())
        if phones and self._load is not None and self._house.role is Role.SCREEN:
            self._wanted.set()
