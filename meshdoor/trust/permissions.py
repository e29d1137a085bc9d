"""What a role may do by default, and what no signature can lift it above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """What a member may do in its home."""

    RING = "ring"  # press: call the screens and phones
    VIEW = "view"  # see the visitor
    TALK = "talk"  # answer
    OPEN = "open"  # ask a lock to open
    ADMIT = "admit"  # let devices in, and put them out


class Role(StrEnum):
    """What a device is."""

    DOOR = "door"
    SCREEN = "screen"
    PHONE = "phone"
    LOCK = "lock"


_INDOORS = frozenset({Permission.VIEW, Permission.TALK, Permission.OPEN})

DEFAULTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.DOOR: frozenset({Permission.RING}),
        Role.SCREEN: _INDOORS | {Permission.ADMIT},
        Role.PHONE: _INDOORS,
        Role.LOCK: frozenset(),
    }
)

CEILING: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.DOOR: frozenset({Permission.RING}),
        Role.SCREEN: frozenset(Permission),
        Role.PHONE: _INDOORS | {Permission.ADMIT},
        Role.LOCK: frozenset(),
    }
)


def allowed(role: Role, asked: Iterable[Permission]) -> frozenset[Permission]:
    """What is left of `asked` under the role's ceiling."""
    return CEILING[role].intersection(asked)
