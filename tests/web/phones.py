"""A web server on loopback with a fake house behind it, and phones that attach to it over real TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import aiohttp

from meshdoor.config import Config, MeshConfig, WebConfig
from meshdoor.node.web import Web
from meshdoor.store.state import StateDirectory
from meshdoor.trust.attach import Purpose
from meshdoor.web.server import serve
from tests.fakes.phone import Signer, attach_proof
from tests.fakes.webhouse import WebHouse
from tests.patience import PATIENCE

PURPOSES = {"/phone": (Purpose.SIP, "sip"), "/home": (Purpose.HOME, "meshdoor")}


@dataclass
class Site:
    """A server that runs, and a client that has accepted its certificate."""

    web: Web
    house: WebHouse
    client: aiohttp.ClientSession
    sockets: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.web.port}{path}"

    async def get(self, path: str, method: str = "GET", **more: Any) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self.client.request(method, self.url(path), **more) as response:
            return response, await response.read()

    async def open(self, path: str, protocol: str = "", **more: Any) -> aiohttp.ClientWebSocketResponse:
        """A socket at which nothing was said yet."""
        wanted = protocol or PURPOSES[path][1]
        ws: aiohttp.ClientWebSocketResponse = await self.client.ws_connect(
            self.url(path), protocols=(wanted,), **more
        )
        self.sockets.append(ws)
        return ws

    async def attach(
        self, phone: Signer, path: str = "/phone", fingerprint: bytes = b""
    ) -> aiohttp.ClientWebSocketResponse:
        """A socket on which the phone has shown its proof; the answer is the next message."""
        ws = await self.open(path)
        greeting = await said(ws)
        challenge = bytes.fromhex(greeting["challenge"])
        proof = attach_proof(phone, challenge, fingerprint or self.web.fingerprint, PURPOSES[path][0])
        await ws.send_json({"key": proof.key.hex(), "signature": proof.signature.hex()})
        return ws

    async def attached(self, phone: Signer, path: str = "/phone") -> aiohttp.ClientWebSocketResponse:
        ws = await self.attach(phone, path)
        assert "attached" in await said(ws)
        return ws


async def said(ws: aiohttp.ClientWebSocketResponse, within: float = PATIENCE) -> Any:
    """The next message, as JSON."""
    return json.loads(await heard(ws, within))


async def heard(ws: aiohttp.ClientWebSocketResponse, within: float = PATIENCE) -> str:
    async with asyncio.timeout(within):
        message = await ws.receive()
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return str(message.data)


async def closed(ws: aiohttp.ClientWebSocketResponse, within: float = PATIENCE) -> int | None:
    """The code with which the server closes."""
    async with asyncio.timeout(within):
        message = await ws.receive()
    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING), message
    return ws.close_code


def deaf(ws: aiohttp.ClientWebSocketResponse) -> None:
    """From now on nothing is read from the connection."""
    transport: asyncio.Transport = attrgetter("_response.connection.transport")(ws)
    transport.pause_reading()


def trusting() -> ssl.SSLContext:
    """What a browser does whose user has accepted the certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def site(folder: Path, house: WebHouse | None = None, settings: WebConfig | None = None) -> AsyncIterator[Site]:
    house = house or WebHouse()
    config = Config(mesh=MeshConfig(interfaces=("lo",)), web=settings or WebConfig(port=0))
    state = await asyncio.to_thread(StateDirectory.open, folder / "hall")
    try:
        connector = aiohttp.TCPConnector(ssl=trusting(), limit=0)
        async with aiohttp.ClientSession(connector=connector) as client, serve(config, house, state) as web:
            yield Site(web, house, client)
    finally:
        await asyncio.to_thread(state.close)
