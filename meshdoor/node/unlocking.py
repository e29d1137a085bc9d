"""What this node opens for its SIP clients: by a code that they type in a call with a door, or by a message.

Digits come as INFO, which this node keeps to itself, or by the door, with the sound or in the dialog of a client on a
WebSocket: that one tells them (`node.digits`), and is believed only of a call with that client which was answered.
Messages come from who has proven its secret (`node.registrations`). In either case the lock decides, and its audit says
who and by what means.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from meshdoor.calls.codes import CodeEntry, Guesses
from meshdoor.calls.hosts import member_at, member_called
from meshdoor.calls.overheard import Call
from meshdoor.calls.texts import HELP, TEXT, OpenOrder, order_of
from meshdoor.errors import NotFound, Refused, RemoteProtocolError, SipError
from meshdoor.node import journal
from meshdoor.node.attachments import Attachments
from meshdoor.node.bridge import Bridge, Bridges
from meshdoor.node.calling import Desk
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.openers import KeepKey, Kept, Openers
from meshdoor.node.opening import Openings
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import DIGITS
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.uri import SipUri, unescape
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member

ABOUT: Final = "digit"
MESSAGES: Final = (0.2, 5.0)  # of one client, a second and at once
LATER: Final = (("Retry-After", "5"),)
UNAVAILABLE: Final = 480
MAX_NAME: Final = 64  # characters of who opened, with the means


class Registrations(Protocol):
    """Who hears what clients write."""

    written: Callable[[sip.RequestReceived, Member], bool]


class Lines(Desk, Protocol):
    """The call service."""

    bridges: Bridges

    @property
    def attachments(self) -> Attachments: ...

    @property
    def registrations(self) -> Registrations: ...


class Keeper(Protocol):
    """Who makes clients members."""

    def keep_keys(self, keep: KeepKey) -> None:
        """Give what they sign with to `keep`."""


class Unlocking:
    """Make it once, when there are calls; it listens from then on."""

    def __init__(self, lines: Lines, house: House, openings: Openings, openers: Openers) -> None:
        self._lines = lines
        self._house = house
        self._openings = openings
        self._openers = openers
        self._guesses = Guesses()
        self._entries: WeakKeyDictionary[Bridge | Call, CodeEntry] = WeakKeyDictionary()
        self._messages = KeyedRateLimit(*MESSAGES)
        lines.bridges.typed = self._typed
        lines.registrations.written = self._written
        house.notes.register(ABOUT, self._noted)
        openers.changed.append(self._guesses.forget)
        for key, shut in openers.shut_out(time.time()):
            self._guesses.restore(key, shut, lines.now())

    def _noted(self, node: bytes, note: Note) -> None:
        """A door heard a digit."""
        try:
            client = bytes.fromhex(str(note.get("of")))
        except ValueError:
            raise RemoteProtocolError("a digit of nobody") from None
        digit = note.get("digit")
        if not isinstance(digit, str) or len(digit) != 1 or digit not in DIGITS:
            raise RemoteProtocolError("a digit that is none")
        call = self._call(client, node)
        if call is not None:
            self._take(call, client, node, digit)

    def _typed(self, bridge: Bridge, digit: str) -> bool:
        """False for a digit that is for the other end."""
        return self._take(bridge, bridge.client, bridge.member, digit)

    def _call(self, client: bytes, door: bytes) -> Bridge | Call | None:
        """The call of these two that was answered."""
        return self._lines.bridges.find(client, door) or self._lines.attachments.talk(client, door)

    def _take(self, call: Bridge | Call, typist: bytes, typed_to: bytes, digit: str) -> bool:
        roster = self._house.membership.roster
        door, client = roster.member(typed_to), roster.member(typist)
        if door is None or client is None or door.role is not Role.DOOR or not door.linked:
            return False
        if client.key not in self._openers.by_code():
            return False
        entry = self._entries.setdefault(call, CodeEntry())
        code = entry.digit(digit, self._lines.now())
        if code is not None:
            self._lines.spawn(self._check(entry, code, client, door))
        return True

    async def _check(self, entry: CodeEntry, code: str, client: Member, door: Member) -> None:
        """Who is shut out is not told whether the code was right."""
        if self._guesses.shut(client.key, self._lines.now()):
            entry.judged(False)
            return
        right = await self._openers.check(client.key, code)
        entry.judged(right)
        if not right:
            await self._wrong(client, door)
            return
        self._guesses.forget(client.key)
        await self._openers.shut(client.key, None)
        await self._open(client, door.name, "by code")

    async def _wrong(self, client: Member, door: Member) -> None:
        shut = self._guesses.wrong(client.key, self._lines.now())
        journal.warn("code", f"{client.name} typed a wrong code in a call with {door.name}", member=client.name)
        self._publish(client, "by code", "wrong code")
        if shut is not None:
            text = f"too many wrong codes: none of {client.name} counts for {shut.seconds / 60:.0f} minutes"
            journal.warn("code", text, member=client.name)
            await self._openers.shut(client.key, shut)  # a power cut is no way to try again

    def _written(self, event: sip.RequestReceived, sender: Member) -> bool:
        """A message of a client that has proven who it is."""
        try:
            order = order_of(event.request.content_type or "", event.request.body)
        except SipError as error:
            accept = (("Accept", TEXT),) if error.status == 415 else ()
            self._lines.endpoint.respond(event, error.status, accept)
            return True
        if not self._messages.allow(sender.key, self._lines.now()):
            self._lines.endpoint.respond(event, UNAVAILABLE, LATER)
            return True
        self._lines.endpoint.respond(event, 200)
        self._lines.spawn(self._obey(event, sender, order))
        return True

    async def _obey(self, event: sip.RequestReceived, sender: Member, order: OpenOrder | None) -> None:
        text = HELP
        if order is not None:
            text = await self._open(sender, order.name or self._meant(event, sender), "by message")
        target = self._lines.target(sender.key)
        if target is None:
            return
        same = replace(target, caller=NameAddr(None, event.request.to.uri))  # the same conversation
        await self._lines.endpoint.ask(same, "MESSAGE", (("Content-Type", TEXT),), text.encode())

    def _meant(self, event: sip.RequestReceived, sender: Member) -> str:
        """The door that it talks with, else the door or lock that it writes to, else the only one there is."""
        roster, uri = self._house.membership.roster, event.request.uri
        doors = [member for member in roster.members.values() if member.role is Role.DOOR]
        talks = next((door for door in doors if self._call(sender.key, door.key)), None)
        called = member_at(roster, uri)
        if called is None and isinstance(uri, SipUri):
            called = member_called(roster, unescape(uri.user or ""))
        named = called if called is not None and called.role in (Role.DOOR, Role.LOCK) else None
        meant = talks or named
        return "" if meant is None else meant.name

    async def _open(self, client: Member, text: str, means: str) -> str:
        """Ask the lock; what came of it, for people."""
        opener = self._openers.identity(client.key)
        if opener is None or client.expired(time.time()):
            return self._told(client, means, f"this node cannot open for {client.name}")
        try:
            receipt = await self._openings.open_for(opener, text, _person(client, means))
        except (Refused, NotFound) as error:
            return self._told(client, means, str(error))
        lock = self._house.membership.roster.members[receipt.lock].name
        if receipt.result.is_open:
            self._publish(client, means, str(receipt.result))
            return f"{lock}: {receipt.result}."
        return self._told(client, means, f"{lock} stays shut: {receipt.result}")

    def _told(self, client: Member, means: str, why: str) -> str:
        journal.warn("lock", f"{client.name} wanted to open {means}: {why}", member=client.name)
        self._publish(client, means, why)
        return f"No: {why}."

    def _publish(self, client: Member, means: str, result: str) -> None:
        self._lines.publish({"event": "opening", "who": client.name, "by": means.removeprefix("by "), "result": result})


def open_for_clients(
    lines: Lines, house: House, openings: Openings, kept: Kept, keepers: Iterable[Keeper]
) -> Openers:
    """Begin; the verbs are those of what is returned. `keepers` make clients members, from now on with a key."""
    openers = Openers(house, lines.client, kept)
    for keeper in keepers:
        keeper.keep_keys(openers.keep)
    Unlocking(lines, house, openings, openers)
    return openers


def _person(client: Member, means: str) -> str:
    return f"{client.name[: MAX_NAME - len(means) - 2]}, {means}"
