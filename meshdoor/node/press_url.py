"""A button that is an address: whoever calls `http://NODE:PORT/press/SECRET` (GET or POST) rings."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from meshdoor.errors import ConfigError
from meshdoor.mesh.acceptor import listen
from meshdoor.node import journal
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.settings.devices import HttpButton

MAX_HEAD: Final = 4096  # bytes
PATIENCE: Final = 5.0  # seconds for a whole request
MAX_CALLERS: Final = 8
RATE: Final = (1.0, 5.0)  # requests of one host, a second and at once

PHRASES: Final = {
    204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests",
}  # fmt: skip


class PressUrl:
    """Calls `pressed` for each right request."""

    def __init__(self, button: HttpButton, pressed: Callable[[], None], *, local: bool = False) -> None:
        self.port = button.port
        self._path = f"/press/{button.secret}".encode()
        self._pressed = pressed
        self._hosts = ("127.0.0.1",) if local else ("", "::")
        self._callers = 0
        self._rate = KeyedRateLimit(*RATE)

    async def run(self) -> None:
        """Serve until cancelled. A port that is taken is told, and keeps nothing else from its work."""
        try:
            sockets = listen(self.port, self._hosts)
        except ConfigError as error:
            journal.warn("button", f"its address cannot be served: {error}")
            return
        self.port = sockets[0].getsockname()[1]
        servers = [await asyncio.start_server(self._serve, sock=each, limit=MAX_HEAD) for each in sockets]
        try:
            await asyncio.Event().wait()
        finally:
            for server in servers:
                server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            if self._callers <= MAX_CALLERS:
                with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(PATIENCE):
                        caller = writer.get_extra_info("peername")[0]
                        status = self._answer(await reader.readuntil(b"\r\n\r\n"), caller)
                        writer.write(f"HTTP/1.1 {status} {PHRASES[status]}\r\nConnection: close\r\n\r\n".encode())
                        await writer.drain()
        finally:
            self._callers -= 1
            writer.close()

    def _answer(self, head: bytes, caller: str) -> int:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return 400
        if not self._rate.allow(caller, asyncio.get_running_loop().time()):
            return 429
        if not hmac.compare_digest(words[1], self._path):
            return 404
        if words[0] not in (b"GET", b"POST"):
            return 405
        self._pressed()
        return 204
