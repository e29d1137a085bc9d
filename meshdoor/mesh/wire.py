"""One mesh link above its TLS stream: greeting, keep-alives, and what is carried (sans-IO).

The dialer greets first; the link is up for the other side when it answers (`greet`), and for the dialer
when it hears that answer. So nothing but HELLO is ever sent on a connection that is not going to be kept.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from meshdoor.errors import LinkError, LocalProtocolError
from meshdoor.mesh.frames import (
    HEAD_SIZE,
    MAX_HEADS,
    MAX_STATEMENTS,
    FrameReader,
    Hello,
    Kind,
    Ping,
    Pong,
    State,
    frame,
    read_heads,
    read_object,
    read_statements,
    write_object,
    write_statement,
)
from meshdoor.ratelimit import RateLimit

KEEP_ALIVE = 4.0  # seconds between the dialer's PINGs, at most
SHORTEST_KEEP_ALIVE = 0.2
JITTER = 0.2  # a PING may come earlier by this share of the interval, never later
MISSED = 3  # keep-alives without a sign of life
SLUGGISH = 0.25  # a timer that is late by this share of the interval: this side, or its machine, has no time
EXCUSES = 8  # times in a row that the peer gets one more keep-alive because this side was sluggish

FRAMES_PER_SECOND, FRAMES_AT_ONCE = 500.0, 5000.0
BYTES_PER_SECOND, BYTES_AT_ONCE = 4 * 2.0**20, 32 * 2.0**20
WANTS_PER_SECOND, WANTS_AT_ONCE = 10.0, 50.0
STAMPS = 8  # PINGs whose answer still counts


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """The other side's HELLO. To the one that was dialed: answer with `greet`, or close."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Measured:
    """A keep-alive. `rtt` in seconds is None until one of the sides has measured it."""

    rtt: float | None
    digest: bytes
    state: State


