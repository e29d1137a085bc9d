"""The links of a node: at most one to each member, pinned both ways."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from meshdoor.errors import LinkError
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.connection import Link
from meshdoor.mesh.frames import DIGEST_SIZE, Hello, State
from meshdoor.mesh.pins import Pinned, Pins, SecureStream
from meshdoor.mesh.presence import Presence
from meshdoor.mesh.reaching import connect, race
from meshdoor.mesh.reception import Reception
from meshdoor.mesh.settling import Verdict, settle
from meshdoor.mesh.wire import (
    JITTER,
    KEEP_ALIVE,
    Event,
    LinkConnection,
    Measured,
    NoteReceived,
    SipReceived,
    StatementsReceived,
    WantReceived,
)
from meshdoor.ratelimit import LogLimiter
from meshdoor.trust.identity import Identity
from meshdoor.version import __version__

DIAL_DEADLINE = 8.0  # seconds for all addresses of a member
MAX_ADDRESSES = 8
CHASERS = (0.008, 0.025, 0.06)
GRID = KEEP_ALIVE * JITTER / 2  # seconds


class LinkEvents(Protocol):
    """What the links of a node tell it. None of these may block; each may call the links."""

    def link_up(self, key: bytes, address: Address) -> None:
        """There is a link with this member; `address` is where it accepts links."""

    def link_down(self, key: bytes, reason: str) -> None:
        """There is none any more."""

    def measured(self, key: bytes, rtt: float | None, digest: bytes, version: str, state: State) -> None:
        """On each keep-alive, and when the link comes up: `rtt` in seconds, the roster and state of the peer."""

    def want(self, key: bytes, heads: Sequence[bytes]) -> None:
        """It has these heads and asks for the statements it lacks."""

    def statements(self, key: bytes, statements: Sequence[bytes]) -> None:
        """It sent statements, as carried and not verified."""

    def sip(self, key: bytes, message: bytes) -> None:
        """It sent a SIP message."""

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        """It sent a note of the application."""

    def pairing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
        """Somebody who speaks no TLS knocks; he is cut off after 30 s."""

    def refused(self, address: Address, why: str) -> None:
        """A connection was refused. Said at a bounded rate; `why` then counts those it was not said of."""


class Home(Protocol):
    """What links need of a roster."""

    @property
    def members(self) -> Mapping[bytes, Pinned]:
        """By key."""

    @property
    def digest(self) -> bytes:
        """Of the statements that it was made from, 16 bytes."""


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """A link that is up. `since` is of the event loop's clock."""

    key: bytes
    address: Address
    dialed: bool
    since: float
    rtt: float | None
    version: str


