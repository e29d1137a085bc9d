"""The phone desk: phones are invited here, come in with what they scanned, and guests leave when their time is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from meshdoor.config import check_name
from meshdoor.errors import AttachError, InvitationError, Refused, UserError
from meshdoor.node import journal
from meshdoor.node.house import House
from meshdoor.node.web import Web
from meshdoor.ratelimit import LogLimiter
from meshdoor.trust.attach import attachable
from meshdoor.trust.invitation import TEXTS, Invitation, Refusal, Reply, Request, refused
from meshdoor.trust.invitations import LIFETIME, Invitations
from meshdoor.trust.permissions import CEILING, DEFAULTS, Permission, Role
from meshdoor.trust.roster import Member, Roster
from meshdoor.trust.statement import MAX_TIME

LOOK_AGAIN: Final = 30.0  # seconds: a clock may have been set meanwhile
REVOKE_AFTER: Final = 10.0  # seconds after its end until a guest is revoked, by the first screen
NEXT_SCREEN: Final = 20.0  # seconds more for each screen that was admitted earlier: one revoke is enough
CLOCKS_AGREE: Final = 300.0  # seconds
REPLACED: Final = "another code for the same name has replaced this one"

OpenWeb = Callable[[], Awaitable[Web]]


@dataclass(frozen=True, slots=True)
class Invited:
    """A phone that was invited, and what its QR code says."""

    invitation: Invitation
    url: str
    fingerprint: bytes  # of the certificate that its browser will warn of


class PhoneDesk:
    """Phones of the home, as far as this node lets them in. `open_web` starts the web server where it does not run.

    `joined` hears of each phone that came in here; `ended` is called at once when the time of a guest is over,
    anywhere in the home.
    """

    def __init__(self, house: House, open_web: OpenWeb) -> None:
        self.joined: list[Callable[[Member], None]] = []
        self.ended: list[Callable[[], None]] = []
        self._house = house
        self._membership = house.membership
        self._open_web = open_web
        self._invitations = Invitations()
        self._used: dict[bytes, asyncio.Future[Member]] = {}  # by the id of an invitation that somebody waits for
        self._changed = asyncio.Event()
        self._over: frozenset[bytes] = frozenset()
        self._log = LogLimiter()
        self._membership.listen(self._roster_changed)

    async def invite(
        self, name: str, permissions: Iterable[str] | None = None, until: int | None = None, by: bytes | None = None
    ) -> Invited:
        """Invite a phone; `by` is the phone that asks for it. Raises UserError.

        An invitation of the same name that waits is replaced.
        """
        self._membership.check_may_admit("let a phone in")
        asker = None if by is None else self._administrator(by)
        may = _permissions(permissions, until, asker)
        self._check(name, until)
        web = await self._open_web()
        now = time.monotonic()
        for waiting in self._invitations.waiting(now):
            if waiting.name.casefold() == name.casefold():
                self.withdraw(waiting)
        invitation = self._invitations.invite(name, may, until, now, time.time())
        journal.say("invited", f"{name} may come in with a phone, within ten minutes", member=name)
        url = invitation.url(web.url_base, web.fingerprint, self._membership.roster.home_name)
        return Invited(invitation, url, web.fingerprint)

    def admit_client(
        self, key: bytes, name: str, permissions: Iterable[str] | None = None, until: int | None = None
    ) -> Member:
        """Let in a SIP client that registers by digest, whose key this node keeps for it. Raises UserError."""
        self.check_client(name, permissions, until)
        may = _permissions(permissions, until, None)
        return self._membership.admit_phone(key, name, may, until, time.time())

    def check_client(self, name: str, permissions: Iterable[str] | None = None, until: int | None = None) -> None:
        """Raises UserError where `admit_client` would."""
        self._membership.check_may_admit("let a phone in")
        _permissions(permissions, until, None)
        self._check(name, until)

    async def arrival(self, invited: Invited) -> Member:
        """Wait until the phone is in. Raises Refused when it did not come; cancelled, it withdraws the invitation."""
        invitation = invited.invitation
        if invitation not in self.waiting():
            raise Refused(REPLACED)
        future: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        self._used[invitation.id] = future
        try:
            async with asyncio.timeout(LIFETIME):
                return await future
        except TimeoutError:
            raise Refused("nobody scanned the code in time", "make a new one") from None
        finally:
            del self._used[invitation.id]
            self.withdraw(invitation)

    def withdraw(self, invitation: Invitation) -> None:
        """It is good no more, unless a phone has used it."""
        self._invitations.withdraw(invitation, time.monotonic())
        future = self._used.get(invitation.id)
        if future is not None and not future.done():
            future.set_exception(Refused(REPLACED))

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        """A phone at `address` shows an invitation: the body of the reply. Raises InvitationError."""
        try:
            request = Request.parse(body)
            invitation = self._invitations.check(request, fingerprint, address, time.monotonic())
            member, fresh = self._let_in(request.key, invitation)
        except InvitationError as error:
            self._say_refused(address, error)
            raise
        self._invitations.use(invitation, member.key)
        future = self._used.get(invitation.id)
        if future is not None and not future.done():
            future.set_result(member)
        if fresh:
            for listener in self.joined:
                listener(member)
        return bytes(Reply.of(invitation, fingerprint, member, self._membership.roster, self._house.name))

    def phones(self) -> list[Member]:
        """The phones of the home, in the order of their names."""
        found = [member for member in self._membership.roster.members.values() if member.role is Role.PHONE]
        return sorted(found, key=lambda member: (member.name.casefold(), member.device_id))

    def waiting(self) -> tuple[Invitation, ...]:
        """The invitations that no phone has used yet."""
        return self._invitations.waiting(time.monotonic())

    def revoke(self, text: str, by: bytes | None = None) -> Member:
        """Revoke the phone of that name or id; `by` is the phone that asks for it. Raises Refused, NotFound."""
        if by is not None:
            self._administrator(by)
        member = self._membership.roster.find(text)
        if member.role is not Role.PHONE:
            raise Refused(f"{member.name} is no phone but a {member.role}", f"meshdoor revoke {member.name}")
        return self._membership.revoke(member.device_id, time.time())

    async def run(self) -> None:
        """Tell of guests whose time is over, and put them out; until cancelled."""
        while True:
            self._changed.clear()
            self._look(time.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next(time.time())):
                    await self._changed.wait()

    def _until_next(self, unix_now: float) -> float:
        """Seconds until something is to be done, or to look at the clock again."""
        ends = [member.until for member in self.phones() if member.until is not None]
        moments = [*ends, *(end + self._patience() for end in ends)]
        return min([LOOK_AGAIN, *(moment - unix_now for moment in moments if moment > unix_now)])

    def _look(self, unix_now: float) -> None:
        over = frozenset(member.key for member in self.phones() if member.expired(unix_now))
        fresh, self._over = over - self._over, over
        if fresh:
            for listener in self.ended:
                listener()
        for key in over:
            member = self._membership.roster.members[key]
            assert member.until is not None
            if unix_now >= member.until + self._patience():
                self._put_out(member, unix_now)

    def _patience(self) -> float:
        """How long this node waits for another to put a guest out; for ever, if it may not or its clock is in doubt."""
        itself = self._membership.itself
        if itself is None or Permission.ADMIT not in itself.permissions:
            return float("inf")
        if any(abs(skew) > CLOCKS_AGREE for skew in self._house.clocks.values()):
            return float("inf")
        screens = [each for each in self._membership.administrators() if each.role is Role.SCREEN]
        earlier = sum(each.seniority < itself.seniority for each in screens)
        return REVOKE_AFTER + earlier * NEXT_SCREEN

    def _put_out(self, member: Member, unix_now: float) -> None:
        try:
            self._membership.end_guest(member, unix_now)
        except Refused as error:  # as it was admitted earlier than this node: another has to
            if self._log.admit(("guest", member.key), time.monotonic()) is not None:
                journal.warn("guest", f"the time of {member.name} is over, but it stays in the roster: {error}")

    def _let_in(self, key: bytes, invitation: Invitation) -> tuple[Member, bool]:
        """The phone as a member, and whether it is one only now."""
        roster = self._membership.roster
        try:
            return attachable(roster, key, time.time()), False
        except AttachError as error:
            if key in roster.members or key in roster.revoked:
                text = f"{error} Forget this home in the page, and scan the code again."
                raise InvitationError(text, str(Refusal.WRONG)) from None
        if invitation.until is not None and time.time() >= invitation.until:
            raise refused(Refusal.LATE)
        try:
            return self._admit(key, invitation), True
        except UserError as error:
            raise InvitationError(f"{TEXTS[Refusal.CLOSED]} ({error})", str(Refusal.CLOSED)) from None

    def _admit(self, key: bytes, invitation: Invitation) -> Member:
        may, until = invitation.permissions, invitation.until
        return self._membership.admit_phone(key, invitation.name, may, until, time.time())

    def _administrator(self, key: bytes) -> Member:
        """The phone of this key. Raises Refused unless it may let others in."""
        try:
            member = attachable(self._membership.roster, key, time.time())
        except AttachError as error:
            raise Refused(str(error)) from None
        if Permission.ADMIT not in member.permissions:
            raise Refused("this phone may not let others in or put them out", "do it on a screen")
        return member

    def _check(self, name: str, until: int | None) -> None:
        if not check_name(name):
            raise UserError("the name is empty", "for example: meshdoor phone add Alice")
        if until is not None and not time.time() < until <= MAX_TIME:
            raise UserError("the time of this guest would be over already", "choose a later end")
        if any(member.name.casefold() == name.casefold() for member in self._membership.roster.members.values()):
            raise Refused(
                f"there is a {name} already", f"choose another name, or put the old one out: meshdoor revoke {name}"
            )

    def _roster_changed(self, roster: Roster) -> None:
        self._changed.set()

    def _say_refused(self, address: str, error: InvitationError) -> None:
        suppressed = self._log.admit(("pair", address), time.monotonic())
        if suppressed is not None:
            more = f" (and {suppressed} more)" if suppressed else ""
            journal.warn("pairing", f"a phone at {address} was not let in: {error.code}{more}", address=address)


def _permissions(asked: Iterable[str] | None, until: int | None, asker: Member | None) -> frozenset[Permission]:
    """What a phone may get. Raises UserError."""
    ceiling: Collection[Permission] = CEILING[Role.PHONE]
    if asker is not None:
        ceiling = asker.permissions
    if asked is None:
        return DEFAULTS[Role.PHONE].intersection(ceiling)
    wanted = list(asked)
    unknown = [each for each in wanted if each not in CEILING[Role.PHONE]]
    if unknown:
        names = ", ".join(sorted(CEILING[Role.PHONE]))
        raise UserError(f"permissions: {unknown[0]!r} is none of {names}")
    if until is not None and Permission.ADMIT in wanted:
        raise UserError("a guest lets nobody in: `admit` does not go with an end")
    missing = [each for each in wanted if each not in ceiling]
    if missing:
        raise Refused(f"this phone may not give what it has not: {', '.join(missing)}")
    return frozenset(Permission(each) for each in wanted)
