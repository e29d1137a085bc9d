"""What a node sees, made up."""

from __future__ import annotations

import dataclasses
from typing import Any

from meshdoor import __version__
from meshdoor.mesh.peer import Peer, State
from meshdoor.node.status import Itself, View
from meshdoor.trust.permissions import DEFAULTS, Role
from meshdoor.trust.roster import Member, Roster
from tests.mesh.homes import HOME, key, member

NOW = 1_790_000_000.0


def someone(number: int, name: str, role: Role = Role.SCREEN) -> Member:
    return dataclasses.replace(member(number, name), role=role, permissions=DEFAULTS[role])


def peer(number: int, name: str, role: Role = Role.SCREEN, **changes: Any) -> Peer:
    """A member that is linked, announced and well."""
    well: dict[str, Any] = {
        "state": State.READY,
        "since": NOW - 60,
        "reason": "",
        "address": f"10.0.0.{number}",
        "rtt": 0.00125,
        "roster_in_step": True,
        "version": __version__,
        "announced": True,
    }
    return Peer(key=key(number), member=someone(number, name, role), **(well | changes))


def gone(number: int, name: str, **changes: Any) -> Peer:
    """A member that is not there."""
    away = {"state": State.UNREACHABLE, "rtt": None, "roster_in_step": False, "version": None, "announced": False}
    return peer(number, name, **(away | changes))


def view(*peers: Peer, **changes: Any) -> View:
    """The view of Hall, member 1 of a home with these peers."""
    hall = someone(1, "Hall")
    members = {each.key: each for each in (hall, *(peer.member for peer in peers))}
    itself = Itself(key(1), "Hall", "screen", ("10.0.0.1", "fe80::1%eth0"), 5071, NOW - 100)
    made = View(itself, Roster(HOME, "Home", members, {}, (HOME,)), peers, now=NOW)
    return dataclasses.replace(made, **changes)


def alone(**changes: Any) -> View:
    """The view of a node in no home."""
    itself = Itself(key(1), "Hall", "screen", started=NOW, pairing={"code": "1234-5678", "wait_s": 0.0})
    return dataclasses.replace(View(itself, Roster(), now=NOW), **changes)


def revoked(*peers: Peer) -> View:
    """The view of Hall after it was revoked."""
    seen = view(*peers)
    others = {each: member for each, member in seen.roster.members.items() if each != key(1)}
    return dataclasses.replace(seen, roster=Roster(HOME, "Home", others, {key(1): someone(1, "Hall")}, (HOME,)))
