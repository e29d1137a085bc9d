"""Linphone sets itself up: it fetches its settings, once, from an address that a QR code shows.

They are in the form of its remote provisioning (lpconfig). The account is made when they are fetched, so its secret is
nowhere before that, and nowhere after that but with the client.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from xml.sax.saxutils import escape

from meshdoor.calls.clients import Keying
from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node import qr
from meshdoor.node.accounts import Accounts, Desk, Wanted
from meshdoor.node.arguments import Args
from meshdoor.node.phones import OpenWeb
from meshdoor.sip.registrar import REALM

LIFETIME: Final = 600.0  # seconds
MAX_WAITING: Final = 16
TOKEN: Final = 16  # bytes
PATH: Final = "/linphone/"
EXPIRES: Final = 600  # seconds of a registration


@dataclass(frozen=True, slots=True)
class Gate:
    """Where clients register: the name and the port of SIP over TLS."""

    host: str
    port: int


class FindGate(Protocol):
    """Who knows where."""

    def __call__(self) -> Gate:
        """Raises Refused where no client can register."""


@dataclass(slots=True)
class Offer:
    """Settings that wait to be fetched."""

    wanted: Wanted
    verified: bool
    expires: float  # of the loop's clock
    arrived: asyncio.Future[Json] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Provisioning:
    """Implements the verb `phone linphone`, and what the web server asks."""

    def __init__(self, accounts: Accounts, desk: Desk, find_gate: FindGate, open_web: OpenWeb) -> None:
        self._accounts = accounts
        self._desk = desk
        self._find_gate = find_gate
        self._open_web = open_web
        self._offers: dict[str, Offer] = {}

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        return {"phone linphone": self.add}

    async def add(self, args: Mapping[str, Json], progress: Progress) -> Json:
        """Tells where the settings are, and answers when a client has fetched them. Raises UserError."""
        given = Args(args)
        wanted = Wanted.read(given)
        self._find_gate()
        self._accounts.check(self._desk, wanted)
        web = await self._open_web()
        self._forget()
        if len(self._offers) >= MAX_WAITING:
            raise Refused("too many clients are awaited")
        token = base64.urlsafe_b64encode(secrets.token_bytes(TOKEN)).rstrip(b"=").decode()
        offer = Offer(wanted, not given.flag("unverified"), _now() + LIFETIME)
        self._offers[token] = offer
        url = f"https://{self._find_gate().host}:{web.port}{PATH}{token}"
        try:
            svg = await asyncio.to_thread(qr.svg, url)
            progress({"name": wanted.name, "url": url, "svg": svg, "expires": round(time.time() + LIFETIME)})
            async with asyncio.timeout(LIFETIME):
                return await offer.arrived
        except TimeoutError:
            raise Refused("nobody fetched the settings in time", "make new ones") from None
        finally:
            self._offers.pop(token, None)

    async def redeem(self, token: str) -> bytes:
        """The settings, once. Raises NotFound for a token that is good no more, or never was; UserError."""
        self._forget()
        offer = self._offers.pop(token, None)
        if offer is None:
            raise NotFound("these settings were fetched already, or it took too long", "make new ones")
        try:
            gate = self._find_gate()
            account = await self._accounts.add(self._desk, f"sips:{gate.host}:{gate.port}", offer.wanted)
        except UserError as error:
            if not offer.arrived.done():
                offer.arrived.set_exception(error)
            raise
        if not offer.arrived.done():
            offer.arrived.set_result({"joined": account["joined"], "id": account["id"]})
        return settings(account, gate, offer.wanted.media, verified=offer.verified)

    def _forget(self) -> None:
        now = _now()
        for token in [token for token, offer in self._offers.items() if offer.expires <= now]:
            del self._offers[token]


def settings(account: Mapping[str, Json], gate: Gate, media: Keying, *, verified: bool) -> bytes:
    """The XML that a client with this account fetches."""
    user, server = str(account["user"]), f"sip:{gate.host}:{gate.port};transport=tls"
    sections: dict[str, dict[str, object]] = {
        "sip": {
            "default_proxy": 0,
            "media_encryption": str(media),
            "media_encryption_mandatory": 1,
            "incoming_calls_early_media": 1,
            "verify_server_certs": int(verified),
            "verify_server_cn": int(verified),
            "use_info": 1,  # digits end at this node: a code is none of the door's business
            "use_rfc2833": 0,
        },
        "proxy_0": {
            "reg_proxy": f"<{server}>",
            "reg_identity": f'"{_bare(str(account["joined"]))}" <sip:{user}@{gate.host}>',
            "reg_expires": EXPIRES,
            "reg_sendregister": 1,
            "publish": 0,
        },
        "auth_info_0": {
            "username": user,
            "userid": user,
            "passwd": account["secret"],
            "realm": REALM,
            "domain": gate.host,
        },
        "video": {"enabled": 1, "display": 1, "automatically_initiate": 1, "automatically_accept": 1},
        "rtp": {"symmetric": 1},
        "misc": {"config-uri": ""},  # it is good once
    }
    body = "".join(_section(name, entries) for name, entries in sections.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">\n{body}</config>\n'
    return text.encode()


def _section(name: str, entries: Mapping[str, object]) -> str:
    lines = (
        f'  <entry name="{key}" overwrite="true">{escape(str(value))}</entry>\n' for key, value in entries.items()
    )
    return f' <section name="{name}">\n{"".join(lines)} </section>\n'


def _bare(name: str) -> str:
    """A name as it may stand between quotes."""
    return name.replace("\\", "").replace('"', "")


def _now() -> float:
    return asyncio.get_running_loop().time()
