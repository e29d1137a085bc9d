"""One peer's end of an outlet: its key, its numbering, its queue, its losses.

A sink never waits. What its socket does not take stands in a bounded queue; when that is full, the sink drops it and
everything else up to the next key frame. Packets are numbered and encrypted only when they leave, so what was dropped
leaves no gap: the receiver does not ask for it, and the rollover counter of SRTP stays right however long it lasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import randbits

from meshdoor.media.datagrams import Outgoing
from meshdoor.ratelimit import RateLimit
from meshdoor.rtp.group import Group
from meshdoor.rtp.packet import HEADER, HEADER_LENGTH
from meshdoor.rtp.session import RtcpSession
from meshdoor.rtp.srtp import Protector

MAX_QUEUED = 256 * 1024  # bytes; a second of pictures. Later than that, a key frame is better. Ours
RESEND_RATE, RESEND_BURST = 500, 250  # packets (a second); ours


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """The packets of one picture or one piece of sound, made once for all sinks.
    `captured` is the monotonic time that its RTP timestamp stands for."""

    groups: tuple[Group, ...]
    key: bool
    timestamp: int
    captured: float
    packets: int
    octets: int
    _typed: dict[int, tuple[Group, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, groups: list[Group], key: bool, timestamp: int, captured: float) -> Unit:
        packets = sum(len(group.payloads) for group in groups)
        octets = sum(map(_size, groups))
        return cls(tuple(groups), key, timestamp, captured, packets, octets)

    def typed(self, payload_type: int) -> tuple[Group, ...]:
        """The groups under the payload type that a peer gave to the format; made once for all who share it."""
        groups = self._typed.get(payload_type)
        if groups is None:
            first = self.groups[0].headers[0][1] & 0x7F
            groups = self.groups
            if payload_type != first:
                groups = tuple(group.with_payload_type(payload_type) for group in groups)
            self._typed[payload_type] = groups
        return groups


@dataclass(slots=True)
class SinkCounters:
    packets_sent: int = 0
    octets_sent: int = 0
    packets_dropped: int = 0
    packets_resent: int = 0
    send_errors: int = 0
    overflows: int = 0
    level: int = 0  # how much smaller than the house's picture it is (`adapting`)


@dataclass(frozen=True, slots=True)
class SinkOwner:
    """What a sink tells: its first packet left; its socket is full (call `flush` when it is free again, until that
    is True); it can go on, but only with a key frame."""

    first_sent: Callable[[], None]
    blocked: Callable[[], None]
    want_key_frame: Callable[[], None]


class Sink:
    """Sends units to one peer under one key."""

    def __init__(
        self,
        outgoing: Outgoing,
        protector: Protector,
        payload_type: int,
        session: RtcpSession,
        owner: SinkOwner,
        first_number: int | None = None,
    ) -> None:
        """`first_number` goes on where another sink under the same key stopped."""
        self.open = True
        self.fresh = True
        self.counters = SinkCounters()
        self.payload_type = payload_type
        self._outgoing = outgoing
        self._protector = protector
        self._session = session
        self._owner = owner
        self._queue: deque[Group] = deque()
        self._queued = 0
        self._pending: tuple[bytes, int] | None = None  # encrypted, and refused by the socket
        self._waiting = True  # for a key frame
        self._latest = float("-inf")  # when the last unit was captured
        self._after = float("-inf")  # when what an outlet begins with must not have been captured yet
        self._first_number = first_number
        self._expected: int | None = None  # the next number of the outlet
        self._offset = 0  # what our numbers are ahead of those of the outlet
        self._run = 0  # packets since the offset changed: only these can be sent again
        self._resends = RateLimit(RESEND_RATE, RESEND_BURST)

    @property
    def next_number(self) -> int | None:
        """The sequence number of the next packet; None before the first one."""
        return self._first_number if self._expected is None else (self._expected + self._offset) & 0xFFFF

    def push(self, unit: Unit) -> None:
        """Sends, queues or drops the unit."""
        if not self.open:
            return
        if self._queued + unit.octets > MAX_QUEUED:
            self.counters.overflows += 1
            self._overflow()
        if self._waiting and (self._pending or not unit.key or unit.captured <= self._after):
            self.counters.packets_dropped += unit.packets
            if not self._pending:
                self._owner.want_key_frame()
            return
        self._waiting = False
        self._latest = unit.captured
        for group in unit.typed(self.payload_type):
            if self._pending:
                self._queue.append(group)
                self._queued += _size(group)
            else:
                self._transmit(group)
        self._session.sent(unit.packets, unit.octets, unit.timestamp, unit.captured)

    def insert(self, payload: bytes, payload_type: int, timestamp: int, marker: bool) -> None:
        """Sends a packet of this sink's own between the units, as telephone-events are (RFC 4733 §2.5.1)."""
        if not self.open or self._pending:
            return
        number = self.next_number
        if number is None:
            number = self._first_number = randbits(15)
        header = HEADER.pack(0x80, marker << 7 | payload_type, number, timestamp & 0xFFFFFFFF, self._session.ssrc)
        self._encrypt_and_send(Group(self._session.ssrc, number, (header,), (payload,)))
        if self._expected is None:
            self._first_number = (number + 1) & 0xFFFF
        else:
            self._offset = (self._offset + 1) & 0xFFFF
        self._run = 0

    def resend(self, numbers: tuple[int, ...], find: Callable[[int], tuple[bytes, bytes] | None], now: float) -> None:
        """Sends packets again that the peer misses. `find` gives header and payload by the number of the outlet. The
        same packet under the same number is the same ciphertext, so this takes nothing from the key."""
        if self._expected is None or self._pending:
            return
        for number in numbers:
            age = (self._expected + self._offset - number) & 0xFFFF
            if not 0 < age <= self._run or not self._resends.allow(now):
                continue
            found = find((number - self._offset) & 0xFFFF)
            if found is not None:
                self._resend(found, number)

    def changes_outlet(self) -> None:
        """It goes on at another outlet: with a key frame, and the numbers that follow. What it has sent from the one
        before can be sent again no more: under its numbers there is something else now. Nor does it begin with what it
        has sent already, which another encoder may be late with: two pictures would have one RTP timestamp."""
        self._overflow()
        self._after = self._latest
        self._first_number, self._expected, self._run = self.next_number, None, 0

    def gate(self, open_: bool) -> None:
        if open_ != self.open:
            self.open = open_
            self._waiting = True

    def flush(self) -> bool:
        """Sends what is queued; True when nothing is left."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._send_or_keep(*pending)
        while self._queue and not self._pending:
            group = self._queue.popleft()
            self._queued -= _size(group)
            self._transmit(group)
        if self._waiting and not self._pending:
            self._owner.want_key_frame()
        return not self._pending

    def _numbered(self, group: Group) -> Group:
        number = group.sequence_number
        if number != self._expected:
            # Who comes late begins in the lower half of the numbers (RFC 3711 §3.3.1).
            ours = number & 0x7FFF if self.next_number is None else self.next_number
            self._offset = (ours - number) & 0xFFFF
            self._run = 0
        self._expected = (number + len(group.headers)) & 0xFFFF
        self._run = min(self._run + len(group.headers), 0x7FFF)
        return group if not self._offset else group.renumbered(number + self._offset & 0xFFFF)

    def _transmit(self, group: Group) -> None:
        self._encrypt_and_send(self._numbered(group))

    def _encrypt_and_send(self, group: Group) -> None:
        data = self._protector.protect_group(group)
        self.counters.packets_sent += len(group.payloads)
        self.counters.octets_sent += len(data) - len(group.payloads) * (HEADER_LENGTH + self._protector.tag_length)
        self._send_or_keep(data, group.packet_size + self._protector.tag_length)

    def _send_or_keep(self, data: bytes | memoryview, size: int) -> None:
        sent = self._send(data, size)
        if sent < len(data):
            self._pending = bytes(data[sent:]), size
            self._owner.blocked()

    def _send(self, data: bytes | memoryview, size: int) -> int:
        """Bytes that are dealt with: also what cannot be sent at all, such as to a network that has gone."""
        try:
            sent = self._outgoing.send(data, size)
        except OSError:
            self.counters.send_errors += 1
            return len(data)
        if sent and self.fresh:
            self.fresh = False
            self._owner.first_sent()
        return sent

    def _overflow(self) -> None:
        self.counters.packets_dropped += sum(len(group.payloads) for group in self._queue)
        self._queue.clear()
        self._queued, self._waiting = 0, True

    def _resend(self, found: tuple[bytes, bytes], number: int) -> None:
        header, payload = found
        kind = header[1] & 0x80 | self.payload_type
        head = header[:1] + bytes((kind,)) + number.to_bytes(2, "big") + header[4:]
        packet = self._protector.protect(head + payload)
        if self._send(packet, HEADER_LENGTH + len(payload) + self._protector.tag_length):
            self.counters.packets_resent += 1


def _size(group: Group) -> int:
    return sum(map(len, group.payloads))
