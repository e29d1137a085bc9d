"""Two hosts that announce one identity: a cloned SD card, or a forgery. Either way a person must know (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

RETURNS = 2  # moves back to the host before that make a second host certain
WINDOW = 300.0  # seconds within which they count
OUTLIVED = 5.0  # seconds that a link stays alive at a host which was announced to have moved away
QUIET = 600.0  # seconds without new evidence after which an alarm is over

HINT = "a copied SD card or a forgery; if it is a copy, give one of the two a new identity: meshdoor reset"


class AlarmKind(StrEnum):
    """What is wrong."""

    TWO_HOSTS = "two hosts"  # a member is announced by two hosts
    OWN_IDENTITY = "own identity elsewhere"  # another host announces this node


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person must know: `text` is the sentence, `hint` what to do; `since` and `last` the evidence."""

    kind: AlarmKind
    key: bytes
    text: str
    hosts: tuple[str, ...]
    since: float
    last: float
    hint: str = HINT


def bare(host: str) -> str:
    """A host without the scope, which names an interface of the listener."""
    return host.partition("%")[0]


class Whereabouts:
    """Which host announces one identity. A host is the set of its addresses; one that shares any is the same.

    A device that moves once got a new address. One that moves back and forth, or whose link lives on at the
    host it is said to have left, is two.
    """

    def __init__(self) -> None:
        self._current: frozenset[str] = frozenset()
        self._previous: frozenset[str] = frozenset()
        self._moved = float("-inf")
        self._returns: list[float] = []

    @property
    def hosts(self) -> tuple[str, ...]:
        """One address of each of the two hosts."""
        return tuple(min(host) for host in (self._previous, self._current) if host)

    def announced(self, addresses: Iterable[str], now: float) -> bool:
        """A record named these addresses. True if there must be two hosts."""
        here = frozenset(map(bare, addresses))
        if not self._current or here & self._current:
            self._current = here
            return False
        returned = bool(here & self._previous) and now - self._moved < WINDOW
        self._previous, self._current, self._moved = self._current, here, now
        self._returns = [when for when in self._returns if now - when < WINDOW]
        if returned:
            self._returns = [*self._returns[-RETURNS:], now]
        return len(self._returns) >= RETURNS

    def alive(self, host: str, now: float) -> bool:
        """A link at `host` answered. True if there must be two hosts."""
        left = bare(host) in self._previous and bare(host) not in self._current
        return left and OUTLIVED <= now - self._moved < WINDOW


class Alarms:
    """The alarms that are on: one per identity at most, each over when its evidence stops."""

    def __init__(self) -> None:
        self._on: dict[bytes, Alarm] = {}

    def two_hosts(self, key: bytes, name: str, hosts: tuple[str, ...], now: float) -> None:
        """A member is announced by two hosts."""
        text = f"{name} is announced by two hosts: {' and '.join(hosts)}"
        self._raise(AlarmKind.TWO_HOSTS, key, text, hosts, now)

    def own_identity(self, key: bytes, hosts: tuple[str, ...], now: float) -> None:
        """Another host announces this node."""
        text = f"another host announces this node's identity: {', '.join(hosts)}"
        self._raise(AlarmKind.OWN_IDENTITY, key, text, hosts, now)

    def on(self, now: float) -> tuple[Alarm, ...]:
        """Those with evidence of the last ten minutes."""
        self._on = {key: alarm for key, alarm in self._on.items() if now - alarm.last < QUIET}
        return tuple(self._on.values())

    def forget(self, key: bytes) -> None:
        """That identity is no longer of interest."""
        self._on.pop(key, None)

    def _raise(self, kind: AlarmKind, key: bytes, text: str, hosts: tuple[str, ...], now: float) -> None:
        before = self._on.get(key)
        goes_on = before is not None and now - before.last < QUIET
        since = before.since if before is not None and goes_on else now
        self._on[key] = Alarm(kind, key, text, hosts, since, now)
