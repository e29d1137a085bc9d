"""One account at a SIP server outside: this node registers there, calls through it, and is called through it.

Who calls is believed to come from the server only where the request is for the name in our Contact, which nobody else
was told, and from an address that the server has.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import ssl
from pathlib import Path
from typing import Final, Protocol

from meshdoor.config import AccountConfig
from meshdoor.errors import ConfigError, NotFound, SipError
from meshdoor.node import journal
from meshdoor.sip.compose import Fields
from meshdoor.sip.digest import WITH_MD5, DigestClient
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.locate import Hop
from meshdoor.sip.message import Request, Response
from meshdoor.sip.registration import Registration, State
from meshdoor.sip.uri import SipUri
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.outside import Outside, resolve
from meshdoor.transport.resolver import Resolver
from meshdoor.transport.tls import client_context

# Seconds.
PING: Final = {"UDP": (20.0, 28.0), "TCP": (80.0, 100.0), "TLS": (80.0, 100.0)}  # RFC 5626 §4.4.1, §4.4.2
SEARCH_AGAIN: Final = (5.0, 300.0)  # while no name server knows the way: at first, at last
KEEP_ALIVE: Final = b"\r\n\r\n"
FAREWELL: Final = 1.0  # for the server to take the binding back
MAX_SECRET: Final = 1024
STUN_PORT: Final = 3478  # RFC 8489 §18.6
LINPHONE: Final = {
    State.ASKING: "LinphoneRegistrationProgress",
    State.REGISTERED: "LinphoneRegistrationOk",
    State.FAILED: "LinphoneRegistrationFailed",
    State.ENDING: "LinphoneRegistrationProgress",
    State.ENDED: "LinphoneRegistrationCleared",
}


class Lines(Protocol):
    """How SIP leaves this node: the call service."""

    @property
    def endpoint(self) -> SipEndpoint: ...

    @property
    def outside(self) -> Outside: ...


def read_secret(path: Path) -> str:
    """The first line of a file. Blocks. Raises ConfigError."""
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.readline(MAX_SECRET).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the secret of an account cannot be read: {error}") from error
    if not secret:
        raise ConfigError(f"{path}: there is no secret in it")
    return secret


class OutsideAccount:
    """`run` beside the house; what it is told (`changed`, `lost`) comes from the call service. Raises ConfigError."""

    def __init__(self, config: AccountConfig, secret: str, lines: Lines, resolver: Resolver) -> None:
        self.config = config
        self.address = _uri(config.address)
        self.contact_user = f"{self.address.user}-{secrets.token_hex(8)}"
        self._lines = lines
        self._resolver = resolver
        self._digest = DigestClient(config.user or self.address.user or "", secret, WITH_MD5)
        self._domain = SipUri(self.address.scheme, None, None, self.address.host)
        self._registrar = _uri(config.registrar) if config.registrar else self._domain
        self._proxy = _uri(config.proxy) if config.proxy else None
        self._hops: tuple[Hop, ...] = ()
        self._at = 0
        self._flow: Flow | None = None
        self._others: tuple[Flow, ...] = ()
        self.stun: tuple[str, int] | None = None
        self._context: ssl.SSLContext | None = None
        self._registration: Registration | None = None
        self._told = ""
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """As liblinphone has it."""
        found = self._registration
        return "LinphoneRegistrationNone" if found is None else LINPHONE[found.state]

    @property
    def ready(self) -> bool:
        """Can calls be made?"""
        return self._flow is not None

    def row(self) -> dict[str, object]:
        """What the status says of it."""
        found = self._registration
        state = "searching" if found is None else str(found.state)
        return {"account": self.config.address, "state": state if self.config.register else "unregistered"}

    async def run(self) -> None:
        """Find the server, register, and keep the way open; until cancelled, when the binding is taken back."""
        self._task = asyncio.current_task()
        try:
            if self.config.authorities:
                self._context = await asyncio.to_thread(client_context, self.config.authorities)
            await self._search()
            if self.config.register and self._flow is not None:
                self._register(self._flow)
            while True:
                if self.config.stun and self.stun is None:
                    await self._look_outside()
                assert self._flow is not None
                await asyncio.sleep(random.uniform(*PING[self._flow.transport]))
                self._lines.endpoint.forward(self._flow, KEEP_ALIVE)
        finally:
            await self._leave()

    def end(self) -> None:
        """It is not wanted any more."""
        if self._task is not None:
            self._task.cancel()

    def target(self, uri: SipUri) -> Target | None:
        """A request for somebody by way of the server; None while the way is not known."""
        if self._flow is None:
            return None
        return Target(uri, self._flow, self._route, NameAddr(None, self.address), self._others)

    def changed(self, registration: Registration) -> bool:
        """Our registration is in another state; False if it is not ours. Where nobody answers the next hop is tried."""
        if registration is not self._registration:
            return False
        said = f"{registration.state} {registration.status}"
        if registration.state is State.REGISTERED and said != self._told:
            journal.say("account", f"{self.config.address} is registered", account=self.config.address)
        elif registration.state is State.FAILED:
            if said != self._told:
                why = f"{self.config.address} is not registered: {registration.status}"
                journal.warn("account", why, account=self.config.address)
            if registration.status in (408, 503) and len(self._hops) > 1:
                self._next_hop(registration)
        elif registration.state is State.ENDED:
            self._ended.set()
        self._told = said
        return True

    def lost(self, flow: Flow) -> None:
        """A connection is gone: register over another, so that calls find their way back."""
        registration, own = self._registration, self._flow
        if registration is None or own is None or (flow.transport, flow.remote) != (own.transport, own.remote):
            return
        if flow.reliable and registration.state is State.REGISTERED:
            with self._lines.endpoint.acting() as now:
                registration.refresh(now)

    def is_server(self, flow: Flow) -> bool:
        """Is the other end at an address of the server?"""
        host = flow.host
        return any(hop.host.partition("%")[0] == host for hop in self._hops)

    def is_for(self, request: Request, flow: Flow) -> bool:
        """Has the server sent this to us?"""
        uri = request.uri
        return self.is_server(flow) and isinstance(uri, SipUri) and uri.user == self.contact_user

    def authorize(self, request: Request, response: Response) -> Fields | None:
        """The credentials that answer a challenge, none if they are of no use; None where it is not for us."""
        uri = request.from_.uri
        if not isinstance(uri, SipUri) or (uri.user, uri.host) != (self.address.user, self.address.host):
            return None
        proxy = response.status == 407
        asked = response.proxy_authenticate if proxy else response.www_authenticate
        sent = request.proxy_authorization if proxy else request.authorization
        if not self._digest.challenged(asked, next(iter(sent), None)):
            return ()
        credentials = self._digest.authorize(request.method, str(request.uri), request.body)
        return [("Proxy-Authorization" if proxy else "Authorization", str(credentials))]

    @property
    def _route(self) -> tuple[NameAddr, ...]:
        if self._proxy is None:
            return ()
        loose = self._proxy if self._proxy.parameter("lr") is not None else self._proxy.with_parameter("lr", None)
        return (NameAddr(None, loose),)

    async def _leave(self) -> None:
        if self._registration is None:
            return
        with self._lines.endpoint.acting() as now:
            self._registration.end(now)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), FAREWELL)

    async def _search(self) -> None:
        """Until there is a way."""
        wait, last = SEARCH_AGAIN
        while True:
            try:
                nearest = self._proxy or self._registrar
                self._hops = await self._resolver.hops(nearest, self._lines.outside.spoken, self.config.transport)
                self._aim(nearest.host)
            except NotFound as error:
                journal.warn("account", f"{self.config.address}: {error}", account=self.config.address)
                await asyncio.sleep(wait)
                wait = min(2 * wait, last)
            else:
                return

    def _register(self, flow: Flow) -> None:
        target = Target(self._registrar, flow, self._route, NameAddr(None, self.address))
        endpoint = self._lines.endpoint
        with endpoint.acting() as now:
            self._registration = endpoint.stack.register(target, self.contact_user, self.config.expires, now)

    def _next_hop(self, registration: Registration) -> None:
        self._at = (self._at + 1) % len(self._hops)
        nearest = self._proxy or self._registrar
        try:
            self._aim(nearest.host)
        except NotFound:
            return  # the registration is tried again, and then the hop after this one
        if self._at and self._flow is not None:  # after all of them it waits as it does for one
            registration.move(Target(self._registrar, self._flow, self._route), self._lines.endpoint.now)

    async def _look_outside(self) -> None:
        """Where the STUN server is, who is asked at a call."""
        host, _, port = self.config.stun.rpartition(":") if ":" in self.config.stun else (self.config.stun, "", "")
        try:
            self.stun = await resolve(host, int(port or STUN_PORT))
        except NotFound as error:
            journal.warn("account", f"{self.config.address}: stun: {error}", account=self.config.address)

    def _aim(self, name: str) -> None:
        """At the hop that is in use, with the others behind it. Raises NotFound."""
        outside = self._lines.outside
        self._flow = outside.flow(self._hops[self._at], name, self._context)
        self._others = outside.others(self._hops[self._at + 1 :] + self._hops[: self._at], name, self._context)


def _uri(text: str) -> SipUri:
    try:
        return SipUri.parse(text)
    except SipError as error:
        raise ConfigError(f"accounts: {error}") from None