class Links:
    """An async context manager: while it is open, it accepts on `sockets` and keeps the links that come about."""

    def __init__(
        self, identity: Identity, events: LinkEvents, sockets: Sequence[socket.socket] = ()
    ) -> None:
        self._events = events
        self._sockets = sockets
        self._pins = Pins(identity)
        self._digest = bytes(DIGEST_SIZE)
        self._state = State.FREE
        self._epoch = secrets.token_bytes(8)
        self._phase = GRID * secrets.randbelow(1000) / 1000
        self._serials = itertools.count(1)
        self._up: dict[bytes, Link] = {}
        self._asking: dict[bytes, Link] = {}
        self._waiting: dict[bytes, Link] = {}
        self._dials: dict[bytes, asyncio.Future[None]] = {}
        self._open: dict[Link, Callable[[], None]] = {}
        self._hurried: set[bytes] = set()
        self._log = LogLimiter()
        self._present = Presence()
        self._reception = Reception(self._present, self._receive, events.pairing, self.refused)
        self._closing = False

    async def __aenter__(self) -> Links:
        self._reception.open(self._sockets)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """Where links are accepted; 0 without a socket."""
        return self._reception.port

    def links(self) -> tuple[LinkInfo, ...]:
        """The links that are up."""
        return tuple(
            LinkInfo(key, link.address, link.dialed, link.since, link.connection.rtt, _version(link))
            for key, link in self._up.items()
        )

    def roster_changed(self, roster: Home) -> None:
        """Pin exactly the members of this roster: cut who is not one, tell the others of the digest."""
        self._pins.pin(roster.members)
        self._digest = roster.digest
        for link in [link for link in self._open if not link.is_pinned]:
            link.abort("no longer a member")
        self._refresh_all()

    def set_state(self, state: State) -> None:
        """Tell all peers at once how busy this node is."""
        self._state = state
        self._refresh_all()

    async def dial(self, key: bytes, addresses: Iterable[Address]) -> bool:
        """Try to bring up a link at one of the addresses; whether there is one with this member in the end.

        While another dial of the same member runs, this says at once how things are.
        """
        if self._closing or key in self._up or key in self._dials:
            return key in self._up
        self._present.enter(key)
        goal = self._dials[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(DIAL_DEADLINE):
                chosen = itertools.islice(addresses, MAX_ADDRESSES)
                await race([partial(self._attempt, key, address) for address in chosen], goal)
        except TimeoutError:
            pass
        finally:
            del self._dials[key]
            self._present.leave(key)
        return key in self._up

    def send_sip(self, key: bytes, message: bytes) -> bool:
        """Send a SIP message; False when there is no link."""
        sent = self._with(key, lambda connection: connection.send_sip(message))
        if sent and key in self._hurried:
            loop = asyncio.get_running_loop()
            for delay in CHASERS:
                loop.call_later(delay, self._chase, key)
        return sent

    def send_note(self, key: bytes, note: dict[str, Any]) -> bool:
        """Send a note; False when there is no link."""
        return self._with(key, lambda connection: connection.send_note(note))

    def want(self, key: bytes, heads: Iterable[bytes]) -> bool:
        """Ask for the statements that a holder of `heads` lacks; False when there is no link."""
        return self._with(key, lambda connection: connection.want(heads))

    def send_statements(self, key: bytes, statements: Iterable[bytes]) -> bool:
        """Send roster statements behind everything else; False when there is no link."""
        return self._with(key, lambda connection: connection.send_statements(statements))

    def hurry(self, key: bytes, interval: float | None) -> bool:
        """Notice a loss sooner, as during a call; None: as usual. False when there is no link."""
        now = asyncio.get_running_loop().time()
        (self._hurried.discard if interval is None else self._hurried.add)(key)
        return self._with(key, lambda connection: connection.hurry(interval, now))

    def cut(self, key: bytes, reason: str) -> None:
        """End the link with this member at once."""
        if (link := self._up.get(key)) is not None:
            link.abort(reason)

    async def aclose(self) -> None:
        """End all links in order, and leave nothing behind."""
        self._closing = True
        self._reception.close()
        for goal in self._dials.values():
            _reach(goal)
        for link in list(self._open):
            link.close("this node stops")
        # This takes a few turns of the loop: what a socket does not take at once was dropped.
        await self._present.emptied()

    def jitter(self) -> float:
        """The keep-alives of all links fall on a grid of this node's own, so it wakes for several at once.

        Not for all at once: each would wait for the others, and that would be measured as its round trip.
        """
        early = (asyncio.get_running_loop().time() + KEEP_ALIVE + self._phase) % GRID
        return (early + GRID * secrets.randbelow(2)) / (2 * GRID)

    def proven(self, link: Link) -> None:
        if link.key in self._up or link.key in self._asking:
            link.abort("there is a link already")
            return
        self._asking[link.key] = link
        link.greet(self._hello())

    def heard(self, link: Link, hello: Hello) -> None:
        current = self._up.get(link.key)
        said = current.hello if current is not None else None
        match settle(self._pins.key, link.key, hello, said, link.key in self._asking):
            case Verdict.TAKE:
                self._take(link)
            case Verdict.WAIT:
                _abort(self._waiting.pop(link.key, None))
                self._waiting[link.key] = link
            case Verdict.DROP:
                link.abort("there is a link already")

    def up(self, link: Link) -> None:
        key = link.key
        self._asking.pop(key, None)
        _abort(self._waiting.pop(key, None))
        self._up[key] = link
        self._open[link]()
        self._refresh(link, asyncio.get_running_loop().time())
        if key in self._dials:
            _reach(self._dials[key])
        self._events.link_up(key, link.address)
        if link.is_up and link.hello is not None:
            self._measured(link, link.hello.digest, link.hello.state)

    def happened(self, link: Link, event: Event) -> None:
        match event:
            case Measured(_, digest, state):
                self._measured(link, digest, state)
            case WantReceived(heads):
                self._events.want(link.key, heads)
            case StatementsReceived(statements):
                self._events.statements(link.key, statements)
            case SipReceived(message):
                self._events.sip(link.key, message)
            case NoteReceived(note):
                self._events.note(link.key, note)

    def refused(self, address: Address, why: str) -> None:
        suppressed = self._log.admit((address.host, why), asyncio.get_running_loop().time())
        if suppressed is not None:
            self._events.refused(address, f"{why} (and {suppressed} more)" if suppressed else why)

    def gone(self, link: Link, reason: str) -> None:
        self._open[link]()
        key = link.key
        if self._waiting.get(key) is link:
            del self._waiting[key]
        if self._asking.get(key) is link:
            del self._asking[key]
            self._fall_back(key)
        if self._up.get(key) is link:
            del self._up[key]
            self._events.link_down(key, reason)

    def closed(self, link: Link) -> None:
        del self._open[link]
        self._present.leave(link)

    def _chase(self, key: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._with(key, lambda connection: connection.chase(now))

    def _take(self, link: Link) -> None:
        """This is the link now."""
        _abort(self._asking.pop(link.key, None))
        _abort(self._up.get(link.key), "replaced by a newer connection")
        link.greet(self._hello())

    def _fall_back(self, key: bytes) -> None:
        """The connection that we dialed came to nothing: the peer's own, which waited, is good enough."""
        if (waiting := self._waiting.pop(key, None)) is not None:
            self._take(waiting)

    def _receive(self, address: Address, leave: Callable[[], None]) -> Link | None:
        """A TLS connection to us."""
        try:
            return self._opened(Link(self, self._pins, self._pins.server(), address), leave)
        except LinkError:
            return None

    async def _attempt(self, key: bytes, address: Address) -> None:
        """Try one address, until it is a link or certainly none."""
        link: Link | None = None
        try:
            made = partial(self._make, self._pins.client(), address, key)
            link = await connect(address, made)
            await link.settled
        except (OSError, LinkError):
            return
        finally:
            if link is not None and not link.is_up:
                link.abort("given up")

    def _make(self, stream: SecureStream, address: Address, key: bytes) -> Link:
        return self._opened(Link(self, self._pins, stream, address, key), _nothing)

    def _opened(self, link: Link, leave: Callable[[], None]) -> Link:
        self._open[link] = leave
        self._present.enter(link)
        return link

    def _hello(self) -> Hello:
        return Hello(__version__, self._digest, self._state, self.port, self._epoch, next(self._serials))

    def _measured(self, link: Link, digest: bytes, state: State) -> None:
        self._events.measured(link.key, link.connection.rtt, digest, _version(link), state)

    def _refresh_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for link in list(self._up.values()):
            self._refresh(link, now)
            link.flush()

    def _refresh(self, link: Link, now: float) -> None:
        """What has changed since the link was greeted, or last told."""
        link.connection.set_digest(self._digest, now)
        link.connection.set_state(self._state, now)

    def _with(self, key: bytes, act: Callable[[LinkConnection], None]) -> bool:
        link = self._up.get(key)
        if link is None or not link.is_up:
            return False
        act(link.connection)
        link.flush()
        return link.is_up


def _version(link: Link) -> str:
    return "" if link.hello is None else link.hello.version


def _abort(link: Link | None, reason: str = "there is a link already") -> None:
    if link is not None:
        link.abort(reason)


def _reach(goal: asyncio.Future[None]) -> None:
    if not goal.done():
        goal.set_result(None)


def _nothing() -> None:
    """What a connection that we dialed has to give back."""
