"""Where one member may be reached: a few candidate addresses, the proven ones first (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest

from meshdoor.mesh.announcement import Address

MAX_CANDIDATES = 8
MAX_PROVEN = 4


class Evidence(IntEnum):
    """What speaks for an address, the strongest last."""

    HEARSAY = 0  # a record names it
    SOURCE = 1  # a record names it and came from it
    PROVEN = 2  # a link, so the member's key, was there


@dataclass(slots=True)
class _Candidate:
    evidence: Evidence
    seen: float


class AddressBook:
    """At most eight candidates. Records add and refresh; only links prove, or evict what is proven."""

    def __init__(self) -> None:
        self._candidates: dict[Address, _Candidate] = {}

    def __len__(self) -> int:
        return len(self._candidates)

    def heard(self, addresses: Iterable[Address], source: str, now: float) -> bool:
        """A record from host `source` named these. True if one of them is new."""
        new = False
        for address in addresses:
            evidence = Evidence.SOURCE if address.host == source else Evidence.HEARSAY
            new = self._note(address, evidence, now) or new
        return new

    def proved(self, address: Address, now: float) -> None:
        """A link is up there."""
        self._note(address, Evidence.PROVEN, now)

    def to_dial(self) -> tuple[Address, ...]:
        """All of them, proven and announced in turn, the latest first: whichever is right is tried early."""
        latest = sorted(self._candidates.items(), key=lambda item: item[1].seen, reverse=True)
        proven = [address for address, known in latest if known.evidence is Evidence.PROVEN]
        sources = [address for address, known in latest if known.evidence is Evidence.SOURCE]
        hearsay = [address for address, known in latest if known.evidence is Evidence.HEARSAY]
        turns = zip_longest(proven, sources + hearsay)
        return tuple(address for turn in turns for address in turn if address is not None)

    def proven(self) -> tuple[Address, ...]:
        """Those that a link was up at, the latest last: what is worth keeping on disk."""
        oldest = sorted(self._candidates, key=self._rank)
        return tuple(a for a in oldest if self._candidates[a].evidence is Evidence.PROVEN)

    def _note(self, address: Address, evidence: Evidence, now: float) -> bool:
        known = self._candidates.get(address)
        if known is None:
            self._candidates[address] = _Candidate(evidence, now)
            self._make_room()
            return address in self._candidates
        known.seen = now
        known.evidence = max(known.evidence, evidence)
        self._make_room()
        return False

    def _make_room(self) -> None:
        """Too many proven: the one proved longest ago. Too many at all: the weakest, longest unseen."""
        proven = self.proven()
        if len(proven) > MAX_PROVEN:
            del self._candidates[proven[0]]
        if len(self._candidates) > MAX_CANDIDATES:
            weakest = min(self._candidates, key=self._rank)
            del self._candidates[weakest]

    def _rank(self, address: Address) -> tuple[Evidence, float]:
        known = self._candidates[address]
        return known.evidence, known.seen
