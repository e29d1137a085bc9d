"""Sound over a bad network, in the time of the test: what goes in comes out."""

from __future__ import annotations

import random
from array import array
from pathlib import Path

import pytest

from meshdoor.errors import EngineError, RtpError
from meshdoor.media.analysis import pitch, power
from meshdoor.media.audio_encoder import encoder
from meshdoor.media.audio_receiver import AudioReceiver, carries
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.plans import Address, StreamPlan
from meshdoor.media.playout import Voice
from meshdoor.media.reports import DtmfReceived, Event, FirstSound
from meshdoor.media.sound import INTERVAL, PIECE, RATE
from meshdoor.rtp.dtmf import digit_payloads
from meshdoor.rtp.packet import RtpPacket

FREQUENCY = 600
TYPES = {"OPUS": 96, "PCMU": 0, "PCMA": 8, "G722": 9}
DTMF, OTHER = 101, 102


class Stage:
    """Stands in for a playout: who is heard."""

    def __init__(self) -> None:
        self.voices: list[Voice] = []

    def add(self, voice: Voice) -> None:
        self.voices.append(voice)

    def remove(self, voice: Voice) -> None:
        self.voices.remove(voice)

    def has_others(self, voice: Voice) -> bool:
        return self.voices != [voice]


class Listener:
    """A receiver with its gate open, in time of its own."""

    def __init__(self, codec: str = "OPUS") -> None:
        self.stage = Stage()
        self.events: list[Event] = []
        rate = 48_000 if codec == "OPUS" else 8000
        plan = StreamPlan("recvonly", Address("::1", 9), codec, TYPES[codec], rate, "", DTMF, dtmf_incoming=(OTHER,))
        self.receiver = AudioReceiver("b1", plan, self.stage, self.events.append)
        self.receiver.gate(True)
        self.now = 100.0
        self.heard = b""

    def receive(self, *packets: RtpPacket) -> None:
        for packet in packets:
            self.receiver.receive(packet, self.now)

    def beat(self) -> None:
        self.now += INTERVAL
        piece = self.receiver.pull(self.now)
        assert piece is None or len(piece) == PIECE
        self.heard += piece or b""

    @property
    def samples(self) -> array[int]:
        return array("h", self.heard)


def packets(codec: str, count: int, ssrc: int = 1) -> list[RtpPacket]:
    encode, microphone = encoder(codec), ToneMicrophone(FREQUENCY)
    pieces = (microphone.read() or b"" for _ in range(count))
    return [
        RtpPacket(TYPES[codec], 65_530 + at & 0xFFFF, at * encode.duration, ssrc, encode.encode(piece), at == 0)
        for at, piece in enumerate(pieces)
    ]


@pytest.mark.parametrize("codec", TYPES)
def test_a_tone_comes_through(codec: str) -> None:
    listener = Listener(codec)
    for packet in packets(codec, 30):
        listener.receive(packet)
        listener.beat()
    assert len(listener.heard) >= 27 * PIECE
    assert power(listener.samples[PIECE:], RATE, FREQUENCY) > 0.8
    (first,) = listener.events
    assert isinstance(first, FirstSound)
    assert first.at == pytest.approx(100.05, abs=0.03)
    assert listener.receiver.buffer.lost == 0


@pytest.mark.parametrize("codec", ["OPUS", "PCMU"])
def test_loss_disorder_and_repetition(codec: str) -> None:
    listener, chance = Listener(codec), random.Random(4)
    sent = packets(codec, 100)
    late: list[RtpPacket] = []
    for packet in sent:
        listener.receive(*late)
        late = [packet] if chance.random() < 0.1 else []
        if not late and chance.random() >= 0.05:
            listener.receive(packet, *([packet] if chance.random() < 0.05 else []))
        listener.beat()
    assert len(listener.heard) >= 95 * PIECE
    assert power(listener.samples[PIECE:], RATE, FREQUENCY) > (0.7 if codec == "OPUS" else 0.6)
    buffer = listener.receiver.buffer
    assert buffer.duplicates > 0
    assert 0 < buffer.lost < 15


