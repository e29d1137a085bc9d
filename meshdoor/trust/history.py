"""All statements of a home that this node holds, and the roster that they amount to."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from meshdoor.errors import Refused, StatementError
from meshdoor.trust.causality import admission, places
from meshdoor.trust.identity import SIGNATURE_SIZE, Identity
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Roster, evaluate
from meshdoor.trust.statement import (
    MAX_CARRIED,
    MAX_PARENTS,
    NONCE_SIZE,
    Admit,
    Body,
    Change,
    Found,
    Revoke,
    Statement,
)

MAX_STATEMENTS = 4096
MAX_REVOKES = 512  # the work of an evaluation grows with their square when they revoke each other
MAX_PENDING = 256
# The later a key was admitted, the less room it may fill: who comes before it can always revoke it.
RESERVE_STEPS = 64
RESERVE_SHARE = 256  # each step of depth keeps 1/256 of the room back, the last one a quarter


class Added(Enum):
    """What became of a statement."""

    NEW = auto()
    KNOWN = auto()
    PENDING = auto()  # it waits for its parents


@dataclass(frozen=True, slots=True)
class _Entry:
    statement: Statement
    depth: int
    seen: int  # itself and its ancestors, as a set of places in this history


class History:
    """Only grows: what is joined to it is united with what it holds, so an old copy takes nothing away.

    `home` is the id of the only founding statement that is taken; without it, the first to come.
    """

    def __init__(self, home: bytes | None = None, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._home = home
        self._random_bytes = random_bytes
        self._entries: list[_Entry] = []  # a statement comes after its parents
        self._places: dict[bytes, int] = {}
        self._granting: dict[bytes, int] = defaultdict(int)  # by key: the admissions that give it `admit`
        self._revokes: dict[bytes, int] = defaultdict(int)  # by key: the revokes of it
        self._revoke_count = 0
        self._heads: dict[bytes, None] = {}
        self._pending: dict[bytes, Statement] = {}
        self._roster: Roster | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, statement_id: bytes) -> bool:
        return statement_id in self._places

    @property
    def heads(self) -> tuple[bytes, ...]:
        """The ids that no statement held names as parent, sorted."""
        return tuple(sorted(self._heads))

    @property
    def roster(self) -> Roster:
        """Computed when first asked for after a change."""
        if self._roster is None:
            self._roster = evaluate(entry.statement for entry in self._entries)
        return self._roster

    def wire(self) -> list[bytes]:
        """Every statement as carried, each after its parents."""
        return [entry.statement.carried for entry in self._entries]

    def since(self, heads: Iterable[bytes]) -> list[bytes]:
        """What a holder of `heads` may lack, each after its parents; heads not known here tell nothing."""
        seen = 0
        for head in heads:
            place = self._places.get(head)
            seen |= self._entries[place].seen if place is not None else 0
        return [entry.statement.carried for place, entry in enumerate(self._entries) if not seen >> place & 1]

    def add(self, carried: bytes) -> Added:
        """Take a statement that came from anywhere.

        Raises StatementError for what is malformed or forged, and for what can never count: of another
        home, or by an author that nothing it had seen allows to sign it. Also when there is no room.
        """
        if len(carried) > MAX_CARRIED:
            raise StatementError("the statement is too large")
        statement_id = hashlib.sha256(carried[SIGNATURE_SIZE:]).digest()
        if statement_id in self._places:
            return Added.KNOWN
        if statement_id in self._pending:
            return Added.PENDING
        return self._take(Statement.parse(carried))

    def found(self, identity: Identity, home_name: str, name: str, at: int) -> Statement:
        """Found a home with this device, a screen, as its first member."""
        if self._entries:
            raise Refused("this device belongs to a home already")
        nonce = self._random_bytes(NONCE_SIZE)
        body = Found(home_name, name, Role.SCREEN, identity.certificate, nonce)
        statement = Statement.sign(identity, body, (), at)
        self._take(statement)
        return statement

    def admit(self, identity: Identity, admit: Admit, at: int) -> Statement:
        """Let a device in; raises Refused."""
        return self._write(identity, admit, at)

    def revoke(self, identity: Identity, key: bytes, at: int) -> Statement:
        """Put a device out for good; raises Refused.

        A member that was itself revoked states what it had seen before that, and so may prevail
        over one that was admitted later.
        """
        return self._write(identity, Revoke(key), at)

    def change(self, identity: Identity, change: Change, at: int) -> Statement:
        """Rename a member or change what it may do; raises Refused."""
        return self._write(identity, change, at)

    def _write(self, identity: Identity, body: Body, at: int) -> Statement:
        """Sign, and keep it if it takes effect."""
        if not self._granting.get(identity.key):
            raise Refused("this device may not admit, change or revoke others")
        try:
            statement = Statement.sign(identity, body, self._parents(identity, at), at)
            entry = self._entry(statement)
        except StatementError as error:
            raise Refused(str(error)) from None
        roster = evaluate([*(each.statement for each in self._entries), statement])
        _check_effect(roster, statement)
        self._append(entry)
        self._roster = roster
        return statement

    def _parents(self, identity: Identity, at: int) -> tuple[bytes, ...]:
        """The heads, joined to few enough by statements that say nothing else."""
        heads = list(self.heads)
        if self.roster.member(identity.key) is None:
            heads = self._heads_before_revoked(identity.key)
        while len(heads) > MAX_PARENTS:
            joined = Statement.sign(identity, Change(identity.key), tuple(heads[:MAX_PARENTS]), at)
            self._take(joined)
            heads = [*heads[MAX_PARENTS:], joined.id]
        return tuple(heads)

    def _heads_before_revoked(self, key: bytes) -> list[bytes]:
        """The heads of what saw no revoke of `key`."""
        revokes = self._revokes.get(key, 0)
        heads: dict[bytes, None] = {}
        for entry in self._entries:
            if not entry.seen & revokes:
                for parent in entry.statement.parents:
                    heads.pop(parent, None)
                heads[entry.statement.id] = None
        return sorted(heads)

    def _take(self, statement: Statement) -> Added:
        if any(parent not in self._places for parent in statement.parents):
            if len(self._pending) >= MAX_PENDING:
                del self._pending[next(iter(self._pending))]
            self._pending[statement.id] = statement
            return Added.PENDING
        self._append(self._entry(statement))
        self._adopt()
        return Added.NEW

    def _adopt(self) -> None:
        """Take what waited for the parents that are here now; what can never count is forgotten."""
        while ready := [
            statement
            for statement in self._pending.values()
            if all(parent in self._places for parent in statement.parents)
        ]:
            for statement in ready:
                del self._pending[statement.id]
                try:
                    self._append(self._entry(statement))
                except StatementError:
                    continue

    def _entry(self, statement: Statement) -> _Entry:
        """The place that a statement would have here; raises StatementError when it has none."""
        if isinstance(statement.body, Found):
            if self._entries or self._home not in (None, statement.id):
                raise StatementError("the statement founds another home")
            return _Entry(statement, 0, 1)
        parents = [self._entries[self._places[parent]] for parent in statement.parents]
        seen = 1 << len(self._entries)
        for parent in parents:
            seen |= parent.seen
        granting = self._granting.get(statement.author, 0) & seen
        if not granting:
            raise StatementError("the author had no permission to state anything")
        depth = min(self._entries[place].depth for place in places(granting))
        self._check_room(depth, isinstance(statement.body, Revoke))
        return _Entry(statement, 1 + max(parent.depth for parent in parents), seen)

    def _check_room(self, depth: int, revoking: bool) -> None:
        """`depth` is that of the author's admission."""
        share = RESERVE_SHARE - min(depth, RESERVE_STEPS)
        if len(self._entries) * RESERVE_SHARE >= MAX_STATEMENTS * share:
            raise StatementError("there is no room for more statements of this author")
        if revoking and self._revoke_count * RESERVE_SHARE >= MAX_REVOKES * share:
            raise StatementError("there is no room for more revokes of this author")

    def _append(self, entry: _Entry) -> None:
        statement, place = entry.statement, len(self._entries)
        self._entries.append(entry)
        self._places[statement.id] = place
        for parent in statement.parents:
            self._heads.pop(parent, None)
        self._heads[statement.id] = None
        admitted = admission(statement)
        if admitted and Permission.ADMIT in admitted[2]:
            self._granting[admitted[0]] |= 1 << place
        if isinstance(statement.body, Revoke):
            self._revokes[statement.body.key] |= 1 << place
            self._revoke_count += 1
        self._roster = None


def _check_effect(roster: Roster, statement: Statement) -> None:
    """Raise Refused when the statement came to nothing."""
    body = statement.body
    if isinstance(body, Revoke):
        if body.key not in roster.revoked:
            raise Refused("this device cannot revoke that one: it is no member, or was admitted earlier")
        return
    if not roster.may(statement.author, Permission.ADMIT):
        raise Refused("this device may not admit, change or revoke others any more")
    assert isinstance(body, Admit | Change)
    member = roster.member(body.key)
    if member is None:
        raise Refused("that device was revoked, or never admitted", "a revoked device needs a new identity")
    if isinstance(body, Admit) and member.seniority[1] != statement.id:
        raise Refused(f"{member} is a member already")
