"""Opening locks from this node, and answering for its own.

Notes about "grant" are those of `meshdoor.trust.grants`. With a note `{"about": "lock", "of": NAME}` a node
with a lock tells each link which door it opens ("": any). That of a door or a phone is not believed: what
hangs outside must not pose as a lock.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from meshdoor.config import MAX_NAME, Config
from meshdoor.control import Json
from meshdoor.control.server import Verb
from meshdoor.errors import GrantError, NotFound, Refused, UserError
from meshdoor.node import journal
from meshdoor.node.arguments import Args, checked
from meshdoor.node.house import House
from meshdoor.node.lock import LockActuator, LockService, OnAudit, SimulatedActuator
from meshdoor.trust.grants import ABOUT, Note, Receipt, open_lock
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member

PATIENCE: Final = 6.0  # seconds; the lock itself waits 5 for the grant
MAX_RUNS: Final = 16  # openings under way at once
INDOORS: Final = frozenset({Role.LOCK, Role.SCREEN})


def lock_of(config: Config, house: House, audit: OnAudit, actuator: LockActuator | None = None) -> LockService | None:
    """The lock of this node, if it has one: of role `lock`, or with a `[lock]` in its settings."""
    settings = config.lock
    if settings is None and house.role is not Role.LOCK:
        return None
    if house.role is Role.DOOR:
        journal.warn("lock", "a door opens no lock: wires that hang outside could be bridged; move [lock] indoors")
        return None
    of, pulse = ("", 3.0) if settings is None else (settings.of, settings.pulse)
    return LockService(house.membership, actuator or SimulatedActuator(), of, pulse, audit)


class Openings:
    """What this node asks of locks. Make it once, before the house runs; it listens from then on."""

    def __init__(self, house: House, lock: LockService | None = None) -> None:
        self._house = house
        self._lock = lock
        self._claims: dict[bytes, str] = {}  # which door each lock within reach opens
        self._runs: dict[str, tuple[bytes, asyncio.Queue[Note]]] = {}
        house.notes.register(ABOUT, self._grant_note)
        house.notes.register("lock", self._lock_note, early=True)
        house.on_link.append(self._link)

    def table(self) -> dict[str, Verb]:
        """By name, for the control server."""
        verbs: dict[str, Callable[[Args], Awaitable[Json]]] = {"open": self._open_verb, "locks": self._locks_verb}
        return {name: checked(verb) for name, verb in verbs.items()}

    def take(self, lock: LockService, of: str) -> None:
        """From now on this node has this lock, of that door, unless it had one of its own."""
        if self._lock is None or self._lock is lock:
            lock.of = of
            self._lock = lock
            for link in self._house.links.links():
                self._house.links.send_note(link.key, {"about": "lock", "of": of})

    async def open(self, text: str = "", person: str = "", patience: float = PATIENCE) -> Receipt:
        """Open the lock of that name, or of the door of that name; "" is the only one there is.

        `person` is who wants it, this node's own name if empty. The receipt may be a refusal of the lock's.
        Raises Refused if there is no answer or none may be asked for, and NotFound.
        """
        self._check_may_open()
        return await self.open_for(self._house.membership.identity, text, person or self._house.name, patience)

    async def open_for(self, opener: Identity, text: str, person: str, patience: float = PATIENCE) -> Receipt:
        """The same for somebody whose key this node has; whether that key may, the lock alone decides."""
        lock, roster = self.find(text), self._house.membership.roster
        if len(self._runs) >= MAX_RUNS:
            raise Refused("too many locks are being opened at once")
        assert roster.home is not None, "a lock that was found is in a home"
        run = open_lock(opener, roster.home, lock.key, person, secrets.token_bytes)
        note = next(run)
        number = str(note["ask"])
        answers: asyncio.Queue[Note] = asyncio.Queue(maxsize=2)
        self._runs[number] = (lock.key, answers)
        try:
            async with asyncio.timeout(patience):
                while True:
                    if not self._send(lock.key, note):
                        raise Refused(f"{lock.name} is not in reach", "see: meshdoor status")
                    try:
                        note = run.send(await answers.get())
                    except StopIteration as done:
                        return _receipt(done)
        except TimeoutError:
            raise Refused(f"{lock.name} did not answer within {patience:.0f} s", "see: meshdoor status") from None
        except GrantError as error:
            raise Refused(f"{lock.name} gave no proper answer: {error}") from None
        finally:
            del self._runs[number]

    async def carry(self, lock: bytes, note: Note, patience: float = PATIENCE) -> Note:
        """Send a note that a phone signed for itself, and give what the lock answers. Raises Refused."""
        number = str(note["ask"])
        if number in self._runs or len(self._runs) >= MAX_RUNS:
            raise Refused("too many locks are being opened at once")
        answers: asyncio.Queue[Note] = asyncio.Queue(maxsize=1)
        self._runs[number] = (lock, answers)
        try:
            async with asyncio.timeout(patience):
                if not self._send(lock, note):
                    raise Refused("the lock is not in reach")
                return await answers.get()
        except TimeoutError:
            raise Refused(f"the lock did not answer within {patience:.0f} s") from None
        finally:
            del self._runs[number]

    async def _open_verb(self, args: Args) -> Json:
        person = args.optional("person") or ""
        if len(person) > MAX_NAME or not person.isprintable() or person != person.strip():
            raise UserError("person: a name of at most 64 printable characters is needed")
        began = _now()
        receipt = await self.open(args.optional("door") or "", person)
        lock = self._house.membership.roster.members[receipt.lock]
        if not receipt.result.is_open:
            raise Refused(f"{lock.name} stays shut: {receipt.result}")
        return {
            "lock": lock.name,
            "id": lock.device_id,
            "of": self._all().get(lock.key, ""),
            "result": str(receipt.result),
            "person": receipt.person,
            "at": receipt.at,
            "simulated": receipt.simulated,
            "took_ms": round((_now() - began) * 1000, 1),
        }

    async def _locks_verb(self, args: Args) -> Json:
        members = self._house.membership.roster.members
        return [
            {"name": members[key].name, "id": members[key].device_id, "of": of}
            for key, of in self._all().items()
            if key in members
        ]

    def _check_may_open(self) -> None:
        membership = self._house.membership
        if membership.itself is None:
            raise UserError("this node is in no home", "pair it first: meshdoor pair on a screen of the home")
        if not membership.roster.may(membership.identity.key, Permission.OPEN):
            raise Refused(f"this {membership.itself.role} may not open locks", "do it on a screen or a phone")

    def _all(self) -> dict[bytes, str]:
        """The locks within reach, and which doors they open."""
        return self._claims if self._lock is None else {self._lock.key: self._lock.of} | self._claims

    def find(self, text: str) -> Member:
        """The lock of that name or id, or of the door of that name or id. Raises NotFound, Refused."""
        roster = self._house.membership.roster
        locks = {key: of for key, of in self._all().items() if key in roster.members}
        if text:
            locks = self._called(text, locks)
        found = [roster.members[key] for key in locks]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound("no lock is in reach", "see: meshdoor status")
        names = ", ".join(sorted(f"{member.name} ({member.device_id})" for member in found))
        raise NotFound(f"that is more than one lock: {names}", "say which")

    def _called(self, text: str, locks: dict[bytes, str]) -> dict[bytes, str]:
        """Those that a person means by a name or an id: the lock's own, or that of its door."""
        wanted = text.strip().casefold()
        named = {key: of for key, of in locks.items() if of and of.casefold() == wanted}
        if named:
            return named
        member = self._house.membership.roster.find(text)
        if member.key in locks:
            return {member.key: locks[member.key]}
        if member.role is Role.LOCK:
            raise Refused(f"{member.name} is not in reach", "see: meshdoor status")
        of_door = {key: of for key, of in locks.items() if of.casefold() == member.name.casefold()}
        if member.role is Role.DOOR and not of_door:
            of_door = {key: of for key, of in locks.items() if not of}
        if not of_door:
            raise NotFound(f"no lock in reach opens {member.name}", "set `of` in the lock's settings: [lock]")
        return of_door

    def _send(self, key: bytes, note: Note) -> bool:
        if self._lock is not None and key == self._lock.key:
            asyncio.get_running_loop().call_soon(self._house.note, key, note)
            return True
        return self._house.links.send_note(key, note)

    def _grant_note(self, key: bytes, note: Note) -> None:
        if note.get("step") not in ("ask", "grant"):
            self._answered(key, note)
        elif self._lock is not None:
            self._lock.receive(note, key, partial(self._send, key))

    def _answered(self, key: bytes, note: Note) -> None:
        lock, answers = self._runs.get(str(note.get("ask")), (None, None))
        if answers is None or lock != key or answers.full():
            raise GrantError("an answer that nobody waits for")
        answers.put_nowait(note)

    def _lock_note(self, key: bytes, note: Note) -> None:
        of, member = note.get("of"), self._house.membership.roster.member(key)
        if not isinstance(of, str) or len(of) > MAX_NAME or not of.isprintable():
            raise GrantError("a lock of no door")
        if member is None or member.role not in INDOORS:
            raise GrantError("a lock that is none")
        self._claims[key] = of

    def _link(self, key: bytes, up: bool) -> None:
        self._claims.pop(key, None)
        if up and self._lock is not None:
            self._house.links.send_note(key, {"about": "lock", "of": self._lock.of})


def _receipt(done: StopIteration) -> Receipt:
    receipt = done.value
    assert isinstance(receipt, Receipt)
    return receipt


def _now() -> float:
    return asyncio.get_running_loop().time()
