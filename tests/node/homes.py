"""Memberships of one home, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from meshdoor.node.membership import Membership
from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Roster

NOW = 1_790_000_000.0


@dataclass
class Kept:
    """A membership, what was saved of it, and the rosters that its listeners were told."""

    identity: Identity = field(default_factory=Identity.generate)
    saved: list[list[bytes]] = field(default_factory=list)
    told: list[Roster] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.membership = Membership(self.identity, History(), self._save)
        self.membership.listen(self.told.append)

    def _save(self, statements: Iterable[bytes]) -> None:
        self.saved.append(list(statements))


def founded(name: str = "Hall") -> Membership:
    """The membership of the first screen of a home."""
    membership = Kept().membership
    membership.found("Home", name, Role.SCREEN, NOW)
    return membership


def admitted(host: Membership, name: str, role: Role = Role.SCREEN) -> Membership:
    """The membership of another node of that home."""
    joined = Kept().membership
    host.admit(joined.identity.key, joined.identity.certificate, name, role, NOW)
    joined.merge(host.history.wire())
    return joined
