"""Homes made of nothing but keys, and what their nodes announce."""

from __future__ import annotations

from collections.abc import Iterable

from meshdoor.mesh.announcement import Announcement
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import DEFAULTS, Role
from meshdoor.trust.roster import Member, Roster

HOME = b"h" * 32


def key(number: int) -> bytes:
    """The key of node `number`; keys sort as their numbers do."""
    return number.to_bytes(32, "big")


def member(number: int, name: str = "") -> Member:
    held = key(number)
    name = name or f"node {number}"
    return Member(
        held, device_id(held), name, Role.SCREEN, DEFAULTS[Role.SCREEN], b"", key(0), (number, held), 0
    )


def roster(numbers: Iterable[int], revoked: Iterable[int] = ()) -> Roster:
    members = {key(number): member(number) for number in numbers}
    gone = {key(number): member(number) for number in revoked}
    return Roster(HOME, "Home", members, gone, heads=tuple(sorted(members)))


def announcement(number: int, *hosts: str, pair: bool = False) -> Announcement:
    name = f"new {number}" if pair else ""
    addresses = hosts or (f"10.0.0.{number}",)
    return Announcement(device_id(key(number)), Role.SCREEN, 5062, 5060, addresses, pair=pair, name=name)
