"""Accounts of SIP clients that have no key to sign with (JsSIP, SIP.js): they register by digest over a WebSocket.

Such a client is a phone like any other. This node made a key for it, which is the member's name; what it signs with
that is up to `openers`. Of the secret, which is shown once, it keeps what it takes to check it, in `sip.json`:

    {USER: {"key": hex, "SHA-256": H(A1), "MD5": H(A1), "media": "srtp"|"dtls"}}

Other clients (Linphone, baresip) register so over TLS, TCP or UDP (`registrations`), and one that was adopted with a
secret proves by it what it asks for.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from meshdoor.calls.clients import Keying
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import AttachError, Refused, RemoteProtocolError, UserError
from meshdoor.node import journal
from meshdoor.node.arguments import Args, checked
from meshdoor.node.attachments import Attachments
from meshdoor.node.house import House
from meshdoor.node.openers import KeepKey, keep_no_key
from meshdoor.node.phones import OpenWeb
from meshdoor.node.web import Cut, Send, SipFlow
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.sip.compose import response_to
from meshdoor.sip.digest import make_ha1
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.registrar import ALGORITHMS, REALM, Registered, Registrar
from meshdoor.transport.websocket import message_in
from meshdoor.trust.identity import Identity, is_key
from meshdoor.trust.roster import Member

DOMAIN: Final = "home.arpa"
MAX_ACCOUNTS: Final = 256
SECRET: Final = 16  # bytes
GRACE: Final = 10.0  # seconds that the refresh of a registration may be late
TRIES: Final = (0.5, 20.0)  # requests a second and at once that one address may make without a registration

Save = Callable[[dict[str, Json]], object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an account is to be."""

    name: str
    permissions: list[str] | None = None
    until: int | None = None
    media: Keying = Keying.SRTP  # over anything but a WebSocket

    @classmethod
    def read(cls, given: Args) -> Wanted:
        """Raises UserError."""
        permissions = given.texts("permissions") if given.has("permissions") else None
        media = given.optional("media") or str(Keying.SRTP)
        if media not in (Keying.SRTP, Keying.DTLS):
            raise UserError(f"media: {media!r} is none of srtp, dtls")
        return cls(given.text("name"), permissions, given.optional_number("until"), Keying(media))


class Desk(Protocol):
    """Who lets phones in."""

    def admit_client(
        self, key: bytes, name: str, permissions: Iterable[str] | None = None, until: int | None = None
    ) -> Member:
        """A member for a client. Raises UserError."""

    def check_client(self, name: str, permissions: Iterable[str] | None = None, until: int | None = None) -> None:
        """Raises UserError where `admit_client` would."""


