"""The lock's side of door-open grants: who may open, once, now (wire form in `meshdoor.trust.grants`)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import GrantError
from meshdoor.ratelimit import KeyedRateLimit, RateLimit
from meshdoor.trust.grants import (
    LONGEST,
    NO_NONCE,
    NONCE_SIZE,
    Ask,
    Challenge,
    Grant,
    GrantNote,
    Note,
    RandomBytes,
    Receipt,
    Result,
    parse,
    sign_receipt,
    to_note,
)
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Permission
from meshdoor.trust.roster import Roster

MAX_NONCES: Final = 64
NONCES_OF_ONE: Final = 8  # of one sender
NOTES_OF_ONE: Final = (5.0, 20.0)  # a second and at once, of one sender
OPENINGS_OF_ONE: Final = (0.5, 5.0)  # of one key
OPENINGS_OF_ALL: Final = (1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the lock thinks of an ask or a grant. `refused` is None if it is to open."""

    ask: bytes
    nonce: bytes
    opener: bytes
    person: str
    refused: Result | None


@dataclass(frozen=True, slots=True)
class _Issued:
    source: bytes
    at: float


class Doorkeeper:
    """Nonces, permissions and rates of one lock. Bounded, and forgotten with the process."""

    def __init__(
        self, identity: Identity, roster: Callable[[], Roster], random: RandomBytes = secrets.token_bytes
    ) -> None:
        self._identity = identity
        self._roster = roster
        self._random = random
        self._issued: OrderedDict[tuple[bytes, bytes], _Issued] = OrderedDict()  # by opener and nonce
        self._notes = KeyedRateLimit(*NOTES_OF_ONE)
        self._openings = KeyedRateLimit(*OPENINGS_OF_ONE)
        self._all = RateLimit(*OPENINGS_OF_ALL)

    def receive(self, note: Note, source: bytes, now: float, unix_now: float) -> Note | Verdict | None:
        """A note that the member `source` sent, for itself or for a phone that is attached to it.

        Gives the challenge to send back, or a verdict to act on and to answer with `receipt`, or None:
        nothing, because `source` sends too many. Raises GrantError.
        """
        if not self._notes.allow(source, now):
            return None
        match parse(note):
            case Ask() as ask:
                return self._challenge(ask, source, now, unix_now)
            case GrantNote(ask=name, grant=grant):
                refused = self._judge(grant, now, unix_now)
                return Verdict(name, grant.nonce, grant.opener, grant.person, refused)
        raise GrantError("not for a lock")

    def receipt(self, verdict: Verdict, result: Result, at: float, simulated: bool) -> Note:
        """The signed answer to a verdict; `at` is unix time."""
        home = self._roster().home
        assert home is not None, "whoever sent a note is a member of the home"
        receipt = Receipt(
            home, self._identity.key, verdict.nonce, verdict.opener, verdict.person, result, max(0, int(at)), simulated
        )
        return to_note(sign_receipt(self._identity, verdict.ask, receipt))

    def _challenge(self, ask: Ask, source: bytes, now: float, unix_now: float) -> Note | Verdict:
        refused = self._forbidden(ask.opener, unix_now)
        if refused is not None:
            return Verdict(ask.ask, NO_NONCE, ask.opener, "", refused)
        nonce = self._random(NONCE_SIZE)
        self._make_room(source)
        self._issued[ask.opener, nonce] = _Issued(source, now)
        return to_note(Challenge(ask.ask, nonce, LONGEST))

    def _make_room(self, source: bytes) -> None:
        """Whoever asks too much loses his own oldest nonce first."""
        own = [key for key, issued in self._issued.items() if issued.source == source]
        if len(own) >= NONCES_OF_ONE:
            del self._issued[own[0]]
        elif len(self._issued) >= MAX_NONCES:
            self._issued.popitem(last=False)

    def _judge(self, grant: Grant, now: float, unix_now: float) -> Result | None:
        """Why not to open. Whatever the outcome, the nonce is gone."""
        issued = self._issued.pop((grant.opener, grant.nonce), None)
        if grant.home != self._roster().home:
            return Result.OTHER_HOME
        if grant.lock != self._identity.key:
            return Result.OTHER_LOCK
        if issued is None:
            return Result.USED
        if not 0.0 <= now - issued.at <= grant.within / 1000:
            return Result.EXPIRED
        return self._forbidden(grant.opener, unix_now) or self._too_often(grant.opener, now)

    def _forbidden(self, opener: bytes, unix_now: float) -> Result | None:
        roster = self._roster()
        if opener in roster.revoked:
            return Result.REVOKED
        member = roster.member(opener)
        if member is None or Permission.OPEN not in member.permissions:
            return Result.NOT_PERMITTED
        return Result.GUEST_NO_MORE if member.expired(unix_now) else None

    def _too_often(self, opener: bytes, now: float) -> Result | None:
        allowed = self._openings.allow(opener, now) and self._all.allow(now)
        return None if allowed else Result.TOO_OFTEN
