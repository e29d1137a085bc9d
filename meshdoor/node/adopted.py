"""SIP clients that were adopted: members that cannot pair, reached from this node at the address they were given.

This node makes a key for each, which is the member's name; what it signs with that is up to `openers`. The others know
what the roster says and, from the note on phones, how it is to be called; the address stays here, in `adopted.json`:

    {KEY: {"uri": "sip:kitchen@192.168.1.30;transport=tcp", "media": "srtp"|"dtls"|"plain", "certificate"?: hex of DER,
           "preview"?: true}}

Whether it is there is asked by OPTIONS (RFC 3261 §11), which every user agent answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from meshdoor.calls.clients import MAX_PRODUCT, Client, Keying
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import AttachError, ConfigError, LocalProtocolError, NotFound, Refused, SipError, UserError
from meshdoor.node import journal
from meshdoor.node.arguments import Args, checked
from meshdoor.node.attachments import MAX_CLIENTS, Attachments
from meshdoor.node.house import House
from meshdoor.node.openers import KeepKey, keep_no_key
from meshdoor.sip.flow import Target
from meshdoor.sip.message import Response
from meshdoor.sip.uri import SipUri
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.outside import Outside
from meshdoor.transport.tls import certificate_of, fingerprint_of
from meshdoor.trust.identity import Identity, is_key
from meshdoor.trust.roster import Member

TRANSPORTS: Final = ("udp", "tcp", "tls")
# Seconds.
PATIENCE: Final = 4.0  # for the answer to OPTIONS: Wi-Fi sleeps, and UDP repeats it meanwhile
WHILE_THERE: Final = 20.0
WHILE_AWAY: Final = 5.0
MISSED: Final = 2  # questions in a row without an answer, after which it is away

Save = Callable[[dict[str, Json]], object]


class Desk(Protocol):
    """Who lets phones in."""

    def admit_client(
        self, key: bytes, name: str, permissions: Iterable[str] | None = None, until: int | None = None
    ) -> Member:
        """A member for a client. Raises UserError."""


class Secrets(Protocol):
    """Who keeps what it takes to check the secrets of clients."""

    def check_user(self, user: str) -> None:
        """Raises UserError where `secure` would be of no use."""

    async def secure(self, key: bytes, user: str, keying: Keying) -> str:
        """The secret of a client that was let in otherwise, which is shown once."""


class Lines(Protocol):
    """How SIP leaves this node: the call service."""

    @property
    def endpoint(self) -> SipEndpoint: ...

    @property
    def outside(self) -> Outside: ...

    @property
    def attachments(self) -> Attachments: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client is, and how it is spoken to. `certificate` (DER) is the one that it has over TLS. `preview`: see
    `clients.Client`."""

    uri: SipUri
    keying: Keying
    certificate: bytes = b""
    preview: bool = False

    @classmethod
    def read(cls, stored: Json) -> Place:
        """Raises ValueError, SipError."""
        if not isinstance(stored, dict):
            raise ValueError("no table")
        certificate = bytes.fromhex(str(stored.get("certificate", "")))
        uri, preview = SipUri.parse(str(stored.get("uri"))), stored.get("preview") is True
        return cls(uri, Keying(str(stored.get("media"))), certificate, preview)

    def stored(self) -> Json:
        table: dict[str, Json] = {"uri": str(self.uri), "media": str(self.keying)}
        table |= {"preview": True} if self.preview else {}
        return table | ({"certificate": self.certificate.hex()} if self.certificate else {})

    @property
    def transport(self) -> str:
        return (self.uri.parameter("transport") or ("tls" if self.uri.scheme == "sips" else "udp")).lower()


