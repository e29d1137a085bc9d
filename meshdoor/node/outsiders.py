"""Who is outside the home: addresses that routes name, and accounts at servers of others.

An address outside is a peer of presses and calls like any other, under a key that is a hash of it; nobody ever proves
such a key, and it stands in no roster.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from meshdoor.calls.clients import Client, Keying
from meshdoor.calls.names import Meant, Names
from meshdoor.config import AccountConfig, Config
from meshdoor.errors import ConfigError, NotFound, Refused
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.outside_account import Lines, OutsideAccount, read_secret
from meshdoor.sip.compose import Fields
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.message import Request, Response
from meshdoor.sip.registration import Registration
from meshdoor.sip.uri import SipUri
from meshdoor.transport.resolver import Resolver
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member

LOOK_AGAIN: Final = 300.0  # seconds between two looks where an address without an account leads
MAX_PARTIES: Final = 128
MAX_NAME: Final = 64
INCOMING: Final = {
    "door": (Role.DOOR, frozenset({Permission.RING})),
    "room": (Role.PHONE, frozenset({Permission.TALK})),
}


class Calls(Lines, Protocol):
    """The call service."""

    def found(self, key: bytes) -> None:
        """There is a way to somebody now."""


def names_of(config: Config, house: House) -> Names:
    """What names mean at this node now."""
    host = socket.gethostname().partition(".")[0]
    return Names(config.sip.domain, config.routes, {host, f"{host}.local", *house.addresses})


@dataclass(slots=True)
class Party:
    """Somebody outside, by an account or directly. `target` is kept for who is called directly."""

    key: bytes
    uri: SipUri
    name: str
    account: OutsideAccount | None
    target: Target | None = None

    def way(self) -> Target | None:
        return self.account.target(self.uri) if self.account is not None else self.target


class Outsiders:
    """`run` beside the house. `folder` is where files of secrets are named from; it is set before."""

    def __init__(
        self, lines: Calls, accounts: Iterable[AccountConfig] = (), resolver: Resolver | None = None
    ) -> None:
        self._lines = lines
        self._configured = tuple(accounts)
        self.folder = Path()
        self._resolver = resolver or Resolver()
        self._accounts: list[OutsideAccount] = []
        self._parties: dict[bytes, Party] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, routed: Callable[[], Meant]) -> None:
        """Register all accounts, and know the way to all that the routes name; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for config in self._configured:
                await self._configure(config)
            self.keys(routed().outside)
            try:
                while True:
                    for party in tuple(self._parties.values()):
                        tasks.create_task(self._find(party))
                    await asyncio.sleep(LOOK_AGAIN)
            finally:
                self._tasks = None

    def rows(self) -> list[dict[str, object]]:
        """What the status says of the accounts."""
        return [account.row() for account in self._accounts]

    def open_account(self, address: str, proxy: str, password: str, user: str) -> OutsideAccount:
        """An account for as long as this node runs. Raises ConfigError, Refused."""
        if self._tasks is None:
            raise Refused("this node is stopping")
        return self._open(AccountConfig(address, proxy=proxy, user=user), password, self._tasks)

    def keys(self, uris: Iterable[SipUri]) -> tuple[bytes, ...]:
        """What addresses are called in presses and calls; the way to new ones is looked for."""
        return tuple(self._party(uri).key for uri in uris)

    def party(self, key: bytes) -> Party | None:
        """Whom a key stands for."""
        return self._parties.get(key)

    def name_of(self, key: bytes) -> str:
        """What people call somebody outside; empty for anybody else."""
        party = self._parties.get(key)
        return "" if party is None else party.name

    def client(self, key: bytes) -> Client | None:
        """How somebody outside wants its media."""
        party = self._parties.get(key)
        target = party.way() if party is not None else None
        if party is None or target is None:
            return None
        plain = party.account is not None and party.account.config.media == "plain"
        host = target.flow.host
        keying, stun = Keying.PLAIN if plain else Keying.SRTP, None if party.account is None else party.account.stun
        return Client(keying, host, "", target.flow.transport.lower(), stun=stun)

    def member(self, uri: SipUri) -> Member:
        """Somebody outside, as one who may talk."""
        return _member(self._party(uri), "room")

    async def reach(self, uri: SipUri) -> Target:
        """A request for there. Raises NotFound."""
        party = self._party(uri)
        if (target := party.way()) is not None:
            return target
        if party.account is not None:
            raise NotFound(f"there is no way to the server of {party.account.config.address}")
        return await self._direct(party)

    def caller(self, request: Request, flow: Flow) -> Member | None:
        """Who calls through an account of ours."""
        account = next((each for each in self._accounts if each.is_for(request, flow)), None)
        if account is None or account.config.incoming not in INCOMING:
            return None
        uri = request.from_.uri
        if not isinstance(uri, SipUri):
            return None
        plain = SipUri("sip", uri.user, None, uri.host)
        party = self._party(plain, account)
        party.name = _shown(request.from_.display or "") or party.name
        return _member(party, account.config.incoming)

    def trusts(self, flow: Flow) -> bool:
        """Is a server of ours at the other end?"""
        return any(account.is_server(flow) for account in self._accounts)

    def authorize(self, request: Request, response: Response) -> Fields:
        """The credentials for a challenge."""
        for account in self._accounts:
            if (fields := account.authorize(request, response)) is not None:
                return fields
        return ()

    def changed(self, registration: Registration) -> None:
        """A registration is in another state."""
        any(account.changed(registration) for account in self._accounts)

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        for account in self._accounts:
            account.lost(flow)

    async def _configure(self, config: AccountConfig) -> None:
        try:
            file = config.secret_file
            secret = await asyncio.to_thread(read_secret, self.folder / file) if file else ""
            assert self._tasks is not None
            self._open(config, secret, self._tasks)
        except ConfigError as error:
            journal.warn("account", str(error), account=config.address)

    def _open(self, config: AccountConfig, secret: str, tasks: asyncio.TaskGroup) -> OutsideAccount:
        account = OutsideAccount(config, secret, self._lines, self._resolver)
        self._accounts.append(account)
        task = tasks.create_task(self._kept(account))
        task.add_done_callback(lambda done: self._accounts.remove(account))
        return account

    async def _kept(self, account: OutsideAccount) -> None:
        try:
            await account.run()
        except ConfigError as error:
            journal.warn("account", str(error), account=account.config.address)

    def _party(self, uri: SipUri, account: OutsideAccount | None = None) -> Party:
        account = account or self._account_for(uri)
        key = hashlib.sha256(f"meshdoor outside v1\0{uri}".encode()).digest()
        party = self._parties.pop(key, None) or Party(key, uri, _shown(f"{uri.user or ''}@{uri.host}"), account)
        party.account = account
        self._parties[key] = party  # the last that was named
        if len(self._parties) > MAX_PARTIES:
            self._parties.pop(next(iter(self._parties)))
        if party.way() is None and self._tasks is not None and account is None:
            self._tasks.create_task(self._find(party))
        return party

    def _account_for(self, uri: SipUri) -> OutsideAccount | None:
        """That of the same domain, else one that has a proxy for the whole world, else none."""
        same = [each for each in self._accounts if each.address.host.lower() == uri.host.lower()]
        return next(iter([*same, *(each for each in self._accounts if each.config.proxy)]), None)

    async def _find(self, party: Party) -> None:
        if party.account is not None:
            return
        known = party.target is not None
        try:
            await self._direct(party)
        except NotFound as error:
            journal.say("outside", f"{party.name}: {error}")
            return
        if not known:
            self._lines.found(party.key)

    async def _direct(self, party: Party) -> Target:
        """Raises NotFound."""
        outside = self._lines.outside
        hop, *more = await self._resolver.hops(party.uri, outside.spoken)
        flow, others = outside.flow(hop, party.uri.host), outside.others(more, party.uri.host)
        party.target = Target(party.uri, flow, others=others)
        return party.target


def _member(party: Party, incoming: str) -> Member:
    role, may = INCOMING[incoming]
    return Member(party.key, device_id(party.key), party.name, role, may, b"", party.key, (0, party.key), 0)


def _shown(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:MAX_NAME].strip()
