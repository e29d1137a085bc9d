"""Letting nodes in and being let in: the pairing protocol over TCP, on the mesh port and from it.

An unpaired node answers whoever knocks with the code that it shows. A member answers only who holds an enrolment
that it wrote itself. Both are bounded: one run at a time for a code, a few for enrolments, each with a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from meshdoor.errors import AnnouncementError, MeshdoorError, PairingError
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.newcomers import Newcomer as Announced
from meshdoor.node import journal
from meshdoor.node.membership import Membership
from meshdoor.ratelimit import KeyedRateLimit, LogLimiter
from meshdoor.trust.enrolment import Enrolment, Enrolments
from meshdoor.trust.exchange import Exchange
from meshdoor.trust.identity import device_id
from meshdoor.trust.introduction import Grant, Newcomer
from meshdoor.trust.pairing import Password, Reason, Steps, admitter_side, newcomer_side, refusal
from meshdoor.trust.permissions import Role
from meshdoor.trust.window import PairingWindow

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0  # seconds for one address
KNOCKS_PER_SECOND, KNOCKS_AT_ONCE = 0.5, 10.0  # of one address
MAX_ENROLLING = 4  # enrolments that are answered at once
CHUNK = 65536


class PairingDesk:
    """Both ends of pairing for one node. `hints` are the addresses that a newcomer may knock at."""

    def __init__(
        self,
        membership: Membership,
        enrolments: Enrolments,
        hints: Callable[[], tuple[str, ...]],
        save: Callable[[Enrolments], None],
    ) -> None:
        self.window = PairingWindow()
        self.enrolments = enrolments
        self._save = save
        self.name = ""
        self.role = Role.SCREEN
        self._membership = membership
        self._hints = hints
        self._joined: list[Callable[[Grant], None]] = []
        self._knocks = KeyedRateLimit(KNOCKS_PER_SECOND, KNOCKS_AT_ONCE)
        self._log = LogLimiter()
        self._enrolling = 0

    def on_joined(self, listener: Callable[[Grant], None]) -> None:
        """Call `listener` when this node has become a member."""
        self._joined.append(listener)

    @property
    def open(self) -> bool:
        """Is this node still a newcomer?"""
        return self._membership.roster.home is None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        """Serve one knock. Never raises for what the other side did."""
        now = time.monotonic()
        try:
            if not self._knocks.allow(address, now):
                raise PairingError("it knocks too often")
            await (self._take_guess(reader, writer, now) if self.open else self._enrol(reader, writer, now))
        except MeshdoorError as error:
            self._say_refused(address, str(error))
        finally:
            writer.close()

    async def admit(self, announced: Announced, code: str, name: str | None) -> Newcomer:
        """Let the newcomer in with the code that a person read off it. Raises WrongCode, PairingError, UserError."""
        password = Password.from_code(code)

        def admitted(newcomer: Newcomer) -> Grant:
            if device_id(newcomer.key) != announced.id:
                raise PairingError("another device answered than the one that was chosen")
            return self._grant(newcomer, name or newcomer.name, newcomer.role)

        side = admitter_side(self._membership.identity, [password], admitted)
        async with _connected(announced.links) as (reader, writer):
            return await _run(side, reader, writer)

    async def join(self, enrolment: Enrolment, seen: Sequence[Address] = ()) -> Grant:
        """Join the home with an enrolment, at the node that wrote it and was seen there. Raises PairingError."""
        self.name, self.role = enrolment.name, enrolment.role

        def keep(grant: Grant) -> None:
            enrolment.check_grant(grant)
            self._keep(grant)

        side = newcomer_side(self._membership.identity, enrolment.password, self.name, self.role, keep)
        async with _connected(dict.fromkeys([*_addresses(enrolment.addresses), *seen])) as (reader, writer):
            return await _run(side, reader, writer)

    def hand_out(self, enrolment: Enrolment, now: float) -> None:
        """Remember an enrolment that this node has written. Raises Refused."""
        self.enrolments.add(enrolment, now)
        self._save(self.enrolments)

    def status(self, now: float) -> dict[str, object] | None:
        """What a newcomer shows; None for a member."""
        if not self.open:
            return None
        shown = self.window.status(now)
        return {"code": shown.code, "wait_s": round(shown.wait, 1)}

    async def _take_guess(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, now: float) -> None:
        try:
            password = self.window.begin(now)
        except PairingError:
            writer.write(refusal(Reason.BUSY, self.window.wait(now)))
            raise
        paired = False
        code = self.window.code
        try:
            side = newcomer_side(self._membership.identity, password, self.name, self.role, self._keep)
            await _run(side, reader, writer)
            paired = True
        finally:
            self.window.ended(time.monotonic(), paired=paired)
            if not paired and self.window.code != code:
                journal.warn("pairing", f"five wrong codes: the new one is {self.window.code}")

    async def _enrol(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, now: float) -> None:
        passwords = self.enrolments.passwords(time.time())
        if not passwords or self._enrolling >= MAX_ENROLLING:
            writer.write(refusal(Reason.FAILED))
            raise PairingError("this node is a member and has no enrolment under way")
        self._enrolling += 1
        try:
            side = admitter_side(self._membership.identity, passwords, self._admit_enrolled)
            newcomer = await _run(side, reader, writer)
        finally:
            self._enrolling -= 1
        journal.say("enrolled", f"{newcomer.name} joined with its enrolment", member=newcomer.name)

    def _admit_enrolled(self, newcomer: Newcomer) -> Grant:
        """The enrolment, not the newcomer, says what it is called and what it is; and it is used up first."""
        entry = self.enrolments.redeem(newcomer.ticket, newcomer.key, time.time())
        self._save(self.enrolments)
        return self._grant(newcomer, entry.name, entry.role)

    def _grant(self, newcomer: Newcomer, name: str, role: Role) -> Grant:
        """A member may come again: it had no time to keep what it was given."""
        if newcomer.key not in self._membership.roster.members:
            self._membership.admit(newcomer.key, newcomer.certificate, name, role, time.time())
        return Grant(tuple(self._membership.history.wire()), self._hints())

    def _keep(self, grant: Grant) -> None:
        self._membership.merge(grant.statements)
        if self._membership.itself is None:
            raise PairingError("this node has joined another home meanwhile")
        for listener in self._joined:
            listener(grant)

    def _say_refused(self, address: str, why: str) -> None:
        suppressed = self._log.admit(("pairing", address), time.monotonic())
        if suppressed is not None:
            more = f" (and {suppressed} more)" if suppressed else ""
            journal.warn("pairing", f"pairing with {address} failed: {why}{more}", address=address)


def _addresses(hints: Iterable[str]) -> Iterator[Address]:
    """Those that can be read."""
    for hint in hints:
        with contextlib.suppress(AnnouncementError):
            yield Address.parse(hint)


async def _run(side: Steps[T], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> T:
    """Drive one side to its end. Raises PairingError."""
    exchange = Exchange(side, time.monotonic())
    try:
        while True:
            writer.write(exchange.data_to_send())
            if exchange.finished:
                break
            deadline = exchange.next_deadline() or 0.0
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await writer.drain()
                    data = await reader.read(CHUNK)
            except TimeoutError:
                exchange.handle_timer(max(deadline, time.monotonic()))
                continue
            exchange.receive(data)
    except ConnectionError as error:
        raise PairingError("the connection broke") from error
    finally:
        with contextlib.suppress(ConnectionError):
            writer.write(exchange.data_to_send())
    assert exchange.result is not None
    return exchange.result


@contextlib.asynccontextmanager
async def _connected(addresses: Iterable[Address]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the first address that takes one."""
    failures = []
    for address in addresses:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await asyncio.open_connection(address.host, address.port)
        except OSError as error:
            failures.append(f"{address}: {error.strerror or 'no answer'}")
            continue
        try:
            yield reader, writer
        finally:
            writer.close()
        return
    raise PairingError(f"it does not answer ({'; '.join(failures) or 'no address is known'})")

