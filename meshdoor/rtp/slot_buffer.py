"""The jitter buffer of audio: packets in, and at each pull the next piece of sound, or what to put there.

The delay is as small as the measured jitter allows. It grows when the buffer runs dry (the gap is concealed,
nothing is skipped) and shrinks by one packet a second while more is held than needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from meshdoor.errors import RtpError
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.sequence import SourceSwitch, extend

# Ours; times in seconds.
MIN_DELAY, MAX_DELAY = 0.03, 0.2
MAX_CONCEALED = 5  # slots in a row; then silence until packets come again
SHRINK_AFTER = 50  # pulls with too much in store
MAX_HELD = 64  # packets
MAX_JUMP = 5.0  # of timestamps; farther away is a new beginning
MAX_GAP = 1.0  # of timestamps between packets; more is not filled


class Sound(Enum):
    """What a slot holds."""

    PACKET = auto()  # decode the payload
    LOST = auto()  # conceal; the payload, if any, is the next packet's, for its forward error correction
    SILENCE = auto()  # nothing was sent, or nothing has come yet


@dataclass(frozen=True, slots=True)
class Slot:
    """One piece of sound; `duration` in timestamp units."""

    sound: Sound
    duration: int
    payload: bytes = field(default=b"", repr=False)


class SlotBuffer:
    """`duration_of` tells the timestamp units in a payload (it may raise RtpError); `slot` is what to fill
    where no packet tells, in timestamp units."""

    def __init__(self, clock_rate: int, slot: int, duration_of: Callable[[bytes], int]) -> None:
        self._rate = clock_rate
        self._slot = slot
        self._duration_of = duration_of
        self._source = SourceSwitch()
        self._ssrc: int | None = None
        self._held: dict[int, tuple[RtpPacket, int]] = {}
        self._newest = self._end = 0
        self._position = 0  # timestamp of the next slot
        self._playing = False
        self._first_arrival = 0.0
        self._last_sequence: int | None = None
        self._transit: float | None = None
        self._jitter = 0.0
        self._concealed = 0
        self._least = 0
        self._pulls = 0
        self.lost = self.late = self.duplicates = self.skipped = 0

    @property
    def delay(self) -> float:
        """The sound (s) that the buffer tries to hold."""
        return min(MAX_DELAY, max(MIN_DELAY, (self._slot + 2.5 * self._jitter) / self._rate))

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Raises RtpError for a payload whose duration cannot be told."""
        for admitted in self._source.admit(packet):
            if admitted.ssrc != self._ssrc:
                self._restart(admitted)
            self._insert(admitted, now)

    def pull(self, now: float) -> Slot:
        """The next slot; call it when the sound of the last one has nearly been played."""
        if not self._playing:
            if not self._is_primed(now):
                return Slot(Sound.SILENCE, self._slot)
            self._begin()
        self._shrink()
        if self._position in self._held:
            return self._play(self._position)
        return self._bridge(min(self._held)) if self._held else self._run_dry()

    def _restart(self, packet: RtpPacket) -> None:
        self._ssrc = packet.ssrc
        self._held.clear()
        self._newest = self._end = packet.timestamp + (1 << 32)
        self._position = 0
        self._playing = False
        self._last_sequence = self._transit = None

    def _insert(self, packet: RtpPacket, now: float) -> None:
        duration = self._duration_of(packet.payload)
        if duration <= 0:
            raise RtpError("an audio packet without sound")
        timestamp = extend(packet.timestamp, self._newest, 32)
        if abs(timestamp - self._newest) > MAX_JUMP * self._rate:
            self._restart(packet)
            timestamp = self._newest
        self._measure(timestamp, now)
        if timestamp < self._position:
            self.late += 1
            return
        if timestamp in self._held:
            self.duplicates += 1
            return
        if not self._held:
            self._first_arrival = now
        self._held[timestamp] = packet, duration
        self._newest = max(self._newest, timestamp)
        self._end = max(self._end, timestamp + duration)
        if len(self._held) > MAX_HELD:
            self._skip(min(self._held))

    def _measure(self, timestamp: int, now: float) -> None:
        """Interarrival jitter, RFC 3550 §6.4.1; a stall counts no more than the longest delay."""
        transit = now * self._rate - timestamp
        if self._transit is not None:
            difference = min(abs(transit - self._transit), MAX_DELAY * self._rate)
            self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def _is_primed(self, now: float) -> bool:
        if not self._held:
            return False
        enough = self._end - min(self._held) >= self.delay * self._rate
        return enough or now - self._first_arrival >= self.delay

    def _begin(self) -> None:
        self._playing = True
        self._position = min(self._held)
        self._concealed = self._pulls = 0

    def _play(self, timestamp: int) -> Slot:
        packet, duration = self._held.pop(timestamp)
        self._position = timestamp + duration
        self._last_sequence = packet.sequence_number
        self._concealed = 0
        return Slot(Sound.PACKET, duration, packet.payload)

    def _bridge(self, following: int) -> Slot:
        """No packet here, but a later one is held: lost, or nothing was sent (DTX)."""
        gap = following - self._position
        packet = self._held[following][0]
        if gap > MAX_GAP * self._rate:
            return self._play(following)
        duration = min(gap, self._slot)
        self._position += duration
        if self._last_sequence is not None and packet.sequence_number == (self._last_sequence + 1) & 0xFFFF:
            return Slot(Sound.SILENCE, duration)
        self.lost += 1
        return Slot(Sound.LOST, duration, packet.payload if duration == gap else b"")

    def _run_dry(self) -> Slot:
        """Nothing is held. The position stays, so that what comes next is played and not dropped."""
        self._concealed += 1
        if self._concealed > MAX_CONCEALED:
            self._playing = False
            return Slot(Sound.SILENCE, self._slot)
        return Slot(Sound.LOST, self._slot)

    def _shrink(self) -> None:
        """Leaves out a packet when for SHRINK_AFTER pulls more was held than the delay and that packet."""
        store = self._end - self._position
        self._least = store if not self._pulls else min(self._least, store)
        self._pulls += 1
        if self._pulls >= SHRINK_AFTER:
            if self._least > self.delay * self._rate + 2 * self._slot and self._position in self._held:
                self._skip(self._position)
            self._pulls = 0

    def _skip(self, timestamp: int) -> None:
        packet, duration = self._held.pop(timestamp)
        self._last_sequence = packet.sequence_number
        self.skipped += 1
        self._position = timestamp + duration
