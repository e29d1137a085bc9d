"""Endpoints for tests: what they were told, and waiting for more of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from meshdoor.errors import SipError
from meshdoor.sip.core import Config
from meshdoor.sip.events import Event
from meshdoor.sip.flow import Flow
from meshdoor.transport.endpoint import SipEndpoint
from tests.patience import PATIENCE

OFFER = b"v=0\r\ns=offer\r\n"
ANSWER = b"v=0\r\ns=answer\r\n"

E = TypeVar("E", bound=Event)


class End:
    """An endpoint and the events it gave."""

    def __init__(self, **settings: Any) -> None:
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.trusted = False
        self.endpoint = SipEndpoint(Config(**settings), self._happened, lambda flow: self.trusted)
        self._news = asyncio.Event()

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self.on_event(event)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def one(self, kind: type[E]) -> E:
        """Wait for an event."""
        async with asyncio.timeout(PATIENCE):
            while not self.all(kind):
                self._news.clear()
                await self._news.wait()
        return self.all(kind)[-1]


class Told:
    """A sink that keeps what a transport tells."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.failures: list[Flow] = []
        self.refusals: list[tuple[str, str]] = []
        self.trusted = False
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what was told makes the condition true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def received(self, data: bytes, flow: Flow) -> None:
        self.messages.append((data, flow))
        self._news.set()

    def broken(self, data: bytes, error: SipError, flow: Flow) -> None:
        self.messages.append((data, flow))

    def failed(self, flow: Flow) -> None:
        self.failures.append(flow)
        self._news.set()

    def proven(self, flow: Flow) -> bool:
        return self.trusted

    def refused(self, host: str, why: str) -> None:
        self.refusals.append((host, why))
        self._news.set()