class Accounts:
    """`stored` is what `save` was given last; what cannot be read of it counts as no account."""

    def __init__(self, house: House, attachments: Attachments, stored: Mapping[str, Json], save: Save) -> None:
        self._house = house
        self._attachments = attachments
        self._save = save
        self._accounts = {user: found for user, found in list(stored.items())[:MAX_ACCOUNTS] if _is_account(found)}
        self._keep_key: KeepKey = keep_no_key
        self._registrar = Registrar(self._ha1)
        self._tries = KeyedRateLimit(*TRIES)

    async def add(self, desk: Desk, server: str, wanted: Wanted) -> Json:
        """Make an account: {joined, id, server, user, domain, secret}. Raises UserError."""
        identity = Identity.generate()
        user, secret = identity.device_id[:9].replace("-", ""), secrets.token_urlsafe(SECRET)
        member = await self._keep(desk, identity, wanted, (user, secret))
        account = {"server": server, "user": user, "domain": DOMAIN, "secret": secret}
        return {"joined": member.name, "id": member.device_id} | account

    async def take(self, desk: Desk, wanted: Wanted, user: str, secret: str) -> Json:
        """An account that was somewhere else, under the name and the secret that its client has. Raises UserError."""
        if self._is_taken(user):
            raise Refused(f"there is an account {user} already")
        member = await self._keep(desk, Identity.generate(), wanted, (user, secret))
        return {"joined": member.name, "id": member.device_id, "user": user}

    def check_user(self, user: str) -> None:
        """Raises UserError where `secure` would be of no use."""
        if not user:
            raise UserError("a client with a secret has a user name", "for example: sip:kitchen@192.168.1.30")
        if self._is_taken(user):
            raise Refused(f"there is an account {user} already", "give it another user")

    async def secure(self, key: bytes, user: str, keying: Keying) -> str:
        """The secret of a client that was let in otherwise, which is shown once."""
        secret = secrets.token_urlsafe(SECRET)
        await self._store(key, keying, user, secret)
        return secret

    def holds(self, key: bytes) -> bool:
        """Has this member an account?"""
        return any(found["key"] == key.hex() for found in self._accounts.values())

    async def _keep(self, desk: Desk, identity: Identity, wanted: Wanted, proof: tuple[str, str]) -> Member:
        """What it takes to check its secret. `proof` is user and secret."""
        member = desk.admit_client(identity.key, wanted.name, wanted.permissions, wanted.until)
        await self._store(identity.key, wanted.media, *proof)
        await self._keep_key(identity)
        return member

    async def _store(self, key: bytes, keying: Keying, user: str, secret: str) -> None:
        kept = {each: found for each, found in self._accounts.items() if self._member(found) is not None}
        hashed = {algorithm: make_ha1(algorithm, user, REALM, secret) for algorithm in ALGORITHMS}
        self._accounts = kept | {user: {"key": key.hex(), "media": str(keying)} | hashed}
        await asyncio.to_thread(self._save, self._accounts)

    def keep_keys(self, keep: KeepKey) -> None:
        """From now on `keep` gets what clients sign with."""
        self._keep_key = keep

    @property
    def empty(self) -> bool:
        """Is there none?"""
        return not self._accounts

    def check(self, desk: Desk, wanted: Wanted) -> None:
        """Raises UserError where `add` would."""
        desk.check_client(wanted.name, wanted.permissions, wanted.until)

    def member_of(self, username: str) -> bytes:
        """The key of the member that an account is of."""
        return bytes.fromhex(self._accounts[username]["key"])

    def keying_of(self, username: str) -> Keying:
        """How its media is encrypted, over anything but a WebSocket."""
        media = self._accounts[username].get("media")
        return Keying(media) if media in list(Keying) else Keying.SRTP

    def table(self, desk: Desk, open_web: OpenWeb) -> dict[str, Verb]:
        """By name, for the control server."""

        async def add(args: Args) -> Json:
            wanted = Wanted.read(args)
            web = await open_web()
            return await self.add(desk, web.url_base.replace("https://", "wss://", 1) + "/sip", wanted)

        async def take(args: Args) -> Json:
            return await self.take(desk, Wanted.read(args), args.text("user"), args.text("secret"))

        return {"phone sip": checked(add), "phone import": checked(take)}

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        """Somebody is on the line who will say who it is."""
        return Client(self, address, send, cut)

    def register(self, request: Request, address: str) -> Registered | Response:
        """What a REGISTER comes to. Raises RemoteProtocolError for one too many, SipError."""
        answered = self._registrar.register(request, _now())
        if isinstance(answered, Response):
            self._count(address)
        return answered

    def authenticate(self, request: Request, address: str) -> str | Response:
        """Who sent a request, or the challenge. Raises RemoteProtocolError for one too many, SipError."""
        answered = self._registrar.authenticate(request, _now())
        if isinstance(answered, Response):
            self._count(address)
        return answered

    def challenge(self, request: Request, address: str) -> Response:
        """Raises RemoteProtocolError for one too many, SipError."""
        self._count(address)
        return self._registrar.challenge(request, _now())

    def attach(self, registered: Registered, send: Send, cut: Cut) -> SipFlow:
        """Whoever registered is a phone on this socket. Raises AttachError."""
        return self._attachments.attach(self.member_of(registered.username), send, cut, registered.contact)

    def _count(self, address: str) -> None:
        if not self._tries.allow(address, _now()):
            journal.warn("sip", f"a SIP client at {address} was cut: too many tries", address=address)
            raise RemoteProtocolError("too many tries")

    def _ha1(self, user: str, algorithm: str) -> str | None:
        found = self._accounts.get(user)
        return None if found is None or self._member(found) is None else str(found[algorithm])

    def _is_taken(self, user: str) -> bool:
        return user in self._accounts and self._member(self._accounts[user]) is not None

    def _member(self, account: Json) -> Member | None:
        return self._house.membership.roster.member(bytes.fromhex(account["key"]))


class Client:
    """One socket of a client: a `SipFlow`. Before it has registered it may do nothing but that."""

    def __init__(self, accounts: Accounts, address: str, send: Send, cut: Cut) -> None:
        self._accounts = accounts
        self._address = address
        self._send = send
        self._cut = cut
        self._flow: SipFlow | None = None
        self._registered: Registered | None = None
        self._timer: asyncio.TimerHandle | None = None

    def received(self, text: str) -> None:
        """One message. Raises RemoteProtocolError for what ends the socket."""
        data = message_in(text)
        if not data:
            return
        message = parse_message(data)  # SipError is one, too
        if isinstance(message, Request) and message.method == "REGISTER":
            self._register(message)
        elif self._flow is not None:
            self._flow.received(text)
        elif isinstance(message, Request) and message.method != "ACK":
            self._answer(self._accounts.challenge(message, self._address))

    def closed(self) -> None:
        """The socket is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        flow, self._flow, self._registered = self._flow, None, None
        if flow is not None:
            flow.closed()

    def _register(self, request: Request) -> None:
        answered = self._accounts.register(request, self._address)
        if isinstance(answered, Response):
            self._answer(answered)
            return
        try:
            self._take(answered)
        except AttachError as error:
            self._answer(response_to(request, 403))
            self._cut(error)
            return
        self._answer(answered.response)

    def _take(self, registered: Registered) -> None:
        """A new registration, a refresh, or the end of one. Raises AttachError."""
        before = self._registered
        same = before is not None and (before.username, before.contact) == (registered.username, registered.contact)
        if not same:
            self.closed()
        if registered.contact is None:
            return
        if not same:
            self._flow = self._accounts.attach(registered, self._send, self._cut)
        self._registered = registered
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(registered.expires + GRACE, self.closed)

    def _answer(self, response: Response) -> None:
        self._send(bytes(response).decode(errors="replace"))


def _is_account(found: Json) -> bool:
    try:
        return is_key(bytes.fromhex(found["key"])) and all(isinstance(found[name], str) for name in ALGORITHMS)
    except (KeyError, TypeError, ValueError):
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()
