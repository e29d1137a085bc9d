"""One WebSocket: what is sent never waits, and whoever takes nothing, or may not stay, is cut at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web

from meshdoor.errors import AttachError, RemoteProtocolError
from meshdoor.node.web import Json
from meshdoor.ratelimit import RateLimit
from meshdoor.tasks import until_first
from meshdoor.web.responses import HEADERS

MAX_WAITING: Final = 64  # messages to a phone
FAREWELL: Final = 0.3  # seconds to say why; then the connection is dropped
HEARTBEAT: Final = 10.0  # seconds between pings; half of it until the answer must be there

GOING_AWAY, UNUSABLE = 1001, 1007  # RFC 6455 §7.4.1
REFUSED, NO_PROOF, REPLACED, TOO_MUCH = 4403, 4408, 4409, 4429  # ours

CODES: Final = {"moved": REPLACED, "full": TOO_MUCH}  # of an AttachError

KEEP_ALIVE, ALIVE = "\r\n\r\n", "\r\n"  # RFC 5626 §3.5.1


def upgrade(protocol: str, limit: int) -> web.WebSocketResponse:
    """The answer to a request for a WebSocket whose messages have at most `limit` bytes."""
    made = web.WebSocketResponse(
        protocols=(protocol,), heartbeat=HEARTBEAT, max_msg_size=limit, compress=False, timeout=FAREWELL
    )
    made.headers.update(HEADERS)
    return made


class Socket:
    """An open WebSocket. Nothing but `run` and `receive` waits."""

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport | None, rate: RateLimit) -> None:
        self._ws = ws
        self._transport = transport
        self._rate = rate
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._over = asyncio.Event()
        self._code = GOING_AWAY
        self._last = ""

    def send(self, text: str) -> None:
        """After what waits already; a phone that lets too much wait is cut."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.end(TOO_MUCH)

    def tell(self, document: Json) -> None:
        """The same for JSON."""
        self.send(json.dumps(document, ensure_ascii=False, separators=(",", ":")))

    def cut(self, error: AttachError) -> None:
        """Say why, and close. What another try may mend is told by the code alone."""
        code = CODES.get(error.code, REFUSED)
        self.end(code, json.dumps(refusal(error), ensure_ascii=False) if code == REFUSED else "")

    def end(self, code: int, last: str = "") -> None:
        """Close; only the first reason counts."""
        if not self._over.is_set():
            self._code, self._last = code, last
            self._over.set()

    async def receive(self, deadline: float) -> bytes:
        """The next message, within so many seconds. Raises RemoteProtocolError, TimeoutError."""
        async with asyncio.timeout(deadline):
            message = await self._ws.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        raise RemoteProtocolError("not a message of text")

    async def run(self, received: Callable[[str], None]) -> None:
        """Carry messages both ways until either side ends it."""
        try:
            await until_first(self._over.wait(), self._write(), self._read(received))
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Also when the other side does not read: then without a word."""
        try:
            with suppress(TimeoutError, ConnectionError, RuntimeError):
                async with asyncio.timeout(FAREWELL):
                    if self._last and not self._ws.closed:
                        await self._ws.send_str(self._last)
                    await self._ws.close(code=self._code)
        finally:
            if self._transport is not None:
                self._transport.abort()

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._ws.send_str(await self._waiting.get())

    async def _read(self, received: Callable[[str], None]) -> None:
        async for text in self._texts():
            if not self._rate.allow(asyncio.get_running_loop().time()):
                self.end(TOO_MUCH)
            elif text == KEEP_ALIVE:
                self.send(ALIVE)
            elif text != ALIVE:
                try:
                    received(text)
                except RemoteProtocolError:
                    self.end(UNUSABLE)
            if self._over.is_set():
                return

    async def _texts(self) -> AsyncIterator[str]:
        """SIP may come in frames of either kind (RFC 7118 §4.2)."""
        async for message in self._ws:
            if message.type is WSMsgType.TEXT:
                yield message.data
            elif message.type is WSMsgType.BINARY:
                yield message.data.decode(errors="replace")


def refusal(error: AttachError) -> Json:
    """What a phone is told that may not attach."""
    return {"refused": {"code": error.code, "text": str(error)}}
