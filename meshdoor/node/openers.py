"""The keys of the SIP clients of this node, with which it opens locks for them, and the codes that they open by.

A client cannot sign, so the node that serves it does, with the key that it made for it; the lock judges that key by the
roster, as any other. Kept in `openers.json`, which nobody else can read:

    {KEY: {"seed": hex of 32 bytes, "code"?: what it takes to check the code (Argon2id),
           "shut"?: [unix time until which no code counts, the how many-eth time]}}
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.signing import SigningKey

from meshdoor.calls.clients import SECURE, Client, Keying
from meshdoor.calls.codes import ShutOut, check_code
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import NotFound, Refused
from meshdoor.node import journal
from meshdoor.node.arguments import Args, checked
from meshdoor.node.house import House
from meshdoor.trust.identity import KEY_SIZE, Identity
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member

MAX_OPENERS: Final = 512
OVERHEARD: Final = "whoever is in the network can overhear the code"

KeepKey = Callable[[Identity], Awaitable[None]]
FindClient = Callable[[bytes], Client | None]


@dataclass(frozen=True, slots=True)
class Opener:
    """One client: what it signs with, and the hash of its code, if it has one."""

    identity: Identity
    code: str = ""
    shut: tuple[float, int] | None = None  # until when, unix time; the how many-eth time

    def stored(self) -> Json:
        table: dict[str, Json] = {"seed": bytes(self.identity.signing_key).hex()}
        if self.code:
            table["code"] = self.code
        return table | ({"shut": list(self.shut)} if self.shut else {})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk: `stored` is what `save` was given last; what cannot be read of it is not there."""

    stored: Mapping[str, Json]
    save: Callable[[dict[str, Json]], object]


class Openers:
    """`changed` hears of each new code, and of each that is no more."""

    def __init__(self, house: House, find_client: FindClient, kept: Kept) -> None:
        self.changed: list[Callable[[bytes], None]] = []
        self._house = house
        self._find_client = find_client
        self._openers = dict(_read(kept.stored))
        self._save = kept.save
        self._one = asyncio.Lock()  # a check takes 64 MiB
        self._storing = asyncio.Lock()
        house.by_code = self.by_code

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""

        async def pin(args: Args) -> Json:
            return await self.set_code(args.text("member"), args.optional("code"))

        return {"pin": checked(pin)}

    async def keep(self, identity: Identity) -> None:
        """The key of a client that was made a member here."""
        self._openers[identity.key] = Opener(identity)
        await self._store()

    def identity(self, key: bytes) -> Identity | None:
        """What a client signs with; None for who is none of this node, or is no member any more."""
        found = self._openers.get(key)
        return None if found is None or self._house.membership.roster.member(key) is None else found.identity

    def by_code(self) -> Collection[bytes]:
        """Who opens by a code here: it has one, and may."""
        roster = self._house.membership.roster
        return [key for key, each in self._openers.items() if each.code and roster.may(key, Permission.OPEN)]

    async def check(self, key: bytes, code: str) -> bool:
        """Is this the code of that client?"""
        async with self._one:
            found = self._openers.get(key)
            return found is not None and await asyncio.to_thread(_matches, found.code, code)

    def shut_out(self, unix_now: float) -> Iterable[tuple[bytes, ShutOut]]:
        """Whose codes did not count when the node ended, and for how long yet."""
        for key, each in self._openers.items():
            if each.shut is not None:
                until, times = each.shut
                yield key, ShutOut(until - unix_now, times)

    async def shut(self, key: bytes, shut: ShutOut | None) -> None:
        """Keep that a client is shut out, or is not any more."""
        opener = self._openers.get(key)
        told = None if shut is None else (round(time.time() + shut.seconds, 3), shut.times)
        if opener is not None and opener.shut != told:
            self._openers[key] = replace(opener, shut=told)
            await self._store()

    async def set_code(self, text: str, code: str | None) -> Json:
        """Give a client a code to open by, or none: {name, id, by_code, warning}. Raises UserError."""
        member = self._house.membership.roster.find(text)
        opener = self._openers.get(member.key)
        if opener is None:
            raise _no_client(member)
        hashed = ""
        if code is not None:
            if Permission.OPEN not in member.permissions:
                raise Refused(f"{member.name} may not open locks", "let it in again, with the permission `open`")
            hashed = await asyncio.to_thread(_hashed, check_code(code))
        opener = self._openers[member.key] = Opener(opener.identity, hashed)
        await self._store()
        for listener in self.changed:
            listener(member.key)
        told = "opens by a code now" if opener.code else "opens by no code any more"
        journal.say("code", f"{member.name} {told}", member=member.name)
        client = self._find_client(member.key)
        heard = client is not None and (client.transport not in SECURE or client.keying is Keying.PLAIN)
        warning = OVERHEARD if opener.code and heard else ""
        return {"name": member.name, "id": member.device_id, "by_code": bool(opener.code), "warning": warning}

    async def _store(self) -> None:
        """One after the other: what is on disk in the end is the newest."""
        async with self._storing:
            members = self._house.membership.roster.members
            self._openers = {key: each for key, each in self._openers.items() if key in members}
            await asyncio.to_thread(self._save, {key.hex(): each.stored() for key, each in self._openers.items()})


async def keep_no_key(identity: Identity) -> None:
    """Where nothing is opened for clients."""


def _no_client(member: Member) -> NotFound:
    if member.role is not Role.PHONE:
        return NotFound(f"{member.name} is a {member.role}", "codes are for SIP clients: `meshdoor phone list`")
    return NotFound(
        f"this node has no key of {member.name} to open with",
        "a phone with the page needs no code; a SIP client gets one at the node that let it in",
    )


def _hashed(code: str) -> str:
    found: bytes = argon2id.str(code.encode(), argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE)
    return found.decode("ascii")


def _matches(hashed: str, code: str) -> bool:
    try:
        return bool(hashed) and argon2id.verify(hashed.encode(), code.encode())
    except CryptoError:
        return False


def _read(stored: Mapping[str, Json]) -> Iterable[tuple[bytes, Opener]]:
    for name, found in list(stored.items())[:MAX_OPENERS]:
        try:
            seed, code = bytes.fromhex(found["seed"]), str(found.get("code", ""))
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        if len(seed) != KEY_SIZE:
            continue
        identity = Identity(SigningKey(seed), b"")
        if identity.key.hex() == name:
            yield identity.key, Opener(identity, code, _shut(found.get("shut")))


def _shut(stored: Json) -> tuple[float, int] | None:
    try:
        until, times = stored
        return (float(until), max(int(times), 0)) if isfinite(until) else None
    except (OverflowError, TypeError, ValueError):
        return None
