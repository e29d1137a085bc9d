"""A lock of this node: it opens for one pulse when a grant is good, and is shut whenever anything is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

from meshdoor.node import journal
from meshdoor.node.membership import Membership
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.trust.doorkeeper import Doorkeeper, Verdict
from meshdoor.trust.grants import Note, Result
from meshdoor.trust.identity import device_id

REFUSALS: Final = (0.1, 10.0)  # of one key that are told, a second and at once: a flood must not bury what matters
SHUT_AGAIN: Final = 1.0  # seconds until shutting is tried again, when it failed


class LockActuator(Protocol):
    """What moves the bolt. Neither verb blocks; an error of either is an Exception."""

    simulated: bool

    def release(self) -> None:
        """Let the door be opened."""

    def shut(self) -> None:
        """The resting state, also without power. More than once does no harm."""


class SimulatedActuator:
    """No lock at all: it says what a lock would do."""

    simulated = True

    def release(self) -> None:
        journal.say("lock", "the simulated lock is open; there is no real one here")

    def shut(self) -> None:
        journal.say("lock", "the simulated lock is shut")


@dataclass(frozen=True, slots=True)
class Audit:
    """What was asked of a lock and what it did. `at` is unix time."""

    at: float
    lock: bytes
    opener: bytes
    name: str  # of the opener, as in the roster then
    person: str
    result: Result
    simulated: bool


OnAudit = Callable[[Audit], None]


class LockService:
    """An async context manager; when it ends, the lock is shut.

    `audit` hears of every opening, and of refusals at a bounded rate.
    """

    def __init__(
        self, membership: Membership, actuator: LockActuator, of: str, pulse: float, audit: OnAudit
    ) -> None:
        self.key = membership.identity.key
        self.of = of
        self._membership = membership
        self._actuator = actuator
        self._pulse = pulse
        self._audit = audit
        self._keeper = Doorkeeper(membership.identity, lambda: membership.roster)
        self._refusals = KeyedRateLimit(*REFUSALS)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> LockService:
        self._shut()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._shut()
        self._cancel_timer()

    @property
    def is_open(self) -> bool:
        """Whether a pulse is on."""
        return self._timer is not None

    def receive(self, note: Note, source: bytes) -> Note | None:
        """An ask or a grant that the member `source` sent, and what to send back. Raises GrantError."""
        now = asyncio.get_running_loop().time()
        answer = self._keeper.receive(note, source, now, time.time())
        if not isinstance(answer, Verdict):
            return answer
        result = answer.refused or self._open()
        if result.is_open or self._refusals.allow(answer.opener, now):
            self._tell(answer, result)
        return self._keeper.receipt(answer, result, time.time(), self._actuator.simulated)

    def _open(self) -> Result:
        """One pulse at a time: a second grant does not make it longer."""
        if self._timer is not None:
            return Result.ALREADY_OPEN
        try:
            self._actuator.release()
        except Exception as error:
            journal.warn("lock", f"the lock cannot be opened: {error}")
            self._shut()
            return Result.FAILED
        self._timer = asyncio.get_running_loop().call_later(self._pulse, self._shut)
        return Result.OPENED

    def _shut(self) -> None:
        self._cancel_timer()
        try:
            self._actuator.shut()
        except Exception as error:
            journal.warn("lock", f"the lock cannot be shut: {error}")
            self._timer = asyncio.get_running_loop().call_later(SHUT_AGAIN, self._shut)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, verdict: Verdict, result: Result) -> None:
        roster = self._membership.roster
        member = roster.members.get(verdict.opener) or roster.revoked.get(verdict.opener)
        name = member.name if member is not None else device_id(verdict.opener)
        who = name_of(verdict.person, name)
        log = journal.say if result.is_open else journal.warn
        log("lock", f"{who} asked to open: {result}", member=name, person=verdict.person, result=str(result))
        self._audit(
            Audit(
                at=time.time(),
                lock=self.key,
                opener=verdict.opener,
                name=name,
                person=verdict.person,
                result=result,
                simulated=self._actuator.simulated,
            )
        )


def name_of(person: str, member: str) -> str:
    """Who it was, as people say it: `Grandmother at Hall`, `Hall`, `Old tablet, by code`."""
    if not person or person == member:
        return member
    return person if person.startswith(f"{member}, ") else f"{person} at {member}"
