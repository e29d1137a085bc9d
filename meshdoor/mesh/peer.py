"""One member as this node knows it: where it was seen, how it is (sans-IO)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from meshdoor.mesh.addresses import AddressBook
from meshdoor.mesh.alarms import Whereabouts
from meshdoor.mesh.announcement import Address, Announcement
from meshdoor.mesh.dialing import Dialing
from meshdoor.mesh.frames import State as Busy
from meshdoor.trust.roster import Member


class State(StrEnum):
    """How a peer is."""

    READY = "ready"
    QUIET = "quiet"  # a phone that is not to ring now
    RINGING = "ringing"
    IN_CALL = "in_call"
    UNREACHABLE = "unreachable"


_STATES = {Busy.FREE: State.READY, Busy.RINGING: State.RINGING, Busy.IN_CALL: State.IN_CALL}


@dataclass(frozen=True, slots=True)
class Peer:
    """A member as this node sees it.

    `since` is when `state` began, None if it was never reached; `reason` why its last link ended;
    `address` the host of the link, else of its announcement; `rtt` in seconds; `announced` if mDNS shows it.
    `where` is the key of the node that a phone is attached to: phones have no links of their own. `media` says how
    that of a SIP client is encrypted, `warning` what a person should know of it.
    """

    key: bytes
    member: Member
    state: State
    since: float | None
    reason: str
    address: str | None
    rtt: float | None
    roster_in_step: bool
    version: str | None
    announced: bool
    where: bytes | None = None
    media: str | None = None
    warning: str = ""


@dataclass(slots=True)
class _Link:
    address: Address
    version: str
    rtt: float | None = None
    digest: bytes | None = None


@dataclass(slots=True)
class Known:
    """All that the table keeps of one member. UNREACHABLE ⇄ READY, RINGING, IN_CALL: up, down, measured."""

    member: Member
    dialing: Dialing
    book: AddressBook = field(default_factory=AddressBook)
    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    announcement: Announcement | None = None
    asks_since: float | None = None  # it announces that it can be paired, though it is a member
    link: _Link | None = None
    state: State = State.UNREACHABLE
    since: float | None = None
    reason: str = ""

    def up(self, address: Address, version: str, now: float) -> None:
        """A link proved the member's key."""
        self.book.proved(address, now)
        self.dialing.rest()
        self.link = _Link(address, version)
        self.reason = ""
        self.asks_since = None
        self._enter(State.READY, now)

    def down(self, reason: str, now: float) -> None:
        """The link ended."""
        self.link = None
        self.reason = reason
        self._enter(State.UNREACHABLE, now)
        self.wake(now)

    def measured(self, link: _Link, busy: Busy, now: float) -> bool:
        """The link is alive. True if that proves that two hosts announce this member."""
        self._enter(_STATES[busy], now)
        return self.whereabouts.alive(link.address.host, now)

    def saw(self, announcement: Announcement, source: str, now: float) -> bool:
        """mDNS shows the member. True if that proves that two hosts announce it."""
        self.announcement = announcement
        if self.asks_since is None or not announcement.pair:
            self.asks_since = now if announcement.pair else None
        self.book.heard(announcement.links, source, now)
        self.wake(now)
        return self.whereabouts.announced(announcement.addresses, now)

    def wake(self, now: float) -> None:
        """There is news: dial, if there is no link and somewhere to dial."""
        if self.link is None and len(self.book):
            self.dialing.wake(now)

    def peer(self, digest: bytes) -> Peer:
        """The public view; `digest` is that of our roster."""
        link, said = self.link, self.announcement
        return Peer(
            key=self.member.key,
            member=self.member,
            state=self.state,
            since=self.since,
            reason=self.reason,
            address=link.address.host if link else said.addresses[0] if said else None,
            rtt=link.rtt if link else None,
            roster_in_step=link is not None and link.digest == digest,
            version=link.version if link else None,
            announced=said is not None,
        )

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.since = now
