"""The statements as a graph of who had seen what, held in bit sets.

Statements are numbered by (depth, id), so a number is also a place in a topological order, the
lowest bit of a set is its earliest statement, and the same statements get the same numbers everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from meshdoor.trust.permissions import DEFAULTS, Permission, Role, allowed
from meshdoor.trust.statement import Admit, Found, Revoke, Statement


@dataclass(frozen=True, slots=True)
class Causality:
    """Each list is by statement number; each int is a set of such numbers."""

    statements: list[Statement]
    depths: list[int]
    past: list[int]  # all ancestors
    admissions: dict[bytes, int]  # by key: the statements that admit it
    authored: dict[bytes, int]  # by key: what it signed
    granting: int  # the admissions that give `admit`
    revokes: int

    @classmethod
    def of(cls, statements: Iterable[Statement]) -> Causality:
        """`statements` hold one founding statement, no statement twice, and each one's parents."""
        held = {statement.id: statement for statement in statements}
        depths = _depths(held)
        ordered = sorted(held.values(), key=lambda statement: (depths[statement.id], statement.id))
        number = {statement.id: place for place, statement in enumerate(ordered)}
        past: list[int] = []
        admissions: dict[bytes, int] = defaultdict(int)
        authored: dict[bytes, int] = defaultdict(int)
        granting = revokes = 0
        for place, statement in enumerate(ordered):
            seen = 0
            for parent in statement.parents:
                seen |= past[number[parent]] | 1 << number[parent]
            past.append(seen)
            authored[statement.author] |= 1 << place
            admitted = admission(statement)
            if admitted:
                key, _, permissions = admitted
                admissions[key] |= 1 << place
                granting |= (Permission.ADMIT in permissions) << place
            revokes |= isinstance(statement.body, Revoke) << place
        depth_list = [depths[statement.id] for statement in ordered]
        return cls(ordered, depth_list, past, admissions, authored, granting, revokes)

    @property
    def all(self) -> int:
        return (1 << len(self.statements)) - 1

    def admitted(self, place: int) -> int:
        """The admissions of a statement's author that the statement had seen."""
        return self.admissions.get(self.statements[place].author, 0) & self.past[place]

    def voided_by(self, revoke: int) -> int:
        """What a revoke voids by itself: all that its target signed and that it had not seen."""
        body = self.statements[revoke].body
        assert isinstance(body, Revoke)
        return self.authored.get(body.key, 0) & ~self.past[revoke] & ~(1 << revoke)

    def void(self, direct: int, before: int, doubtful: int) -> int:
        """`direct`, and all whose author had no standing to sign it once these are void.

        The first admission of a key that is not void is the one that counts. `before` is the answer
        to an earlier question, and only `doubtful`, and what hangs on that, is looked at anew.
        """
        return self._revise(direct, before, doubtful, lambda standing: standing & -standing)

    def dead(self, direct: int, before: int, doubtful: int) -> int:
        """What stays void whatever else turns out void: `direct`, and all that no admission is left for."""
        return self._revise(direct, before, doubtful, lambda standing: standing)

    def _revise(self, direct: int, void: int, doubtful: int, counting: Callable[[int], int]) -> int:
        while doubtful:
            place = (doubtful & -doubtful).bit_length() - 1
            bit = 1 << place
            doubtful ^= bit
            standing = counting(self.admitted(place) & ~void) & self.granting
            if bool(direct & bit or (place and not standing)) == bool(void & bit):
                continue
            void ^= bit
            admitted = admission(self.statements[place])
            if admitted:
                doubtful |= self.authored.get(admitted[0], 0) & -(bit << 1)
        return void

    def supports(self) -> dict[int, int]:
        """For each revoke, and whatever it hangs on: itself, and all that its author's standing may rest on."""
        needed = self.revokes
        for place in range(len(self.statements) - 1, -1, -1):
            if needed >> place & 1:
                needed |= self.admitted(place)
        supports: dict[int, int] = {}
        for place in places(needed):
            support = 1 << place
            for admitting in places(self.admitted(place)):
                support |= supports[admitting]
            supports[place] = support
        return supports

    def heads(self) -> tuple[bytes, ...]:
        """The ids that no statement names as parent, sorted."""
        named = {parent for statement in self.statements for parent in statement.parents}
        return tuple(sorted(statement.id for statement in self.statements if statement.id not in named))


def admission(statement: Statement) -> tuple[bytes, Role, frozenset[Permission]] | None:
    """Whom a statement admits, as what, with which permissions under the role's ceiling."""
    body = statement.body
    if isinstance(body, Found):
        return statement.author, body.role, DEFAULTS[body.role]
    if isinstance(body, Admit):
        return body.key, body.role, allowed(body.role, body.permissions)
    return None


def places(bits: int) -> Iterator[int]:
    """The numbers in a set, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _depths(held: dict[bytes, Statement]) -> dict[bytes, int]:
    """The longest path from the founding statement to each; without recursion."""
    children: dict[bytes, list[Statement]] = defaultdict(list)
    missing = {statement.id: len(statement.parents) for statement in held.values()}
    for statement in held.values():
        for parent in statement.parents:
            children[parent].append(statement)
    ready = [statement for statement in held.values() if not statement.parents]
    depths = {statement.id: 0 for statement in ready}
    while ready:
        statement = ready.pop()
        for child in children[statement.id]:
            depths[child.id] = max(depths.get(child.id, 0), depths[statement.id] + 1)
            missing[child.id] -= 1
            if not missing[child.id]:
                ready.append(child)
    return depths
