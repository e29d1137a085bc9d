"""The peer table: what the roster, the announcements and the links say of each member, joined (sans-IO).

Only the roster makes a member and only a link makes it ready. A record can add an address to try and can
raise an alarm; it cannot move, evict or silence a member whose link is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from secrets import SystemRandom

from meshdoor.errors import AnnouncementError
from meshdoor.mesh.addresses import MAX_CANDIDATES
from meshdoor.mesh.alarms import Alarm, Alarms, bare
from meshdoor.mesh.announcement import Address, Announcement, instance_name, instance_of
from meshdoor.mesh.dialing import Dialing
from meshdoor.mesh.frames import State as Busy
from meshdoor.mesh.newcomers import Newcomer, Strangers
from meshdoor.mesh.peer import Known, Peer, State
from meshdoor.trust.roster import Member, Roster

FORGETFUL_AFTER = 5.0  # seconds that a member which was just admitted may go on asking to be paired
OWN_ADDRESS_GRACE = 300.0  # seconds during which an address that we lost may still be in somebody's record

__all__ = ["Alarm", "Busy", "Dial", "Newcomer", "Peer", "PeerTable", "State"]


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to a member: its addresses, the likeliest first."""

    key: bytes
    addresses: tuple[Address, ...]


class PeerTable:
    """One a node. `own_key` is its public key; `random` gives numbers in [0, 1)."""

    def __init__(self, own_key: bytes, random: Callable[[], float] | None = None) -> None:
        self._own_key = own_key
        self._own_instance = instance_name(own_key)
        self._own_hosts: dict[str, float] = {}
        self._random = random or SystemRandom().random
        self._roster = Roster()
        self._known: dict[bytes, Known] = {}
        self._instances: dict[str, bytes] = {}
        self._revoked: frozenset[str] = frozenset()
        self._strangers = Strangers()
        self._alarms = Alarms()

    def roster_changed(self, roster: Roster, now: float) -> None:
        """Follow the roster: forget who left; whoever came may have been announced before."""
        self._roster = roster
        others = {key: member for key, member in roster.members.items() if key != self._own_key}
        for key in self._known.keys() - others.keys():
            del self._known[key]
            self._alarms.forget(key)
        self._instances = {instance_of(member.device_id): key for key, member in others.items()}
        self._revoked = frozenset(instance_of(member.device_id) for member in roster.revoked.values())
        for instance in self._revoked:
            self._strangers.take(instance)
        for key, member in others.items():
            self._admit(key, member, now)

    def own_addresses(self, hosts: Iterable[str], now: float) -> None:
        """The addresses of this host, so that our own announcement is not taken for another's."""
        kept = {host: min(until, now + OWN_ADDRESS_GRACE) for host, until in self._own_hosts.items()}
        kept |= {bare(host): float("inf") for host in hosts}
        self._own_hosts = {host: until for host, until in kept.items() if until > now}

    def saw(self, announcement: Announcement, now: float, source: str = "") -> None:
        """mDNS shows a node; `source` is the host that its record came from."""
        instance = announcement.instance
        key = self._instances.get(instance)
        if instance == self._own_instance:
            self._saw_own(announcement, now)
        elif key is not None:
            self._saw_member(self._known[key], announcement, now, source)
        elif instance not in self._revoked:
            self._strangers.saw(announcement, now, source)

    def lost(self, instance: str) -> None:
        """mDNS no longer shows an instance: it said goodbye, its records expired, or somebody forged that."""
        key = self._instances.get(instance)
        if key is None:
            self._strangers.take(instance)
        else:
            self._known[key].announcement = None

    def link_up(self, key: bytes, address: Address, now: float, version: str = "") -> None:
        """A link proved the key of a member; `address` is where it can be dialed. Other keys are ignored."""
        known = self._known.get(key)
        if known is not None:
            known.up(address, version, now)

    def link_down(self, key: bytes, reason: str, now: float) -> None:
        """The last link to the member ended."""
        known = self._known.get(key)
        if known is not None and known.link is not None:
            known.down(reason, now)

    def measured(self, key: bytes, rtt: float | None, digest: bytes, busy: Busy, now: float) -> None:
        """A keep-alive on the member's link: `rtt` in seconds, the digest of its roster, how busy it is."""
        known = self._known.get(key)
        if known is None or known.link is None:
            return
        known.link.rtt, known.link.digest = rtt, digest
        if known.measured(known.link, busy, now):
            self._two_hosts(known, now)

    def dials(self, now: float) -> list[Dial]:
        """Whom to dial now. Each is answered by `link_up` or `dial_failed`."""
        if self._own_key not in self._roster.members:
            return []
        due = [(key, known) for key, known in self._known.items() if known.dialing.start(now)]
        return [Dial(key, known.book.to_dial()) for key, known in due]

    def dial_failed(self, key: bytes, now: float) -> None:
        """None of the addresses led to the member."""
        known = self._known.get(key)
        if known is not None:
            known.dialing.failed(now)

    def next_deadline(self) -> float | None:
        """When to call `dials` next."""
        if self._own_key not in self._roster.members:
            return None
        due = (known.dialing.due for known in self._known.values())
        return min((when for when in due if when is not None), default=None)

    def peers(self) -> tuple[Peer, ...]:
        """Every member but us."""
        digest = self._roster.digest
        return tuple(known.peer(digest) for known in self._known.values())

    def state(self, key: bytes) -> State | None:
        """How a member is; None for who is none."""
        known = self._known.get(key)
        return None if known is None else known.state

    def newcomers(self) -> tuple[Newcomer, ...]:
        """Who can be paired, the one that waits longest first."""
        return self._strangers.newcomers()

    def forgetful(self, now: float) -> tuple[Newcomer, ...]:
        """Members that ask to be paired and take no link: the power failed before they had kept the roster."""
        asking = [(known.announcement, known.asks_since) for known in self._known.values() if not known.link]
        return tuple(
            Newcomer(said.id, said.name, said.role, said.addresses, said.tls, since)
            for said, since in asking
            if said is not None and since is not None and now - since > FORGETFUL_AFTER
        )

    def whereabouts(self, instance: str) -> tuple[Address, ...]:
        """Where a node that is no member says that it is."""
        return self._strangers.whereabouts(instance)

    def homes(self) -> frozenset[str]:
        """Other homes on this network: the first 32 hex digits of the id of each."""
        return self._strangers.homes()

    def alarms(self, now: float) -> tuple[Alarm, ...]:
        """What a person must know."""
        return self._alarms.on(now)

    def dump(self) -> dict[str, list[str]]:
        """The last-known addresses, by key in hexadecimal, as `load` takes them."""
        proven = {key.hex(): known.book.proven() for key, known in self._known.items()}
        return {key: [str(address) for address in addresses] for key, addresses in proven.items() if addresses}

    def load(self, dumped: Mapping[str, object], now: float) -> None:
        """Take up last-known addresses of members; what cannot be read is left out."""
        for key, known in self._known.items():
            for address in _addresses(dumped.get(key.hex())):
                known.book.proved(address, now)
            known.wake(now)

    def _admit(self, key: bytes, member: Member, now: float) -> None:
        known = self._known.get(key)
        if known is not None:
            known.member = member
            return
        known = self._known[key] = Known(member, Dialing(self._own_key < key, self._random))
        announcement = self._strangers.take(instance_of(member.device_id))
        if announcement is not None:
            self._saw_member(known, announcement, now, "")

    def _saw_member(self, known: Known, announcement: Announcement, now: float, source: str) -> None:
        # Forty bits of the id are in the instance: another id under it is another device, or a forgery.
        if announcement.id == known.member.device_id and known.saw(announcement, source, now):
            self._two_hosts(known, now)

    def _two_hosts(self, known: Known, now: float) -> None:
        self._alarms.two_hosts(known.member.key, known.member.name, known.whereabouts.hosts, now)

    def _saw_own(self, announcement: Announcement, now: float) -> None:
        """Our own announcement comes back to us; if it names none of our addresses, it is another host's."""
        hosts = {bare(host) for host in announcement.addresses}
        ours = {host for host, until in self._own_hosts.items() if until > now}
        if ours and not hosts & ours:
            self._alarms.own_identity(self._own_key, tuple(sorted(hosts)), now)


def _addresses(dumped: object) -> list[Address]:
    found: list[Address] = []
    for text in dumped[:MAX_CANDIDATES] if isinstance(dumped, list) else []:
        try:
            found.append(Address.parse(str(text)))
        except AnnouncementError:
            continue
    return found
