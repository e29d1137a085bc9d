"""The invitations that a node gave out: which are good, and for whom (wire form in `meshdoor.trust.invitation`)."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import Refused
from meshdoor.ratelimit import KeyedRateLimit
from meshdoor.trust.invitation import TOKEN_SIZE, Invitation, Refusal, Request, refused, request_proof
from meshdoor.trust.permissions import Permission

LIFETIME: Final = 600.0  # seconds
REMEMBERED: Final = 3600.0  # seconds after its end for which an invitation is still called late
MAX_OPEN: Final = 16
MAX_KEPT: Final = 64  # open, used and void
MAX_LATE: Final = 256
GUESSES: Final = 5
ASKS_OF_ONE: Final = (0.2, 10.0)  # a second and at once, of one address


@dataclass(slots=True)
class _Entry:
    invitation: Invitation
    deadline: float
    wrong: int = 0
    key: bytes | None = None  # whose it is, once it is used


class Invitations:
    """The invitations of one node, bounded, and forgotten with the process."""

    def __init__(self, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random = random
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()  # by id
        self._late: OrderedDict[bytes, float] = OrderedDict()  # until when each is remembered
        self._asks = KeyedRateLimit(*ASKS_OF_ONE)

    def invite(
        self, name: str, permissions: frozenset[Permission], until: int | None, now: float, unix_now: float
    ) -> Invitation:
        """A new invitation. Raises Refused when too many wait."""
        if len(self.waiting(now)) >= MAX_OPEN or len(self._entries) >= MAX_KEPT:
            raise Refused("too many invitations wait for a phone", "wait until one is used or over, within ten minutes")
        made = Invitation(self._random(TOKEN_SIZE), name, permissions, until, int(unix_now + LIFETIME))
        self._entries[made.id] = _Entry(made, now + LIFETIME)
        return made

    def withdraw(self, invitation: Invitation, now: float) -> None:
        """It is good no more, unless a phone has used it."""
        entry = self._entries.get(invitation.id)
        if entry is not None and entry.key is None:
            entry.deadline = now

    def waiting(self, now: float) -> tuple[Invitation, ...]:
        """Those that a phone may still use."""
        self._tidy(now)
        return tuple(entry.invitation for entry in self._entries.values() if _open(entry))

    def check(self, request: Request, fingerprint: bytes, address: str, now: float) -> Invitation:
        """The invitation that a phone at `address` has proved to hold, and may `use`. Raises InvitationError."""
        self._tidy(now)
        if not self._asks.allow(address, now):
            raise refused(Refusal.CLOSED)
        entry = self._entries.get(request.invitation)
        if entry is None:
            raise refused(Refusal.LATE if request.invitation in self._late else Refusal.UNKNOWN)
        if entry.wrong >= GUESSES:
            raise refused(Refusal.WRONG)
        proof = request_proof(entry.invitation.token, request.key, fingerprint)
        if not hmac.compare_digest(proof, request.proof):
            # Its id is a hash of the token: who names it has read the code, and only the fingerprint can be another.
            entry.wrong += 1
            raise refused(Refusal.FINGERPRINT)
        if entry.key not in (None, request.key):
            raise refused(Refusal.USED)
        return entry.invitation

    def use(self, invitation: Invitation, key: bytes) -> None:
        """`key` was let in with it, at once after `check`."""
        self._entries[invitation.id].key = key

    def next_deadline(self) -> float | None:
        """When the next one is over."""
        return min((entry.deadline for entry in self._entries.values()), default=None)

    def _tidy(self, now: float) -> None:
        for name in [name for name, entry in self._entries.items() if now >= entry.deadline]:
            self._late[name] = self._entries.pop(name).deadline + REMEMBERED
        for name in [name for name, end in self._late.items() if now >= end]:
            del self._late[name]
        while len(self._late) > MAX_LATE:
            self._late.popitem(last=False)


def _open(entry: _Entry) -> bool:
    return entry.key is None and entry.wrong < GUESSES
