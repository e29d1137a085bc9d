"""The home as the web server sees it: implements `meshdoor.node.web.WebHouse`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from meshdoor.calls.records import hex_id
from meshdoor.control import Json
from meshdoor.errors import AttachError, NotFound, Refused, RemoteProtocolError, StateError
from meshdoor.node.history import History
from meshdoor.node.homeview import HomeView
from meshdoor.node.house import House
from meshdoor.node.notes import Note
from meshdoor.node.phone_asks import PhoneAsks
from meshdoor.node.phones import PhoneDesk
from meshdoor.node.reporting import ANSWERED
from meshdoor.node.web import Cut, Guest, Send, SipFlow, Stop, Tell
from meshdoor.node.wishes import Wishes
from meshdoor.trust.attach import attachable
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member, Roster

LOGGER = logging.getLogger("meshdoor")
NEWS_AFTER: Final = 0.1  # seconds: many things change at once
LOOK_AGAIN: Final = 60.0  # seconds, as the clock may be set meanwhile


class Lines(Protocol):
    """The phones that are attached, as calls know them."""

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        """A phone is on the line here."""

    def is_here(self, key: bytes) -> bool:
        """Is a phone attached, to whichever node?"""

    def set_quiet(self, key: bytes, quiet: bool) -> None:
        """Whether a phone is not to ring now."""

    def shown(self, key: bytes, call: str) -> None:
        """A phone shows the picture of a visitor."""


class Clients(Protocol):
    """SIP clients that register by digest."""

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        """Somebody is on the line who will say who it is. Raises AttachError."""


class Provisions(Protocol):
    """Settings that SIP clients fetch."""

    async def redeem(self, token: str) -> bytes:
        """The settings, once. Raises UserError."""


NO_CLIENTS: Final = AttachError("This node takes no SIP clients.", "full")


class WebHouse:
    """Make it once; `run` keeps phones told, until cancelled."""

    def __init__(
        self,
        house: House,
        desk: PhoneDesk,
        lines: Lines,
        view: HomeView,
        asks: PhoneAsks,
        wishes: Wishes,
    ) -> None:
        self._house = house
        self._desk = desk
        self._lines = lines
        self.clients: Clients | None = None
        self.provisions: Provisions | None = None
        self._view = view
        self._asks = asks
        self._wishes = wishes
        self._watchers: list[Callable[[], None]] = []
        self._listeners: list[tuple[bytes, Tell]] = []
        self._news = asyncio.Event()
        self._told: Json = None
        self._missed: frozenset[str] | None = None
        self._hours = asyncio.Event()
        asks.quiet = self._quiet_changed
        asks.shown = lines.shown
        house.membership.listen(self._roster_changed)
        house.watchers.append(self._news.set)
        desk.ended.append(self._standing_changed)
        desk.joined.append(self._joined)
        house.notes.register(ANSWERED, self._answered)

    def follow(self, history: History) -> None:
        """Tell phones of new visits, too."""
        history.listeners.append(self._news.set)

    @property
    def home(self) -> str:
        home = self._house.membership.roster.home
        return "" if home is None else home.hex()

    @property
    def home_name(self) -> str:
        return self._house.membership.roster.home_name

    @property
    def node(self) -> str:
        return self._house.name

    def addresses(self) -> tuple[str, ...]:
        return self._house.addresses

    def standing(self, key: bytes) -> Guest:
        member = self._member(key)
        permissions = tuple(sorted(map(str, member.permissions)))
        return Guest(key, member.device_id, member.name, permissions, member.until)

    def watch(self, changed: Callable[[], None]) -> Stop:
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        return self._desk.pair(body, address, fingerprint)

    def attach(self, key: bytes, send: Send, cut: Cut) -> SipFlow:
        self._member(key)
        flow = self._lines.attach(key, send, cut)
        self._lines.set_quiet(key, self._wishes.is_quiet(key, time.time()))
        return flow

    def attach_client(self, address: str, send: Send, cut: Cut) -> SipFlow:
        if self.clients is None:
            raise NO_CLIENTS
        return self.clients.attach_client(address, send, cut)

    async def provision(self, token: str) -> bytes:
        if self.provisions is None:
            raise NotFound("there are no such settings")
        return await self.provisions.redeem(token)

    async def ask(self, key: bytes, what: str, args: Mapping[str, Json]) -> Json:
        try:
            member = self._member(key)
        except AttachError as error:
            raise Refused(str(error)) from None
        return await self._asks.answer(member, what, args)

    def listen(self, key: bytes, tell: Tell) -> Stop:
        listener = (key, tell)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        """Tell phones what has changed, and calls which of them are not to ring now."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_hours())
            while True:
                await self._news.wait()
                await asyncio.sleep(NEWS_AFTER)
                self._news.clear()
                if self._listeners:
                    await self._tell_news()

    async def _tell_news(self) -> None:
        try:
            missed = await self._view.missed()
            home = await self._view.home_with(missed)
        except StateError as error:
            LOGGER.warning("phones are not told what is new: %s", error)
            return
        if home != self._told:
            self._told = home
            for key, tell in tuple(self._listeners):
                if (member := self._house.membership.roster.member(key)) is not None:
                    tell({"event": "home"} | home | {"me": self._asks.me(member)})
        ids = frozenset(visit["id"] for visit in missed)
        known = ids if self._missed is None else self._missed
        self._missed = ids
        for visit in missed:
            if visit["id"] not in known:
                self._tell({"event": "missed", "visit": visit}, Permission.VIEW)

    def _tell(self, event: Json, permission: Permission) -> None:
        for key, tell in tuple(self._listeners):
            if self._house.membership.roster.may(key, permission):
                tell(event)

    async def _keep_hours(self) -> None:
        """Quiet hours begin and end."""
        while True:
            self._hours.clear()
            members = self._house.membership.roster.members.keys()
            if not self._wishes.phones() <= members:
                await asyncio.to_thread(self._wishes.keep_only, members)
            now, wait = time.time(), LOOK_AGAIN
            for member in self._desk.phones():
                quiet = self._wishes.quiet(member.key)
                if quiet is not None:
                    self._lines.set_quiet(member.key, quiet.covers(now))
                    wait = min(wait, quiet.until_change(now) + 0.01)
            try:
                async with asyncio.timeout(wait):
                    await self._hours.wait()
            except TimeoutError:
                continue

    def _quiet_changed(self, key: bytes) -> None:
        self._lines.set_quiet(key, self._wishes.is_quiet(key, time.time()))
        self._hours.set()

    def _member(self, key: bytes) -> Member:
        return attachable(self._house.membership.roster, key, time.time())

    def _joined(self, member: Member) -> None:
        self._tell({"event": "joined", "name": member.name}, Permission.ADMIT)

    def _answered(self, door: bytes, note: Note) -> None:
        roster = self._house.membership.roster
        teller = roster.member(door)
        if teller is None or not (Permission.RING in teller.permissions or teller.role is Role.SCREEN):
            raise RemoteProtocolError("an answer at what is no door")
        try:
            by = roster.member(bytes.fromhex(note.get("by", "")))
        except (TypeError, ValueError):
            raise RemoteProtocolError("an answer of no key") from None
        if by is not None:
            event = {"event": "answered", "press": hex_id(note.get("press")), "by": by.name, "by_id": by.device_id}
            self._tell(event, Permission.VIEW)

    def _roster_changed(self, roster: Roster) -> None:
        self._standing_changed()
        self._news.set()
        self._hours.set()

    def _standing_changed(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()