class Adopted:
    """`stored` is what `save` was given last; what cannot be read of it is not there. `run` beside the house."""

    def __init__(self, house: House, lines: Lines, stored: Mapping[str, Json], save: Save) -> None:
        self._house = house
        self._lines = lines
        self._save = save
        self._places = dict(_read(stored))
        self._keep_key: KeepKey = keep_no_key
        self._asking: dict[bytes, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def uris(self) -> list[SipUri]:
        """Where the clients are that were adopted here."""
        members = self._house.membership.roster.members
        return [place.uri for key, place in self._places.items() if key in members]

    def keep_keys(self, keep: KeepKey) -> None:
        """From now on `keep` gets what clients sign with."""
        self._keep_key = keep

    def table(self, desk: Desk, secrets: Secrets) -> dict[str, Verb]:
        """By name, for the control server."""

        async def adopt(args: Args) -> Json:
            permissions = args.texts("permissions") if args.has("permissions") else None
            place, proof = await described(args), secrets if args.flag("digest") else None
            place = replace(place, preview=args.flag("preview"))
            return await self.adopt(desk, place, args.text("name"), permissions, proof)

        return {"adopt": checked(adopt)}

    async def adopt(
        self,
        desk: Desk,
        place: Place,
        name: str,
        permissions: list[str] | None = None,
        secrets: Secrets | None = None,
    ) -> Json:
        """Make a member of a client; with `secrets` it gets one of them. Raises UserError."""
        members = self._house.membership.roster.members
        kept = {key: each for key, each in self._places.items() if key in members}
        if len(kept) >= MAX_CLIENTS:
            raise Refused(f"{MAX_CLIENTS} clients were adopted here already", "adopt it on another screen")
        twin = next((key for key, each in kept.items() if each.uri == place.uri), None)
        if twin is not None:
            raise Refused(f"{members[twin].name} is at {place.uri}", f"meshdoor revoke {members[twin].name}")
        user = place.uri.user or ""
        if secrets is not None:
            secrets.check_user(user)
        product = await self._ask(place)
        identity = Identity.generate()
        key = identity.key
        member = desk.admit_client(key, name, permissions)
        await self._keep_key(identity)
        self._places = kept | {key: place}
        await asyncio.to_thread(self._save, {each.hex(): found.stored() for each, found in self._places.items()})
        self._follow(key)
        client = Client(place.keying, "::", product or "", place.transport)
        proof = {"secret": await secrets.secure(key, user, place.keying), "user": user} if secrets is not None else {}
        return proof | {
            "joined": member.name,
            "id": member.device_id,
            "uri": str(place.uri),
            "media": str(place.keying),
            "product": product,
            "fingerprint": fingerprint_of(place.certificate) if place.certificate else None,
            "warning": client.warning,
        }

    async def run(self) -> None:
        """Ask all of them whether they are there; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for key in self._places:
                self._follow(key)
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def _follow(self, key: bytes) -> None:
        if self._tasks is not None and key not in self._asking:
            task = self._asking[key] = self._tasks.create_task(self._watch(key))
            task.add_done_callback(lambda done: self._asking.pop(key, None))

    async def _watch(self, key: bytes) -> None:
        """As long as it is a member."""
        missed = MISSED
        while self._house.membership.roster.member(key) is not None:
            place = self._places[key]
            product = await self._ask(place)
            missed = missed + 1 if product is None else 0
            if product is not None:
                await self._there(key, place, product)
            elif missed == MISSED:
                self._away(key)
            await asyncio.sleep(WHILE_AWAY if missed else WHILE_THERE)
        self._lines.attachments.displace(key)

    async def _there(self, key: bytes, place: Place, product: str) -> None:
        before = self._lines.attachments.client(key)
        with contextlib.suppress(AttachError, NotFound, ConfigError):
            target = await self._target(place)
            host = target.flow.host
            client = Client(place.keying, host, product, place.transport, place.preview)
            self._lines.attachments.place(key, client, place.uri, target.flow)
            if before is None:
                journal.say("client", f"{self._name(key)} is there ({product or 'no name'})", member=self._name(key))

    def _away(self, key: bytes) -> None:
        if self._lines.attachments.client(key) is not None:
            journal.say("client", f"{self._name(key)} does not answer any more", member=self._name(key))
        self._lines.attachments.displace(key)

    async def _ask(self, place: Place) -> str | None:
        """The product that it says it is, perhaps empty; None if there is no answer."""
        try:
            target = await self._target(place)
            async with asyncio.timeout(PATIENCE):
                answered = await self._lines.endpoint.ask(target, "OPTIONS", (("Accept", "application/sdp"),))
        except (NotFound, ConfigError, LocalProtocolError, TimeoutError):
            return None
        return None if answered.failure is not None else _product(answered.response)

    async def _target(self, place: Place) -> Target:
        return await self._lines.outside.target(place.uri, place.certificate)

    def _name(self, key: bytes) -> str:
        member = self._house.membership.roster.members.get(key)
        return "a client" if member is None else member.name


async def described(args: Args) -> Place:
    """Where it is, and how it is spoken to, as a person says it. Raises UserError."""
    text, media = args.text("uri"), args.optional("media") or str(Keying.SRTP)
    try:
        uri = SipUri.parse(text)
    except SipError as error:
        raise UserError(str(error), "for example: sip:kitchen@192.168.1.30") from None
    if media not in list(Keying):
        raise UserError(f"media: {media!r} is none of {', '.join(Keying)}")
    transport = args.optional("transport")
    if transport is not None and transport not in TRANSPORTS:
        raise UserError(f"transport: {transport!r} is none of {', '.join(TRANSPORTS)}")
    if transport is not None:
        others = tuple(pair for pair in uri.parameters if pair[0].lower() != "transport")
        uri = replace(uri, parameters=(*others, ("transport", transport)))
    place = Place(replace(uri, headers=()), Keying(media))
    if place.transport != "tls":
        return place
    return replace(place, certificate=await asyncio.to_thread(certificate_of, uri.host, uri.port))


def _read(stored: Mapping[str, Json]) -> Iterable[tuple[bytes, Place]]:
    for name, found in list(stored.items())[:MAX_CLIENTS]:
        try:
            key, place = bytes.fromhex(name), Place.read(found)
        except (ValueError, SipError):
            continue
        if is_key(key):
            yield key, place


def _product(response: Response) -> str:
    said = response.headers.get("User-Agent") or response.headers.get("Server") or ""
    return "".join(each for each in said if each.isprintable())[:MAX_PRODUCT]
