"""Nodes on the network that are no members: those that can be paired, and the rest (sans-IO)."""

from __future__ import annotations

from dataclasses import dataclass

from meshdoor.mesh.announcement import Address, Announcement
from meshdoor.mesh.fair import FairTable
from meshdoor.ratelimit import RateLimit
from meshdoor.trust.permissions import Role

MAX_NEWCOMERS = 64
MAX_STRANGERS = 64
RATE = 20.0  # unknown nodes a second that are looked at
BURST = 256.0


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A node that can be paired. Its name and role are its own claims."""

    id: str
    name: str
    role: Role
    addresses: tuple[str, ...]
    port: int
    since: float

    @property
    def links(self) -> tuple[Address, ...]:
        """Where to knock for pairing."""
        return tuple(Address(host, self.port) for host in self.addresses)


@dataclass(frozen=True, slots=True)
class _Seen:
    announcement: Announcement
    since: float


class Strangers:
    """Who announces itself and is no member; bounded, and fair to each source."""

    def __init__(self) -> None:
        self._pairing = FairTable[_Seen](MAX_NEWCOMERS)
        self._others = FairTable[_Seen](MAX_STRANGERS)
        self._rate = RateLimit(RATE, BURST)

    def __len__(self) -> int:
        return len(self._pairing) + len(self._others)

    def saw(self, announcement: Announcement, now: float, source: str) -> None:
        """A record of a node that is no member."""
        table, other = self._pairing, self._others
        if not announcement.pair:
            table, other = other, table
        before = table.get(announcement.instance)
        if before is None and not self._rate.allow(now):
            return
        other.pop(announcement.instance)
        since = now if before is None else before.since
        table.put(announcement.instance, _Seen(announcement, since), source)

    def take(self, instance: str) -> Announcement | None:
        """Forget one, and give back what it said."""
        seen = self._pairing.pop(instance) or self._others.pop(instance)
        return None if seen is None else seen.announcement

    def whereabouts(self, instance: str) -> tuple[Address, ...]:
        """Where a node that cannot be paired says that it is."""
        seen = self._others.get(instance)
        return () if seen is None else seen.announcement.links

    def newcomers(self) -> tuple[Newcomer, ...]:
        """Those that can be paired, the one that waits longest first."""
        return tuple(_newcomer(seen) for seen in self._pairing.values())

    def homes(self) -> frozenset[str]:
        """The homes of those that cannot be paired: 32 hex digits each."""
        return frozenset(seen.announcement.home for seen in self._others.values() if seen.announcement.home)


def _newcomer(seen: _Seen) -> Newcomer:
    said = seen.announcement
    return Newcomer(said.id, said.name, said.role, said.addresses, said.tls, seen.since)
