"""What is let through to the mDNS responder: only from the link, and from nobody too much (sans-IO).

The cost of a datagram is what it makes the responder do: the records that it says it has. Each source has a
budget of its own, and all together have one. A source that is trusted (a linked member, or this host) does
not draw on the common budget, so that no flood under invented sources silences it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from meshdoor.mesh.alarms import bare
from meshdoor.ratelimit import KeyedRateLimit, RateLimit

HEADER = 12  # bytes, RFC 1035 §4.1.1
MAX_RECORDS = 2000  # in one datagram; 9000 bytes (RFC 6762 §17) hold no more
BYTES_PER_RECORD = 64  # a record that is longer counts as several


class Rate(NamedTuple):
    """Records a second, and at once."""

    rate: float
    burst: float


EACH = Rate(200.0, 4000.0)
ALL = Rate(600.0, 8000.0)
OWN = Rate(2000.0, 40000.0)  # several nodes on one host answer each other


class Gate:
    """Decides on each datagram. `networks` are those on the link; without any, all sources are."""

    def __init__(self, each: Rate = EACH, everybody: Rate = ALL, own: Rate = OWN) -> None:
        self._each = KeyedRateLimit(*each, keys=256)
        self._everybody = RateLimit(*everybody)
        self._own = RateLimit(*own)
        self._networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
        self._own_hosts: frozenset[str] = frozenset()
        self._trusted: frozenset[str] = frozenset()
        self.refused = 0

    def on_link(self, networks: Iterable[str], own_hosts: Iterable[str]) -> None:
        """The networks of our interfaces, and our addresses."""
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._own_hosts = frozenset(map(bare, own_hosts))

    def trust(self, hosts: Iterable[str]) -> None:
        """Members that are linked at these hosts."""
        self._trusted = frozenset(map(bare, hosts))

    def admits(self, data: bytes, host: str, now: float) -> bool:
        """True if the responder may see the datagram from `host`."""
        admitted = self._within_budget(_cost(data), bare(host), now)
        self.refused += not admitted
        return admitted

    def _within_budget(self, cost: int, host: str, now: float) -> bool:
        if cost > MAX_RECORDS:
            return False
        if host in self._own_hosts:
            return self._own.allow(now, cost)
        if not self._is_on_link(host) or not self._each.allow(host, now, cost):
            return False
        return host in self._trusted or self._everybody.allow(now, cost)

    def _is_on_link(self, host: str) -> bool:
        """RFC 6762 §11: what comes from beyond the link is not for us."""
        address = ipaddress.ip_address(host)
        return not self._networks or any(address in network for network in self._networks)


def _cost(data: bytes) -> int:
    if len(data) < HEADER:
        return MAX_RECORDS + 1
    counts = sum(int.from_bytes(data[at : at + 2], "big") for at in range(4, HEADER, 2))
    return max(1, counts, len(data) // BYTES_PER_RECORD)
