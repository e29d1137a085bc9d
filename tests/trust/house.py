"""A household for the tests: devices by name, with fixed keys, and short ways to state things."""

from __future__ import annotations

from collections.abc import Iterable

from meshdoor.trust.history import History
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import DEFAULTS, Permission, Role
from meshdoor.trust.roster import Roster
from meshdoor.trust.statement import Admit, Body, Found, Revoke, Statement
from tests.fakes.phone import P256Key

NAMES = ("Hall", "Kitchen", "Bedroom", "Attic", "Phone", "Gate", "Lock", "Rogue")
ROLES = {"Phone": Role.PHONE, "Gate": Role.DOOR, "Lock": Role.LOCK}
BROWSERS = {"Alice": P256Key.of(101), "Bob": P256Key.of(102)}  # phones that can author nothing
AT = 1_800_000_000


def _identity(seed: int) -> Identity:
    return Identity.generate(lambda size: bytes([seed]) * size)


DEVICES = {name: _identity(seed) for seed, name in enumerate(NAMES, 1)}


def key(name: str) -> bytes:
    return BROWSERS[name].key if name in BROWSERS else DEVICES[name].key


def admit(name: str, role: Role | None = None, permissions: Iterable[Permission] | None = None) -> Admit:
    role = role or ROLES.get(name, Role.SCREEN)
    given = DEFAULTS[role] if permissions is None else frozenset(permissions)
    return Admit(key(name), DEVICES[name].certificate, name, role, given)


def admit_phone(name: str, until: int | None = None, permissions: Iterable[Permission] | None = None) -> Admit:
    """As a phone that lives in a browser; a guest, with `until`."""
    given = DEFAULTS[Role.PHONE] if permissions is None else frozenset(permissions)
    return Admit(key(name), b"", name, Role.PHONE, given, until)


def revoke(name: str) -> Revoke:
    return Revoke(key(name))


def say(author: str, body: Body, *parents: Statement) -> Statement:
    return Statement.sign(DEVICES[author], body, tuple(parent.id for parent in parents), AT)


def founding(author: str = "Hall", nonce: bytes = bytes(16)) -> Statement:
    return say(author, Found("Our house", author, Role.SCREEN, DEVICES[author].certificate, nonce))


def chain(first: Statement, *sayings: tuple[str, Body]) -> list[Statement]:
    """`first`, and what is said after it, each having seen all before."""
    statements = [first]
    for author, body in sayings:
        statements.append(say(author, body, statements[-1]))
    return statements


def history(statements: Iterable[Statement]) -> History:
    held = History()
    for statement in statements:
        held.add(statement.carried)
    return held


def names(roster: Roster) -> set[str]:
    return {member.name for member in roster.members.values()}
