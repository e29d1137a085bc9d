"""The web server: one HTTPS port for everything that a phone needs."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from meshdoor.config import Config, IceServer
from meshdoor.errors import ConfigError, InvitationError, UserError
from meshdoor.mesh.acceptor import listen
from meshdoor.node import journal
from meshdoor.node.web import Json, Web, WebHouse
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.store.state import StateDirectory
from meshdoor.trust.invitation import MAX_REQUEST, error_body
from meshdoor.trust.invitation import Refusal as PairRefusal
from meshdoor.web.certificate import Names
from meshdoor.web.files import File, is_fresh, load
from meshdoor.web.hosts import is_own, is_same_origin
from meshdoor.web.identity import WebIdentity
from meshdoor.web.listener import Listener
from meshdoor.web.logger import LOGGER
from meshdoor.web.responses import json_response, response
from meshdoor.web.sockets import Sockets

IDLE: Final = 15.0  # seconds that a connection may say nothing, and that a response may take to be read
BODY_DEADLINE: Final = 5.0  # seconds for the body of a request
STOPPING: Final = 1.0  # seconds that a response under way has when the node stops
REQUESTS: Final = (20.0, 300.0)  # a second and at once, of one address
REFRESH: Final = 600.0  # seconds between two looks whether the certificate has to be renewed, or was
PROVISION: Final = "/linphone/"
MAX_HEADER: Final = 4096  # bytes of one line
MAX_HEADERS: Final = 64

STATUS: Final[Mapping[str, int]] = {
    PairRefusal.USED: 410,
    PairRefusal.LATE: 410,
    PairRefusal.UNKNOWN: 404,
    PairRefusal.FINGERPRINT: 403,
    PairRefusal.WRONG: 403,
    PairRefusal.CLOSED: 429,
}

_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63})*")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(config: Config, house: WebHouse, state: StateDirectory) -> AsyncIterator[Web]:
    """Serve the page until the block ends. Raises ConfigError, StateError."""
    server = WebServer(config, house, state)
    await server.open()
    try:
        yield server
    finally:
        await server.aclose()


class _Connections(web.Server):
    """Tells the listener of each connection that has ended."""

    listener: Listener

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.listener.left(handler)


class WebServer:
    """Implements `Web`."""

    def __init__(self, config: Config, house: WebHouse, state: StateDirectory) -> None:
        self._config = config
        self._house = house
        self._identity = WebIdentity(config.web, state, self._certified)
        self._requests = KeyedRateLimit(*REQUESTS)
        self._files: Mapping[str, File] = {}
        ice = [IceServer.parse(text).to_json() for text in config.web.ice_servers]
        self._sockets = Sockets(house, self, ice)
        self._routes: Mapping[tuple[str, str], Handler] = {
            ("POST", "/pair"): self._pair,
            ("GET", "/phone"): self._sockets.sip,
            ("GET", "/home"): self._sockets.home,
            ("GET", "/sip"): self._sockets.client,
        }
        self._port = 0
        self._refreshing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to serve. Raises ConfigError, StateError."""
        await self._identity.prepare()
        self._files = await asyncio.to_thread(load)
        self._server = _Connections(
            self._handle,
            access_log=None,
            logger=LOGGER,
            keepalive_timeout=IDLE,
            lingering_time=0.0,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
        )
        self._listener = self._server.listener = Listener(self._identity.context, self._server)
        sockets = _listening(self._config)
        self._port = sockets[0].getsockname()[1]
        self._listener.open(sockets)
        self._refreshing = asyncio.get_running_loop().create_task(self._keep_certificate())

    async def aclose(self) -> None:
        """Say goodbye to phones, and end what is under way."""
        self._listener.stop()
        self._sockets.stop()
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing
        self._server.pre_shutdown()
        await self._server.shutdown(STOPPING)
        await self._listener.emptied()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._listener)

    @property
    def port(self) -> int:
        return self._port

    @property
    def fingerprint(self) -> bytes:
        return self._identity.fingerprint

    @property
    def url_base(self) -> str:
        host = self._config.web.domain or next(iter(self._reachable()), f"{_host_name()}.local")
        return f"https://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def authority(self) -> Json:
        certificate = await self._identity.found_authority()
        return {
            "certificate": certificate.public_bytes(Encoding.PEM).decode(),
            "profile": (self._identity.authority_profile() or b"").decode(),
            "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
            "name": _common_name(certificate),
            "url": f"{self.url_base}/ca.crt",
            "profile_url": f"{self.url_base}/ca.mobileconfig",
        }

    def fingerprints(self) -> tuple[bytes, ...]:
        """What a phone may sign when it attaches."""
        return self._identity.fingerprints

    def known(self, request: web.BaseRequest) -> None:
        """A phone has attached on this connection."""
        self._listener.known(request.protocol)

    def _reachable(self) -> list[str]:
        """Addresses that a phone can use, IPv4 first: one that is link-local needs a scope, which browsers refuse."""
        return [text for text in self._house.addresses() if not _ip(text).is_link_local]

    def _names(self) -> frozenset[str]:
        host = _host_name()
        return frozenset({host, f"{host}.local", self._config.web.domain.lower(), "localhost"} - {""})

    def _certified(self) -> Names:
        host = _host_name()
        wanted = (host, f"{host}.local", self._config.web.domain.lower())
        names = tuple(name for name in wanted if _DNS_NAME.fullmatch(name))
        return Names(self._house.node, names or ("meshdoor",), self._house.addresses())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request: the checks that all have to pass, and then whoever is in charge of it."""
        if not self._requests.allow(request.remote, asyncio.get_running_loop().time()):
            return response(429, b"Too many requests.")
        if not is_own(request.headers.get("Host", ""), self._names(), (*self._house.addresses(), _local(request))):
            return response(421, b"This is not the host that you asked for.")
        if request.method == "GET" and request.path.startswith(PROVISION):
            return await self._provision(request.path.removeprefix(PROVISION))
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            return self._file(request)
        # A client of /sip is a page of somebody else's, and has a secret of its own to show.
        if request.path != "/sip" and not is_same_origin(request.headers.get("Origin"), request.headers["Host"]):
            return response(403, b"Another page may not do that.")
        return await (handler(request) if request.method == "POST" else self._upgraded(handler, request))

    async def _upgraded(self, handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        wanted = "meshdoor" if request.path == "/home" else "sip"
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            made = response(426, b"This is for WebSockets.")
            made.headers["Upgrade"] = "websocket"
            return made
        if wanted not in {each.strip() for each in offered.split(",")}:
            return response(400, f"The subprotocol {wanted} is needed.".encode())
        try:
            return await handler(request)
        except web.HTTPBadRequest:
            return response(400, b"This is no handshake of a WebSocket.")

    def _file(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            made = response(405, b"Not here.")
            made.headers["Allow"] = "GET, HEAD"
            return made
        file = self._files.get(request.path) or self._authority_file(request.path)
        if file is None:
            return response(404, b"There is no such page.")
        if is_fresh(file, request.headers.get("If-None-Match", "")):
            made = response(304)
        else:
            made = response(200, file.body, file.type)
        made.headers["ETag"] = file.tag
        return made

    def _authority_file(self, path: str) -> File | None:
        if path == "/ca.crt" and (body := self._identity.authority_der()) is not None:
            return File.of(body, "application/x-x509-ca-cert")
        if path == "/ca.mobileconfig" and (body := self._identity.authority_profile()) is not None:
            return File.of(body, "application/x-apple-aspen-config")
        return None

    async def _pair(self, request: web.BaseRequest) -> web.Response:
        if request.content_type != "application/json":  # a form of another page could send anything else
            return response(415, b"JSON is needed.")
        try:
            body = await _body(request)
        except (TimeoutError, ValueError):
            return response(413, b"That is too much, or too slow.")
        try:
            reply = self._house.pair(body, request.remote or "", self.fingerprint)
        except InvitationError as error:
            return json_response(STATUS.get(error.code, 403), error_body(error))
        return json_response(200, reply)

    async def _provision(self, token: str) -> web.Response:
        """What a SIP client sets itself up with. Whatever is wrong, it is told the same."""
        try:
            body = await self._house.provision(token)
        except UserError:
            return response(404, b"There is no such page.")
        return response(200, body, "application/xml")

    async def _keep_certificate(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            try:
                if await self._identity.refresh():
                    journal.say("web", "the page has another certificate now")
            except UserError as error:
                journal.warn("web", f"{error}; {error.hint}")


def _listening(config: Config) -> list[socket.socket]:
    """On the port of the settings, or on any other where that one is taken."""
    hosts = ("127.0.0.1",) if config.mesh.interfaces == ("lo",) else ("", "::")
    try:
        return listen(config.web.port, hosts)
    except ConfigError as error:
        journal.warn("port", f"the page of phones: {error}: using another")
        return listen(0, hosts)


async def _body(request: web.BaseRequest) -> bytes:
    """Raises TimeoutError, ValueError when it is too large."""
    body = bytearray()
    async with asyncio.timeout(BODY_DEADLINE):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_REQUEST:
                raise ValueError("too large")
    return bytes(body)


def _local(request: web.BaseRequest) -> str:
    """The address at which this connection came in."""
    name = None if request.transport is None else request.transport.get_extra_info("sockname")
    return str(name[0]) if name else "127.0.0.1"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text.partition("%")[0])


def _host_name() -> str:
    return socket.gethostname().partition(".")[0].lower()


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.rdns[0].rfc4514_string().partition("=")[2])
