"""Sound of one peer: from RTP packets to pieces for the playout, and the digits among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from meshdoor.errors import EngineError, RtpError
from meshdoor.media.audio_decoder import AudioDecoder, decoder
from meshdoor.media.plans import StreamPlan
from meshdoor.media.playout import Stage
from meshdoor.media.reports import DtmfReceived, Event, FirstSound
from meshdoor.media.sound import PIECE, RATE
from meshdoor.rtp.dtmf import DtmfReceiver
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.slot_buffer import Slot, SlotBuffer, Sound

FIRST_DYNAMIC = 96  # payload types, RFC 3551 §6
MAX_SLOTS = 32  # of one piece: Opus has packets of 2.5 ms; ours


class AudioReceiver:
    """See `channel.Receiver`; a `playout.Voice` while its gate is open. What comes while it is shut, digits too, is
    dropped unheard."""

    pictures_shown = pictures_lost = 0

    def __init__(self, leg: str, plan: StreamPlan, playout: Stage, emit: Callable[[Event], None]) -> None:
        """Raises EngineError for a codec that is not known."""
        self.undecodable = 0
        self._leg = leg
        self._plan = plan
        self._playout = playout
        self._emit = emit
        self._decoder = decoder(plan.codec)
        self._buffer = self._new_buffer(self._decoder)
        self._digits, self._digit_types = DtmfReceiver(), plan.digits
        self._sound = b""
        self._open = self._heard = False

    @property
    def buffer(self) -> SlotBuffer:
        return self._buffer

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Raises RtpError for a payload that makes no sense."""
        if not self._open:
            return
        if packet.payload_type in self._digit_types:
            digit = self._digits.receive(packet)
            if digit is not None:
                self._emit(DtmfReceived(self._leg, digit))
        elif carries(self._plan, packet):
            self._buffer.receive(packet, now)

    def gate(self, open_: bool) -> None:
        if open_ == self._open:
            return
        self._open = open_
        if open_:
            self._decoder = decoder(self._plan.codec)
            self._buffer, self._sound = self._new_buffer(self._decoder), b""
            self._playout.add(self)
        else:
            self._playout.remove(self)

    def measured(self, round_trip: float) -> None:
        """Sound is too short-lived to ask for it again."""

    def snapshot(self, path: Path) -> None:
        raise EngineError("sound has no picture")

    def close(self) -> None:
        self.gate(False)

    def pull(self, now: float) -> bytes | None:
        sound = self._sound
        for _ in range(MAX_SLOTS):
            if len(sound) >= PIECE:
                break
            sound += self._render(self._buffer.pull(now), now)
        sound = sound.ljust(PIECE, b"\0")
        self._sound = sound[PIECE:]
        return sound[:PIECE] if self._heard else None

    def _render(self, slot: Slot, now: float) -> bytes:
        try:
            if slot.sound is Sound.PACKET:
                return self._decode(slot, now)
            if slot.sound is Sound.LOST:
                return self._decoder.conceal(slot.duration, slot.payload)
        except RtpError:
            self.undecodable += 1
        return bytes(2 * (slot.duration * RATE // self._decoder.clock_rate))

    def _decode(self, slot: Slot, now: float) -> bytes:
        samples = self._decoder.decode(slot.payload)
        if not self._heard:
            self._heard = True
            self._emit(FirstSound(self._leg, now))
        return samples

    @staticmethod
    def _new_buffer(source: AudioDecoder) -> SlotBuffer:
        return SlotBuffer(source.clock_rate, source.clock_rate // 50, source.duration_of)


def carries(plan: StreamPlan, packet: RtpPacket) -> bool:
    """Whether a packet is of the codec of the plan. Peers may number a dynamic payload type in their own way
    (RFC 3264 §5.1); comfort noise and what else has a number of its own is left out."""
    known, kind = plan.payload_type, packet.payload_type
    return kind == known or (kind >= FIRST_DYNAMIC <= known)
