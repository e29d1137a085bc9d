"""Members and peers for the tests of policy."""

from __future__ import annotations

from meshdoor.mesh.peer import Peer, State
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import DEFAULTS, Permission, Role
from meshdoor.trust.roster import Member


def member(name: str, role: Role = Role.SCREEN, *without: Permission) -> Member:
    """A member whose key is made of its name."""
    key = name.encode().ljust(32, b".")
    may = DEFAULTS[role].difference(without)
    return Member(key, device_id(key), name, role, may, b"", key, (0, key), 0)


def peer(who: Member, state: State = State.READY, since: float | None = 0.0, reason: str = "") -> Peer:
    return Peer(who.key, who, state, since, reason, None, None, True, None, True)
