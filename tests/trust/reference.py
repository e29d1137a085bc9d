"""The roster's rules again, word by word from the package's docstring: slow, with plain sets, to compare with."""

from __future__ import annotations

from meshdoor.trust.permissions import DEFAULTS, Permission, allowed
from meshdoor.trust.statement import Admit, Found, Revoke, Statement

Ids = frozenset[bytes]


class Reference:
    def __init__(self, statements: list[Statement]) -> None:
        self.by_id = {statement.id: statement for statement in statements}
        self.past = {each: self._past(each) for each in self.by_id}
        self.order = sorted(self.by_id, key=self._place)

    def members(self) -> set[bytes]:
        """The keys of all members."""
        standing = self.standing_revokes()
        void = self.void(standing)
        gone = {self.target(revoke) for revoke in standing}
        return {key for each in self.order if each not in void and (key := self.admits(each))} - gone

    def standing_revokes(self) -> Ids:
        undecided = [each for each in self.order if self.target(each)]
        standing: Ids = frozenset()
        while undecided := [each for each in undecided if each not in self.void(standing, lenient=True)]:
            attacks = {each: {other for other in undecided if self.attacks(other, each)} for each in undecided}
            deciding = [each for each in undecided if not attacks[each]]
            void = self.void(standing)
            if not deciding:
                reach = {each: self._closure(each, attacks) for each in undecided}
                circle = min(reach.values(), key=len)
                candidates = [each for each in circle if each not in void]
                if candidates:
                    winner = min(candidates, key=lambda each: (self.seniority(each, void), self._place(each)))
                    undecided = [each for each in undecided if each not in attacks[winner]]
                    deciding = [winner]
                else:
                    deciding = list(circle)
            standing |= {each for each in deciding if each not in void}
            undecided = [each for each in undecided if each not in deciding]
        return standing

    def hits(self, revoke: bytes, each: bytes) -> bool:
        return self.by_id[each].author == self.target(revoke) and each not in self.past[revoke] and each != revoke

    def void(self, standing: Ids, lenient: bool = False) -> Ids:
        """`lenient`: only what no admission at all is left for."""
        void: set[bytes] = set()
        for each in self.order:
            admissions = [one for one in self.admissions(each) if one not in void]
            counting = admissions if lenient else admissions[:1]
            entitled = any(self.gives_admit(one) for one in counting) or not self.by_id[each].parents
            if not entitled or any(self.hits(revoke, each) for revoke in standing):
                void.add(each)
        return frozenset(void)

    def attacks(self, one: bytes, other: bytes) -> bool:
        return any(self.hits(one, each) for each in self.rests_on(other))

    def rests_on(self, each: bytes) -> Ids:
        return frozenset([each]).union(*(self.rests_on(one) for one in self.admissions(each)))

    def admissions(self, each: bytes) -> list[bytes]:
        """Of the statement's author, in its past, the earliest first."""
        author = self.by_id[each].author
        return [one for one in self.order if one in self.past[each] and self.admits(one) == author]

    def seniority(self, each: bytes, void: Ids) -> tuple[int, bytes]:
        return self._place(next(one for one in self.admissions(each) if one not in void))

    def admits(self, each: bytes) -> bytes | None:
        statement = self.by_id[each]
        if isinstance(statement.body, Found):
            return statement.author
        return statement.body.key if isinstance(statement.body, Admit) else None

    def gives_admit(self, each: bytes) -> bool:
        body = self.by_id[each].body
        if isinstance(body, Found):
            return Permission.ADMIT in DEFAULTS[body.role]
        assert isinstance(body, Admit)
        return Permission.ADMIT in allowed(body.role, body.permissions)

    def target(self, each: bytes) -> bytes | None:
        body = self.by_id[each].body
        return body.key if isinstance(body, Revoke) else None

    def _past(self, each: bytes) -> Ids:
        parents = frozenset(self.by_id[each].parents)
        return parents.union(*(self._past(parent) for parent in parents))

    def _place(self, each: bytes) -> tuple[int, bytes]:
        return self._depth(each), each

    def _depth(self, each: bytes) -> int:
        return max((1 + self._depth(parent) for parent in self.by_id[each].parents), default=0)

    def _closure(self, start: bytes, steps: dict[bytes, set[bytes]]) -> set[bytes]:
        reached: set[bytes] = set()
        ahead = {start}
        while ahead:
            ahead = set().union(*(steps[each] for each in ahead)) - reached
            reached |= ahead
        return reached