@dataclass(frozen=True, slots=True)
class WantReceived:
    """The peer has these heads and asks for what it lacks."""

    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StatementsReceived:
    """Roster statements as carried: nobody has verified them yet."""

    statements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SipReceived:
    """One SIP message, not parsed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NoteReceived:
    """A note of the application."""

    note: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """The peer has been silent for `MISSED` keep-alives."""

    silent: float


Event = HelloReceived | Measured | WantReceived | StatementsReceived | SipReceived | NoteReceived | Lost


class Phase(Enum):
    """How far the greeting is."""

    SILENT = auto()  # neither has spoken
    ASKED = auto()  # the dialer has greeted
    HEARD = auto()  # the other side has heard it and may answer
    UP = auto()
    OVER = auto()


class LinkConnection:
    """The protocol of one link. Methods that send raise LocalProtocolError unless it is up."""

    def __init__(self, dialer: bool, jitter: Callable[[], float] = random.random) -> None:
        self.phase = Phase.SILENT
        self.rtt: float | None = None
        self._dialer = dialer
        self._jitter = jitter
        self._interval = KEEP_ALIVE
        self._hurried = False
        self._excuses = 0
        self._digest = b""
        self._state = State.FREE
        self._reader = FrameReader()
        self._urgent = bytearray()
        self._bulk: dict[bytes, None] = {}
        self._events: deque[Event] = deque()
        self._stamps: deque[int] = deque(maxlen=STAMPS)
        self._asked = self._heard = self._next_ping = 0.0
        self._frames = RateLimit(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self._bytes = RateLimit(BYTES_PER_SECOND, BYTES_AT_ONCE)
        self._wants = RateLimit(WANTS_PER_SECOND, WANTS_AT_ONCE)

    def greet(self, hello: Hello, now: float) -> None:
        """Say HELLO: the dialer at once, the other side as its consent to the link."""
        if self.phase is not (Phase.SILENT if self._dialer else Phase.HEARD):
            raise LocalProtocolError("not the moment to greet")
        self._digest, self._state, self._asked = hello.digest, hello.state, now
        self._queue(Kind.HELLO, bytes(hello))
        if self._dialer:
            self.phase = Phase.ASKED
        else:
            self._rise(now)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes off the TLS stream. Raises LinkError when the peer breaks a rule: cut the link."""
        if not self._bytes.allow(now, len(data)):
            raise LinkError("more bytes than a link may carry")
        self._reader.receive(data)
        while (next_frame := self._reader.next_frame()) is not None:
            if not self._frames.allow(now):
                raise LinkError("more frames than a link may carry")
            self._heard, self._excuses = max(self._heard, now), 0
            self._receive_frame(*next_frame, now)

    def next_event(self) -> Event | None:
        """The next thing that happened, or None."""
        return self._events.popleft() if self._events else None

    def data_to_send(self, bulk: bool = True) -> bytes:
        """Bytes for the TLS stream; call until it gives none.

        With `bulk` false (the stream is backed up) roster statements wait, so that a call need not.
        """
        if not self._urgent and bulk and self._bulk:
            self._queue_bulk()
        data = bytes(self._urgent)
        self._urgent.clear()
        return data

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        if self.phase is not Phase.UP:
            return None
        lost = self._heard + MISSED * self._interval
        if self._dialer:
            return min(lost, self._next_ping)
        # Who was dialed asks in a hurry only, and only when the dialer does not.
        return min(lost, max(self._next_ping, self._heard + (1 + JITTER) * self._interval)) if self._hurried else lost

    def handle_timer(self, now: float) -> None:
        """Ping, or give the peer up. Does nothing before the deadline."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if now - deadline > SLUGGISH * self._interval and self._excuses < EXCUSES:
            # It was us who slept: the peer gets one more keep-alive to show itself.
            self._excuses += 1
            self._heard = max(self._heard, now - (MISSED - 1) * self._interval)
        if now >= self._heard + MISSED * self._interval:
            self.phase = Phase.OVER
            self._events.append(Lost(now - self._heard))
        else:
            self._ping(now)

    def send_sip(self, message: bytes) -> None:
        """Send one SIP message."""
        self._send(Kind.SIP, message)

    def send_note(self, note: dict[str, Any]) -> None:
        """Send a note of the application: what JSON can carry, in 16 KiB."""
        try:
            payload = write_object(note)
        except (TypeError, ValueError, RecursionError) as error:
            raise LocalProtocolError(f"not a note: {error}") from None
        self._send(Kind.NOTE, payload)

    def want(self, heads: Iterable[bytes]) -> None:
        """Ask for the statements that a holder of `heads` lacks."""
        known = list(heads)[:MAX_HEADS]
        if any(len(head) != HEAD_SIZE for head in known):
            raise LocalProtocolError("a head of the wrong size")
        self._send(Kind.WANT, b"".join(known))

    def send_statements(self, statements: Iterable[bytes]) -> None:
        """Send statements behind everything else. What already waits is not queued twice."""
        self._must_be_up()
        wanted = dict.fromkeys(statements)
        if any(len(carried) > 0xFFFF - 2 for carried in wanted):
            raise LocalProtocolError("a statement that no frame can carry")
        self._bulk |= wanted

    def set_digest(self, digest: bytes, now: float) -> None:
        """Tell the peer of another roster at once."""
        self._report(digest, self._state, now)

    def set_state(self, state: State, now: float) -> None:
        """Tell the peer at once how busy this node is."""
        self._report(self._digest, state, now)

    def chase(self, now: float) -> None:
        """Send something small behind what was sent before. TCP knows of a lost last segment only after 200 ms or
        more, but of one that another has overtaken at once (RFC 8985 §7.2)."""
        self._must_be_up()
        self._ping(now)

    def hurry(self, interval: float | None, now: float) -> None:
        """See that there is a keep-alive every `interval` seconds, as while a call is on; None: as usual."""
        self._must_be_up()
        self._hurried = interval is not None
        self._interval = max(KEEP_ALIVE if interval is None else interval, SHORTEST_KEEP_ALIVE)
        # What was heard at the old pace says nothing at the new one.
        self._heard = now
        self._ping(now)

    def _receive_frame(self, kind: Kind, payload: bytes, now: float) -> None:
        if kind is Kind.HELLO:
            self._receive_hello(Hello.parse(payload), now)
        elif self.phase is not Phase.UP:
            raise LinkError(f"a {kind.name} before the link is up")
        else:
            RECEIVERS[kind](self, payload, now)

    def _receive_hello(self, hello: Hello, now: float) -> None:
        if self.phase is not (Phase.ASKED if self._dialer else Phase.SILENT):
            raise LinkError("a HELLO at the wrong moment")
        if self._dialer:
            self.rtt = now - self._asked
            self._rise(now)
        else:
            self.phase = Phase.HEARD
        self._events.append(HelloReceived(hello))

    def _receive_ping(self, payload: bytes, now: float) -> None:
        ping = Ping.parse(payload)
        if ping.rtt is not None:
            self.rtt = ping.rtt
        self._queue(Kind.PONG, bytes(Pong(ping.stamp, self._digest, self._state)))
        self._events.append(Measured(self.rtt, ping.digest, ping.state))

    def _receive_pong(self, payload: bytes, now: float) -> None:
        pong = Pong.parse(payload)
        if pong.stamp in self._stamps:
            self.rtt = max(0.0, now - pong.stamp / 1e6)
            self._stamps.remove(pong.stamp)
        self._events.append(Measured(self.rtt, pong.digest, pong.state))

    def _receive_want(self, payload: bytes, now: float) -> None:
        heads = read_heads(payload)
        # One that is ignored is asked again: the next keep-alive still shows another digest.
        if self._wants.allow(now):
            self._events.append(WantReceived(heads))

    def _receive_statements(self, payload: bytes, now: float) -> None:
        self._events.append(StatementsReceived(read_statements(payload)))

    def _receive_sip(self, payload: bytes, now: float) -> None:
        self._events.append(SipReceived(payload))

    def _receive_note(self, payload: bytes, now: float) -> None:
        self._events.append(NoteReceived(read_object(payload)))

    def _rise(self, now: float) -> None:
        self.phase = Phase.UP
        self._heard = now
        if self._dialer:
            self._ping(now)

    def _report(self, digest: bytes, state: State, now: float) -> None:
        changed = (digest, state) != (self._digest, self._state)
        self._digest, self._state = digest, state
        if changed and self.phase is Phase.UP:
            self._ping(now)

    def _ping(self, now: float) -> None:
        stamp = int(now * 1e6)
        self._stamps.append(stamp)
        self._queue(Kind.PING, bytes(Ping(stamp, self._digest, self._state, self.rtt)))
        self._next_ping = now + self._interval * (1 - JITTER * self._jitter())

    def _send(self, kind: Kind, payload: bytes) -> None:
        self._must_be_up()
        try:
            self._queue(kind, payload)
        except LinkError as error:
            raise LocalProtocolError(str(error)) from None

    def _must_be_up(self) -> None:
        if self.phase is not Phase.UP:
            raise LocalProtocolError("the link is not up")

    def _queue(self, kind: Kind, payload: bytes) -> None:
        self._urgent += frame(kind, payload)

    def _queue_bulk(self) -> None:
        """One STATEMENTS frame of the statements that wait."""
        entries: list[bytes] = []
        size = 0
        while self._bulk:
            carried = next(iter(self._bulk))
            size += len(carried) + 2
            if size > MAX_STATEMENTS:
                break
            del self._bulk[carried]
            entries.append(write_statement(carried))
        self._queue(Kind.STATEMENTS, b"".join(entries))


RECEIVERS: dict[Kind, Callable[[LinkConnection, bytes, float], None]] = {
    Kind.PING: LinkConnection._receive_ping,
    Kind.PONG: LinkConnection._receive_pong,
    Kind.WANT: LinkConnection._receive_want,
    Kind.STATEMENTS: LinkConnection._receive_statements,
    Kind.SIP: LinkConnection._receive_sip,
    Kind.NOTE: LinkConnection._receive_note,
}
