"""The roster: who is a member and what each may do, as a pure function of the statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from meshdoor.errors import NotFound
from meshdoor.trust.causality import Causality, admission, places
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Permission, Role, allowed
from meshdoor.trust.revocation import effective_revokes
from meshdoor.trust.statement import Admit, Change, Found, Revoke, Statement

DIGEST_SIZE = 16  # bytes
ADMIT = frozenset({Permission.ADMIT})


@dataclass(frozen=True, slots=True)
class Member:
    """A device of the home. `seniority` sorts the members as they were admitted, the founder first."""

    key: bytes
    device_id: str
    name: str
    role: Role
    permissions: frozenset[Permission]
    certificate: bytes
    admitted_by: bytes  # the key of who admitted it; its own for the founder
    seniority: tuple[int, bytes]  # depth and id of the statement that admitted it
    at: int  # unix seconds of that statement, by its author's clock
    until: int | None = None  # unix seconds from when a guest is one no more

    @property
    def linked(self) -> bool:
        """Does it keep links? What has no certificate is reached through another member."""
        return bool(self.certificate)

    def expired(self, unix_now: float) -> bool:
        """Is this a guest whose time is over? It stays in the roster until somebody states its revoke."""
        return self.until is not None and unix_now >= self.until

    def __str__(self) -> str:
        return f"{self.name} ({self.device_id})"


@dataclass(frozen=True, slots=True)
class Roster:
    """All that the statements of one home amount to. The empty roster is that of no home."""

    home: bytes | None = None  # the id of the founding statement
    home_name: str = ""
    members: Mapping[bytes, Member] = field(default_factory=lambda: MappingProxyType({}))
    revoked: Mapping[bytes, Member] = field(default_factory=lambda: MappingProxyType({}))
    heads: tuple[bytes, ...] = ()

    @property
    def digest(self) -> bytes:
        """16 bytes; equal for nodes that hold the same statements."""
        return hashlib.sha256(b"".join(self.heads)).digest()[:DIGEST_SIZE]

    def member(self, key: bytes) -> Member | None:
        """The member that holds `key`."""
        return self.members.get(key)

    def may(self, key: bytes, permission: Permission) -> bool:
        """Is `key` a member that has this permission?"""
        member = self.members.get(key)
        return member is not None and permission in member.permissions

    def find(self, text: str) -> Member:
        """The member that a person means by a name, a device id or how one begins.

        Raises NotFound, also when several are meant; an exact name goes before a beginning of an id.
        """
        wanted = text.strip().casefold()
        named = [member for member in self.members.values() if member.name.casefold() == wanted]
        start = wanted.replace("-", "")
        found = named or [member for member in self.members.values() if start and _starts(member, start)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound(f"no member is called {text!r}", "`meshdoor members` lists them")
        ids = ", ".join(sorted(member.device_id for member in found))
        raise NotFound(f"{text!r} is more than one member: {ids}", "say which by its id")


def evaluate(statements: Iterable[Statement]) -> Roster:
    """The roster of these statements, in whatever order they come.

    They hold one founding statement, no statement twice, and the parents of each: what a History keeps.
    """
    graph = Causality.of(statements)
    if not graph.statements:
        return Roster()
    root = graph.statements[0]
    assert isinstance(root.body, Found)
    revokes, void = effective_revokes(graph)
    everyone = _admitted(graph, void)
    _change(everyone, graph, void)
    gone = {body.key for revoke in revokes if isinstance(body := graph.statements[revoke].body, Revoke)}
    return Roster(
        home=root.id,
        home_name=root.body.home_name,
        members=MappingProxyType({key: each for key, each in everyone.items() if key not in gone}),
        revoked=MappingProxyType({key: each for key, each in everyone.items() if key in gone}),
        heads=graph.heads(),
    )


def _admitted(graph: Causality, void: int) -> dict[bytes, Member]:
    """Everyone who was ever validly admitted, by seniority; the first admission of a key counts."""
    everyone: dict[bytes, Member] = {}
    for place, statement in enumerate(graph.statements):
        admitted = admission(statement)
        if admitted is None or void >> place & 1 or admitted[0] in everyone:
            continue
        key, role, permissions = admitted
        body = statement.body
        assert isinstance(body, Found | Admit)
        everyone[key] = Member(
            key=key,
            device_id=device_id(key),
            name=body.name,
            role=role,
            permissions=permissions,
            certificate=body.certificate,
            admitted_by=statement.author,
            seniority=(graph.depths[place], statement.id),
            at=statement.at,
            until=body.until if isinstance(body, Admit) else None,
        )
    return everyone


def _change(everyone: dict[bytes, Member], graph: Causality, void: int) -> None:
    """Apply the changes that are not void, the later one last. `admit` stays as it was given."""
    for place in places(graph.all & ~void):
        change = graph.statements[place].body
        if not isinstance(change, Change) or change.key not in everyone:
            continue
        member = everyone[change.key]
        if change.name is not None:
            member = replace(member, name=change.name)
        if change.permissions is not None:
            given = allowed(member.role, change.permissions) - ADMIT
            member = replace(member, permissions=given | (member.permissions & ADMIT))
        everyone[change.key] = member


def _starts(member: Member, start: str) -> bool:
    return member.device_id.replace("-", "").startswith(start)