def test_packets_of_other_durations() -> None:
    listener = Listener("PCMU")
    for packet in packets("PCMU", 30):
        half = len(packet.payload) // 2
        first, second = packet.payload[:half], packet.payload[half:]
        number = 2 * packet.sequence_number & 0xFFFF
        listener.receive(
            packet._replace(payload=first, sequence_number=number),
            packet._replace(payload=second, sequence_number=number + 1, timestamp=packet.timestamp + half),
        )
        listener.beat()
    assert pitch(listener.samples, RATE) == FREQUENCY


def test_what_comes_while_the_gate_is_shut_is_never_heard() -> None:
    listener, sent = Listener(), packets("OPUS", 20)
    listener.receiver.gate(False)
    listener.receiver.gate(False)
    assert not listener.stage.voices
    digit = RtpPacket(DTMF, 1, 0, 1, digit_payloads("5")[0].payload, True)
    listener.receive(*sent[:10], digit)
    listener.receiver.gate(True)
    assert listener.stage.voices == [listener.receiver]
    for _ in range(10):
        listener.beat()
    assert (listener.heard, listener.events) == (b"", [])
    for packet in sent[10:]:
        listener.receive(packet)
        listener.beat()
    assert [type(event) for event in listener.events] == [FirstSound]
    listener.receiver.close()
    assert not listener.stage.voices


def test_digits() -> None:
    listener = Listener()
    for at, digit in enumerate("1*"):
        for number, timed in enumerate(digit_payloads(digit)):
            kind = DTMF if digit == "1" else OTHER
            listener.receive(RtpPacket(kind, 10 * at + number, 9000 * at, 1, timed.payload, timed.marker))
    assert listener.events == [DtmfReceived("b1", "1"), DtmfReceived("b1", "*")]
    with pytest.raises(RtpError):
        listener.receive(RtpPacket(DTMF, 99, 0, 1, b"x"))


def test_another_source_takes_over() -> None:
    listener = Listener()
    for packet in [*packets("OPUS", 10), *packets("OPUS", 30, ssrc=2)]:
        listener.receive(packet)
        listener.beat()
    assert pitch(listener.samples[-20 * PIECE // 2 :], RATE) == FREQUENCY


def test_junk_is_silence() -> None:
    listener = Listener()
    sent = packets("OPUS", 20)
    for packet in sent:
        listener.receive(packet._replace(payload=b"\x09\x01\x02\x03") if packet.sequence_number % 5 == 0 else packet)
        listener.beat()
    assert listener.receiver.undecodable > 0
    assert pitch(listener.samples, RATE) == FREQUENCY
    with pytest.raises(RtpError):
        listener.receive(sent[-1]._replace(payload=b"\x03\x00", sequence_number=900))


def test_no_more_sound_is_silence() -> None:
    listener = Listener()
    for packet in packets("OPUS", 10):
        listener.receive(packet)
        listener.beat()
    for _ in range(20):
        listener.beat()
    assert listener.heard.endswith(bytes(10 * PIECE))


def test_which_payload_types_are_sound() -> None:
    dynamic = StreamPlan("recvonly", Address("::1", 9), "OPUS", 96, 48_000)
    static = StreamPlan("recvonly", Address("::1", 9), "PCMU", 0, 8000)
    kinds = (0, 8, 13, 96, 111)
    assert [carries(dynamic, RtpPacket(kind, 0, 0, 0, b"")) for kind in kinds] == [False, False, False, True, True]
    assert [carries(static, RtpPacket(kind, 0, 0, 0, b"")) for kind in kinds] == [True, False, False, False, False]


def test_sound_has_no_picture_and_needs_no_round_trip(tmp_path: Path) -> None:
    receiver = Listener().receiver
    receiver.measured(0.1)
    with pytest.raises(EngineError):
        receiver.snapshot(tmp_path / "a.png")
    with pytest.raises(EngineError, match="SPEEX"):
        AudioReceiver("b1", StreamPlan("recvonly", Address("::1", 9), "SPEEX", 97, 8000), Stage(), print)
