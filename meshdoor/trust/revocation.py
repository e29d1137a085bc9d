"""Which revokes take effect, where some were signed by those whom others revoke."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from meshdoor.trust.causality import Causality, places


def effective_revokes(graph: Causality) -> tuple[set[int], int]:
    """The numbers of the revokes that stand, and the set of all statements that are void.

    A revoke attacks another when it voids it, or something that the other's author had its standing
    from. Revokes that nothing undecided attacks stand, and what they void falls. Where only
    circles are left, the revoke by the most senior author wins in a circle that nothing
    outside attacks; what attacks it there falls; and on it goes.
    """
    resolution = _Resolution(graph)
    resolution.run()
    return resolution.standing, resolution.void


class _Resolution:
    def __init__(self, graph: Causality) -> None:
        self.standing: set[int] = set()
        self.void = graph.void(0, 0, graph.all)
        self._graph = graph
        self._direct = 0
        self._dead = graph.dead(0, 0, graph.all)
        self._undecided = list(places(graph.revokes & ~self._dead))
        self._voids = {revoke: graph.voided_by(revoke) for revoke in self._undecided}
        self._rests_on = graph.supports()
        self._known_attackers: dict[int, list[int]] = {}

    def run(self) -> None:
        while self._undecided:
            attacked = _union(self._voids[revoke] for revoke in self._undecided)
            free = [revoke for revoke in self._undecided if not self._rests_on[revoke] & attacked]
            self._decide(free or self._circle())

    def _decide(self, revokes: list[int]) -> None:
        """Those of `revokes` that are not void stand; what is void for good by now is dropped."""
        standing = [revoke for revoke in revokes if not self.void >> revoke & 1]
        self.standing.update(standing)
        voided = _union(self._voids[revoke] for revoke in standing)
        self._direct |= voided
        self.void = self._graph.void(self._direct, self.void, voided)
        self._dead = self._graph.dead(self._direct, self._dead, voided)
        self._drop(_union(1 << revoke for revoke in revokes) | self._dead)

    def _drop(self, decided: int) -> None:
        self._undecided = [revoke for revoke in self._undecided if not decided >> revoke & 1]

    def _circle(self) -> list[int]:
        """Settle a circle that nothing undecided outside attacks: the winner, when there is one.

        What attacks the winner is dropped. A circle of which all is void has no winner and is dropped whole.
        """
        circle = self._source()
        candidates = [revoke for revoke in circle if not self.void >> revoke & 1]
        if not candidates:
            return circle
        winner = min(candidates, key=self._seniority)
        self._drop(_union(1 << revoke for revoke in self._attackers(winner)))
        return [winner]

    def _source(self) -> list[int]:
        """A circle of undecided revokes that no other attacks.

        Tarjan's search against the direction of the attacks, up to the first component: whatever was
        found until then is on his stack, in the order in which it was found.
        """
        undecided = set(self._undecided)
        start = self._undecided[0]
        found = {start: 0}
        lowest = {start: 0}
        path = [(start, iter(self._attackers(start)))]
        while True:
            revoke, attackers = path[-1]
            for attacker in attackers:
                if attacker not in undecided:
                    continue
                if attacker not in found:
                    found[attacker] = lowest[attacker] = len(found)
                    path.append((attacker, iter(self._attackers(attacker))))
                    break
                lowest[revoke] = min(lowest[revoke], found[attacker])
            else:
                if lowest[revoke] == found[revoke]:
                    return list(found)[found[revoke] :]
                path.pop()
                before = path[-1][0]
                lowest[before] = min(lowest[before], lowest[revoke])

    def _attackers(self, revoke: int) -> list[int]:
        """Those that attack it; some may be decided by now."""
        attackers = self._known_attackers.get(revoke)
        if attackers is None:
            rests_on = self._rests_on[revoke]
            attackers = [each for each in self._undecided if self._voids[each] & rests_on]
            self._known_attackers[revoke] = attackers
        return attackers

    def _seniority(self, revoke: int) -> tuple[int, int]:
        """Statement numbers compare as (depth, id): first the author's admission, then the revoke."""
        standing = self._graph.admitted(revoke) & ~self.void
        return (standing & -standing).bit_length(), revoke


def _union(sets: Iterable[int]) -> int:
    return reduce(or_, sets, 0)
