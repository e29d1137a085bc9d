"""A lock of this node: it opens for one pulse when a grant is good, and is shut whenever anything is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

from meshdoor.errors import Refused
from meshdoor.node import journal
from meshdoor.node.membership import Membership
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.trust.doorkeeper import Doorkeeper, Verdict
from meshdoor.trust.grants import Note, Result
from meshdoor.trust.identity import device_id

REFUSALS: Final = (0.1, 10.0)  # of one key that are told, a second and at once: a flood must not bury what matters
SHUT_AGAIN: Final = 1.0  # seconds until shutting is tried again, when it failed


class LockActuator(Protocol):
    """What moves the bolt. An error of either verb is an Exception. One that is real ends its pulse by itself, too."""

    simulated: bool

    async def release(self) -> None:
        """Let the door be opened; it is when this returns."""

    async def shut(self) -> None:
        """The resting state, also without power. More than once does no harm."""


class SimulatedActuator:
    """No lock at all: it says what a lock would do."""

    simulated = True

    async def release(self) -> None:
        journal.say("lock", "the simulated lock is open; there is no real one here")

    async def shut(self) -> None:
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
        self._timer: asyncio.TimerHandle | None = None  # while it is open, or may be
        self._moving = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()
        self._running = False
        self.troubled: Callable[[bool], None] = _ignore  # told whether the bolt cannot be moved

    async def __aenter__(self) -> LockService:
        await self._tasks.__aenter__()
        await self._shut()
        self._running = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._running = False
        await self._tasks.__aexit__(None, None, None)
        await self._shut()
        self._cancel_timer()

    @property
    def is_open(self) -> bool:
        """Whether a pulse is on, or could not be ended."""
        return self._timer is not None

    def receive(self, note: Note, source: bytes, reply: Callable[[Note], object]) -> None:
        """An ask or a grant that the member `source` sent; `reply` gets what to send back. Raises GrantError."""
        answer = self._keeper.receive(note, source, asyncio.get_running_loop().time(), time.time())
        if isinstance(answer, Verdict):
            self._decide(answer, reply)
        elif answer is not None:
            reply(answer)

    def _decide(self, verdict: Verdict, reply: Callable[[Note], object]) -> None:
        if verdict.refused is not None:
            self._conclude(verdict, verdict.refused, reply)
        elif self._running:
            self._tasks.create_task(self._serve(verdict, reply))
        else:
            self._conclude(verdict, Result.FAILED, reply)

    async def _serve(self, verdict: Verdict, reply: Callable[[Note], object]) -> None:
        self._conclude(verdict, await self._open(), reply)

    def _conclude(self, verdict: Verdict, result: Result, reply: Callable[[Note], object]) -> None:
        if result.is_open or self._refusals.allow(verdict.opener, asyncio.get_running_loop().time()):
            self._tell(verdict, result)
        reply(self._keeper.receipt(verdict, result, time.time(), self._actuator.simulated))

    async def _open(self) -> Result:
        """One pulse at a time: a second grant does not make it longer."""
        async with self._moving:
            if self._timer is not None:
                return Result.ALREADY_OPEN
            try:
                await self._actuator.release()
            except Exception as error:
                journal.warn("lock", f"the lock cannot be opened: {error}")
                self.troubled(True)
                await self._rest()
                return Result.FAILED
            self.troubled(False)
            self._shut_in(self._pulse)
            return Result.OPENED

    async def try_out(self) -> str:
        """A person at this node tries the bolt; what it did. Raises Refused."""
        result = await self._open()
        if not result.is_open:
            raise Refused(f"the lock: {result}", "the log of the node says why: journalctl -u meshdoor")
        journal.say("lock", f"tried at the lock itself: {result}")
        simulated = "; there is no real one here: it is simulated" if self._actuator.simulated else ""
        return f"the lock is open for {self._pulse:g} s{simulated}"

    async def _shut(self) -> None:
        async with self._moving:
            await self._rest()

    async def _rest(self) -> None:
        try:
            await self._actuator.shut()
        except Exception as error:
            journal.warn("lock", f"the lock cannot be shut: {error}")
            self.troubled(True)
            self._shut_in(SHUT_AGAIN)
        else:
            self._cancel_timer()

    def _shut_in(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._over)

    def _over(self) -> None:
        if self._running:
            self._tasks.create_task(self._shut())

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


def _ignore(_: bool) -> None:
    """Nobody wants to know."""
