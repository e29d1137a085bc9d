"""The jitter buffer of video: packets in, frames out, each the moment that it is complete.

A frame is complete when all packets up to its marker bit are there. Nothing is held back to smooth the
arrival; time passes only where packets are missing: a short wait for those that were overtaken, which grows
while such come too late, or (where NACK is offered) the time that a retransmission takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from meshdoor.rtp.nack import NackList
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.sequence import SourceSwitch, extend

# Ours; times in seconds.
MIN_WAIT, MAX_WAIT = 0.02, 0.1
MAX_NACK_WAIT = 0.25
MAX_HELD = 1024  # packets behind a gap
MAX_JUMP = 1024  # sequence numbers; farther away is a new beginning
MAX_FRAME = 2048  # packets of one frame
MAX_READY = 64  # frames that nobody took
_BACK = 8  # packets that may have been overtaken by the first one seen


@dataclass(frozen=True, slots=True)
class Frame:
    """The packets of one RTP timestamp. `intact`: none is missing. `continuous`: nor is any between the
    frame before and this one, and that one was intact."""

    packets: tuple[RtpPacket, ...] = field(repr=False)
    intact: bool
    continuous: bool


class FrameBuffer:
    """`starts_frame` tells whether a frame begins with a payload, `starts_stream` whether a stream may; `nack`, whether
    lost packets may be asked for. Verbs: receive, next_frame, take_nacks, next_deadline, handle_timer."""

    def __init__(
        self,
        starts_frame: Callable[[bytes], bool],
        nack: bool = False,
        starts_stream: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._starts_frame = starts_frame
        self._starts_stream = starts_stream or starts_frame
        self._nacks = NackList() if nack else None
        self._round_trip = 0.0
        self._wait = MIN_WAIT
        self._source = SourceSwitch()
        self._ssrc: int | None = None
        self._next = self._highest = 0
        self._begun = False
        self._held: dict[int, tuple[RtpPacket, float]] = {}
        self._behind_gap: int | None = None
        self._given_up = range(0)
        self._assembly: list[RtpPacket] = []
        self._broken = False
        self._continuous = False
        self._ready: deque[Frame] = deque()
        self.lost = self.late = self.duplicates = 0

    def receive(self, packet: RtpPacket, now: float) -> None:
        for admitted in self._source.admit(packet):
            if admitted.ssrc != self._ssrc:
                self._restart(admitted, now)
            self._insert(admitted, now)

    def next_frame(self) -> Frame | None:
        return self._ready.popleft() if self._ready else None

    def take_nacks(self, now: float) -> tuple[int, ...]:
        """The sequence numbers to put into a NACK now."""
        return self._nacks.due(now) if self._nacks is not None else ()

    def measured(self, round_trip: float) -> None:
        """The round-trip time, as RTCP tells it: how long a retransmission is worth waiting for."""
        self._round_trip = round_trip
        if self._nacks is not None:
            self._nacks.measured(round_trip)

    def next_deadline(self) -> float | None:
        """When to call `handle_timer` and `take_nacks`."""
        gap = self._gap_deadline(self._behind_gap) if self._behind_gap is not None else None
        nack = self._nacks.next_deadline() if self._nacks is not None else None
        return min((time for time in (gap, nack) if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        while self._behind_gap is not None and now >= self._gap_deadline(self._behind_gap):
            self._give_up(self._behind_gap)

    def _restart(self, packet: RtpPacket, now: float) -> None:
        """Begins anew at this packet. If no stream begins with it, it may have overtaken the one that does, or that one
        was lost."""
        self._ssrc = packet.ssrc
        self._highest = packet.sequence_number + (1 << 16)
        back = 0 if self._starts_stream(packet.payload) else _BACK
        self._next = self._highest - back
        self._begun = False
        self._held.clear()
        self._behind_gap = None
        self._assembly.clear()
        self._broken = self._continuous = False
        if self._nacks is not None:
            self._nacks.clear()
            self._nacks.lost(range(self._next, self._highest), now)

    def _insert(self, packet: RtpPacket, now: float) -> None:
        number = extend(packet.sequence_number, self._highest)
        if not -MAX_JUMP < number - self._highest < MAX_JUMP:
            self._restart(packet, now)
            number = self._highest
        if number < self._next:
            self._came_late(number)
            return
        if number in self._held:
            self.duplicates += 1
            return
        self._note_missing(number, now)
        if not self._begun and self._starts_stream(packet.payload) and number < min(self._held, default=0):
            self._begin(number)
        self._held[number] = packet, now
        if number == self._next:
            self._advance()
        elif self._behind_gap is None or number < self._behind_gap:
            self._behind_gap = number
        if len(self._held) > MAX_HELD:
            self._give_up(min(self._held))

    def _note_missing(self, number: int, now: float) -> None:
        if self._nacks is not None:
            self._nacks.arrived(number)
            self._nacks.lost(range(self._highest + 1, number), now)
        self._highest = max(self._highest, number)

    def _begin(self, number: int) -> None:
        """Nothing is missing before this one, which others have overtaken."""
        self._next = number
        if self._nacks is not None:
            self._nacks.forget_before(number)

    def _came_late(self, number: int) -> None:
        if number in self._given_up:
            self.late += 1
            self._wait = min(MAX_WAIT, 1.5 * self._wait)
        else:
            self.duplicates += 1

    def _gap_deadline(self, end: int) -> float:
        wait = self._wait
        if self._nacks is not None:
            wait = min(MAX_NACK_WAIT, 2.5 * max(MIN_WAIT, self._round_trip) + wait)
        return self._held[end][1] + wait

    def _give_up(self, end: int) -> None:
        """Goes on behind the gap, at `end`. The frame that it lies in is broken."""
        self._given_up = range(self._next, end)
        self.lost += len(self._given_up)
        if self._nacks is not None:
            self._nacks.forget_before(end)
        after = self._held[end][0]
        if self._assembly and after.timestamp == self._assembly[0].timestamp:
            self._broken = True
        else:
            self._broken = bool(self._assembly)
            self._finish()
            self._continuous = False
        self._next = end
        self._advance()

    def _advance(self) -> None:
        while (held := self._held.pop(self._next, None)) is not None:
            self._next += 1
            self._begun = True
            self._take(held[0])
        self._behind_gap = min(self._held, default=None)

    def _take(self, packet: RtpPacket) -> None:
        if self._assembly and packet.timestamp != self._assembly[0].timestamp:
            self._finish()  # some senders set no marker
        self._assembly.append(packet)
        if packet.marker:
            self._finish()
        elif len(self._assembly) == MAX_FRAME:
            self._broken = True
            self._finish()

    def _finish(self) -> None:
        if not self._assembly:
            return
        intact = not self._broken and self._starts_frame(self._assembly[0].payload)
        room = len(self._ready) < MAX_READY
        if room:
            self._ready.append(Frame(tuple(self._assembly), intact, self._continuous))
        self._continuous = intact and room
        self._assembly.clear()
        self._broken = False
        self._wait = max(MIN_WAIT, 0.995 * self._wait)
