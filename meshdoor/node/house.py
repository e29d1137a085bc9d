"""This node among the others: discovery, links and the exchange of the roster, joined.

Whatever changes ends in one place: a new roster is pinned in the links, given to the peer table, announced by mDNS
and told to every peer. What peers say goes the same way. Calls build on `on_sip`, `on_link`, `notes` and `on_peers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshdoor.config import Config
from meshdoor.errors import RemoteProtocolError
from meshdoor.mesh.announcement import Address, Announcement, instance_of
from meshdoor.mesh.frames import State as LinkState
from meshdoor.mesh.interfaces import Interface
from meshdoor.mesh.link import Links
from meshdoor.mesh.mdns import Mdns
from meshdoor.mesh.newcomers import Newcomer
from meshdoor.mesh.outsiders import Outsider
from meshdoor.mesh.peers import Peer, PeerTable
from meshdoor.mesh.sip_service import SipService
from meshdoor.node import journal
from meshdoor.node.alarming import Alarming
from meshdoor.node.condition import Conditions, Told
from meshdoor.node.membership import Membership
from meshdoor.node.notes import Note, NoteRouter
from meshdoor.node.pairing import PairingDesk
from meshdoor.ratelimit import LogLimiter
from meshdoor.sip.uri import SipUri
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Roster
from meshdoor.trust.statement import MAX_TIME

SETTLE_DEADLINE = 2.0  # seconds after which a node that starts no longer waits for peers with a newer roster
DIGEST_DELAY = (5.0, 15.0)  # seconds until mDNS shows another digest of the roster
MAX_EARLY = 64  # messages
MAX_KNOCKS = 8  # pairing connections at once


class House:
    """Implements `LinkEvents` and what mDNS tells; `links` and `mdns` are set before it runs."""

    links: Links
    mdns: Mdns

    def __init__(self, config: Config, membership: Membership, peers: PeerTable, desk: PairingDesk) -> None:
        self.membership = membership
        self.peers = peers
        self.desk = desk
        self.interfaces: tuple[Interface, ...] = ()
        self.clocks: dict[bytes, float] = {}
        self.settled = False
        self.busy = LinkState.FREE
        self.media = "off"
        self.changed = asyncio.Event()
        self._news = asyncio.Event()
        self._stale = asyncio.Event()
        self.on_sip: Callable[[bytes, bytes], None] = _ignore
        self.on_link: list[Callable[[bytes, bool], None]] = []  # told of each link that comes up or goes down
        self.notes = NoteRouter()
        self.notes.register("clock", self._clock_shown, early=True)
        self.conditions = Conditions(self)
        self.wired: Callable[[], Mapping[str, Told]] = dict  # how buttons, relays and sensors of this node are
        self.on_peers: Callable[[], None] = _ignore
        self.outside_name: Callable[[bytes], str] = _no_name  # of who rings with the house and is no member
        self.attached: Callable[[Peer], Peer] = _as_it_is  # how a phone is, wherever it is attached
        self.adopted: list[Callable[[], Iterable[SipUri]]] = []  # where the devices of others are that belong to it
        self.by_code: Callable[[], Collection[bytes]] = tuple  # which clients of this node open by a code
        self.watchers: list[Callable[[], None]] = []  # told whenever a peer or this node looks different
        self.alarming = Alarming(self, config)
        self.sip_port = config.sip.port
        self._advertised = config.sip.announce
        self.web_port: int | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._knocking = 0
        self._early: list[tuple[bytes, bytes]] = []  # SIP that came before it was settled; links lose nothing
        self._log = LogLimiter()
        self._known = membership.roster
        membership.listen(self._roster_changed)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of this node, IPv4 first."""
        every = [address for interface in self.interfaces for address in interface.addresses]
        return tuple(sorted(every, key=lambda address: ":" in address))

    @property
    def role(self) -> Role:
        """What the roster says this node is; before it is a member, what it was told to be."""
        itself = self.membership.itself
        return self.desk.role if itself is None else itself.role

    @property
    def name(self) -> str:
        """What people call this node."""
        itself = self.membership.itself
        return self.desk.name if itself is None else itself.name

    def hints(self) -> tuple[str, ...]:
        """Where this node accepts links, for those who are given a roster or an enrolment."""
        hosts = [host for host in self.addresses if not host.lower().startswith("fe80")]
        return tuple(str(Address(host, self.links.port)) for host in hosts)[:8]

    def newcomers(self) -> tuple[Newcomer, ...]:
        """Who can be paired from here."""
        return self.peers.newcomers() + self.peers.forgetful(_now())

    def outsiders(self) -> list[Outsider]:
        """SIP devices that announce themselves and were not adopted here."""
        taken = {(uri.host, uri.port) for source in self.adopted for uri in source()}
        found = [(SipUri.parse(outsider.uri), outsider) for outsider in self.mdns.outsiders()]
        return [outsider for uri, outsider in found if (uri.host, uri.port) not in taken]

    def announcement(self) -> Announcement:
        """What mDNS says of this node now."""
        roster = self.membership.roster
        return Announcement(
            id=device_id(self.membership.identity.key),
            role=self.role,
            tls=self.links.port,
            sip=self.sip_port,
            addresses=self.addresses,
            home=roster.home.hex()[:32] if roster.home else "",
            r=roster.digest.hex() if roster.home else "",
            web=self.web_port,
            pair=self.desk.open,
            name=self.desk.name if self.desk.open else "",
        )

    def sip_service(self) -> SipService | None:
        """What SIP clients of others are told of this node: doors and screens of a home, where the settings allow."""
        itself = self.membership.itself
        hosts = [host for host in self.addresses if not host.lower().startswith("fe80")]
        if itself is None or itself.role not in (Role.DOOR, Role.SCREEN) or not hosts or not self._advertised:
            return None
        return SipService(itself.device_id, str(itself.role), itself.name, hosts[0], self.sip_port)

    async def run(self) -> None:
        """Keep the links up until cancelled."""
        self.peers.roster_changed(self.membership.roster, _now())
        self.links.roster_changed(self.membership.roster)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._settle())
            tasks.create_task(self._keep_announcing())
            await self._keep_dialing(tasks)

    async def _keep_dialing(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            self.changed.clear()
            for dial in self.peers.dials(_now()):
                tasks.create_task(self._dial(dial.key, dial.addresses))
            deadline = self.peers.next_deadline()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - _now())):
                    await self.changed.wait()

    async def _keep_announcing(self) -> None:
        """mDNS says what is so now, and knows whom no flood may displace."""
        while True:
            self._stale.clear()
            roster = self.membership.roster
            instances = [instance_of(member.device_id) for member in roster.members.values()]
            self.mdns.members(instances, [link.address.host for link in self.links.links()])
            if self.addresses:
                said = self.announcement()
                await self.mdns.announce(said)
                self.mdns.advertise(self.sip_service(), self.addresses)
                await self._has_changed(said)
            else:
                await self._stale.wait()

    async def _has_changed(self, said: Announcement) -> None:
        """Until there is something else to announce.

        Another digest of the roster can wait: links carry it, and in a large house each announcement costs everyone.
        """
        deadline: float | None = None
        while True:
            now = self.announcement()
            if replace(now, r=said.r) != said or (deadline is not None and _now() >= deadline):
                return
            if now != said and deadline is None:
                deadline = _now() + random.uniform(*DIGEST_DELAY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._stale.wait()
                    self._stale.clear()

    async def _dial(self, key: bytes, addresses: Sequence[Address]) -> None:
        if not await self.links.dial(key, addresses):
            self.peers.dial_failed(key, _now())
            self._wake()

    async def _settle(self) -> None:
        """Until it has heard its peers, a node that starts cannot know whether its roster is the newest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_DEADLINE):
                while not all(peer.roster_in_step for peer in self.peers.peers() if peer.member.linked):
                    self._news.clear()
                    await self._news.wait()
        self.settled = True
        self.on_peers()
        early, self._early = self._early, []
        for key, message in early:
            if self.membership.roster.member(key) is not None:
                self.on_sip(key, message)

    def interfaces_changed(self, interfaces: tuple[Interface, ...]) -> None:
        """The host has other addresses now."""
        self.interfaces = interfaces
        self.peers.own_addresses(self.addresses, _now())
        self._stale.set()

    def serves_page(self, port: int | None) -> None:
        """The page of phones is at this port now."""
        self.web_port = port
        self._stale.set()

    def saw(self, announcement: Announcement, source: str = "") -> None:
        """mDNS shows a node."""
        before = {newcomer.id for newcomer in self.peers.newcomers()}
        self.peers.saw(announcement, _now(), source)
        after = self.peers.newcomers()
        if before != {newcomer.id for newcomer in after}:
            self._tell_watchers()
        for newcomer in after:
            if newcomer.id in before or self.membership.itself is None:
                continue
            if self._log.admit(newcomer.id, _now()) is not None:  # somebody may invent thousands
                journal.say("newcomer", f"{newcomer.name} ({newcomer.role}) can be paired", id=newcomer.id)
        self._wake()

    def lost(self, instance: str) -> None:
        """mDNS shows it no more."""
        before = self.peers.newcomers()
        self.peers.lost(instance)
        if before != self.peers.newcomers():
            self._tell_watchers()
        self._wake()

    def link_up(self, key: bytes, address: Address) -> None:
        version = next((link.version for link in self.links.links() if link.key == key), "")
        self.peers.link_up(key, address, _now(), version)
        self.links.send_note(key, {"about": "clock", "unix": time.time()})
        self._tell_peers()
        self._tell_of_link(key, True)
        journal.say("link", f"{self._name(key)} is linked at {address.host}", member=self._name(key), up=True)

    def link_down(self, key: bytes, reason: str) -> None:
        self.peers.link_down(key, reason, _now())
        self.clocks.pop(key, None)
        self._tell_peers()
        self._tell_of_link(key, False)
        journal.say("link", f"{self._name(key)} is gone: {reason}", member=self._name(key), up=False)

    def measured(self, key: bytes, rtt: float | None, digest: bytes, version: str, state: LinkState) -> None:
        before = self.peers.state(key)
        self.peers.measured(key, rtt, digest, state, _now())
        if digest != self.membership.roster.digest:
            self.links.want(key, self.membership.history.heads)
        self._news.set()
        if self.peers.state(key) is not before:
            self._tell_peers()

    def want(self, key: bytes, heads: Sequence[bytes]) -> None:
        self.links.send_statements(key, self.membership.history.since(heads))

    def statements(self, key: bytes, statements: Sequence[bytes]) -> None:
        _, refused = self.membership.merge(statements)
        if refused:
            journal.warn("roster", f"{self._name(key)} sent statements that do not count: {refused[0]}")

    def sip(self, key: bytes, message: bytes) -> None:
        if self.settled:
            self.on_sip(key, message)
        elif len(self._early) < MAX_EARLY:
            self._early.append((key, message))

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        self.notes.received(key, self._name(key), note, self.settled)

    def pairing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
        if self._tasks is None or self._knocking >= MAX_KNOCKS:
            writer.close()
            return
        self._knocking += 1
        task = self._tasks.create_task(self.desk.answer(reader, writer, address.host))
        task.add_done_callback(self._knocked)

    def refused(self, address: Address, why: str) -> None:
        journal.warn("refused", f"a connection of {address.host} was refused: {why}", address=address.host)

    def _clock_shown(self, key: bytes, note: Note) -> None:
        unix = note.get("unix")
        if not isinstance(unix, int | float) or not 0 <= unix <= MAX_TIME:
            raise RemoteProtocolError("a clock that shows no time")
        self.clocks[key] = unix - time.time()

    def _tell_of_link(self, key: bytes, up: bool) -> None:
        for listener in self.on_link:
            listener(key, up)

    def _knocked(self, task: asyncio.Task[None]) -> None:
        self._knocking -= 1

    def _roster_changed(self, roster: Roster) -> None:
        before, self._known = self._known, roster
        self._tell_of_changes(before, roster)
        fresh = self.membership.history.since(before.heads)
        for link in self.links.links():
            self.links.send_statements(link.key, fresh)
        self.peers.roster_changed(roster, _now())
        self.links.roster_changed(roster)
        self._tell_peers()

    def _tell_of_changes(self, before: Roster, roster: Roster) -> None:
        if before.home is None and roster.home is not None:
            journal.say("joined", f"this node is in {roster.home_name}", home=roster.home_name)
            return
        for key in roster.members.keys() - before.members.keys():
            member = roster.members[key]
            journal.say("admitted", f"{member.name} ({member.role}) is in", member=member.name, id=member.device_id)
        for key in roster.revoked.keys() - before.revoked.keys():
            member = roster.revoked[key]
            who = "this node" if key == self.membership.identity.key else member.name
            journal.warn("revoked", f"{who} was revoked", member=member.name, id=member.device_id)

    def _tell_peers(self) -> None:
        self._stale.set()
        self._wake()
        self.on_peers()
        self._tell_watchers()

    def _wake(self) -> None:
        self.changed.set()

    def looks_different(self) -> None:
        """Something that the status shows has changed."""
        self._tell_watchers()

    def name_of(self, key: bytes) -> str:
        """What people call a member."""
        return self._name(key)

    def _name(self, key: bytes) -> str:
        roster = self.membership.roster
        member = roster.members.get(key) or roster.revoked.get(key)
        return member.name if member else device_id(key)

    def set_busy(self, busy: LinkState) -> None:
        """Tell every peer at once whether this node rings or talks."""
        if busy is not self.busy:
            self.busy = busy
            self.links.set_state(busy)
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in self.watchers:
            watcher()

    def phones_changed(self) -> None:
        """A phone is attached, is gone, or is otherwise than it was."""
        self.on_peers()
        self._tell_watchers()

    def everyone(self) -> list[Peer]:
        """Every member but this node, phones included."""
        return [self.attached(peer) for peer in self.peers.peers()]

    def reachable(self) -> list[Peer]:
        """The peers whose link is up."""
        return [peer for peer in self.peers.peers() if peer.state != "unreachable"]


def _now() -> float:
    return asyncio.get_running_loop().time()


def _ignore(*_: object) -> None:
    """Nobody listens yet."""


def _no_name(key: bytes) -> str:
    return ""


def _as_it_is(peer: Peer) -> Peer:
    return peer
