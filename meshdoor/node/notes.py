"""Notes: the small messages that members send each other over links, each to the part of the node it is about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from meshdoor.errors import LocalProtocolError, RemoteProtocolError
from meshdoor.node import journal
from meshdoor.ratelimit import KeyedRateLimit, LogLimiter

PER_MEMBER: Final = (50.0, 200.0)  # notes a second and at once, of one member about one thing

Note = dict[str, Any]
Handler = Callable[[bytes, Note], None]  # the key of the member, what it says; may raise RemoteProtocolError


@dataclass(frozen=True, slots=True)
class _Entry:
    handler: Handler
    early: bool


class NoteRouter:
    """Gives each note to the handler of what it is "about". What nobody waits for is dropped, and said once."""

    def __init__(self) -> None:
        self._handlers: dict[str, _Entry] = {}
        self._rate = KeyedRateLimit(*PER_MEMBER)
        self._log = LogLimiter()

    def register(self, about: str, handler: Handler, early: bool = False) -> None:
        """`early`: also while this node does not know yet whether its roster is the newest."""
        if about in self._handlers:
            raise LocalProtocolError(f"notes about {about} have a handler already")
        self._handlers[about] = _Entry(handler, early)

    def received(self, key: bytes, name: str, note: Note, settled: bool) -> None:
        """A note of the member `key`, which people call `name`."""
        about = note.get("about")
        entry = self._handlers.get(about) if isinstance(about, str) else None
        if entry is None:
            self._complain(key, name, f"a note that nobody here understands, about {about!r:.40}")
        elif not self._rate.allow((key, about), _now()):
            self._complain(key, name, f"too many notes about {about}")
        elif settled or entry.early:
            self._handle(entry.handler, key, name, note)

    def _handle(self, handler: Handler, key: bytes, name: str, note: Note) -> None:
        try:
            handler(key, note)
        except RemoteProtocolError as error:
            self._complain(key, name, f"a note that is wrong: {error}")

    def _complain(self, key: bytes, name: str, what: str) -> None:
        if self._log.admit(key, _now()) is not None:
            journal.warn("note", f"{name} sent {what}", member=name)


def _now() -> float:
    return asyncio.get_running_loop().time()
