"""Sound that is sent, on real sockets: only while a gate is open, and made once for all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.audio_sender import AudioSender, Talk
from meshdoor.media.channel import Channel, ChannelOwner
from meshdoor.media.microphone import ToneMicrophone
from meshdoor.media.path import UdpPath
from meshdoor.media.plans import AUDIO, Address, StreamPlan
from meshdoor.media.reports import Device, Event
from meshdoor.rtp.dtmf import DtmfEvent, DtmfReceiver
from meshdoor.rtp.packet import RtpPacket, is_rtcp
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, MasterKey, unprotector
from tests.patience import until

SSRC = 77
DTMF = 101


class Microphone(ToneMicrophone):
    """Counts."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__(500)
        self.opened = self.closed = self.pieces = 0
        self.nothing = False
        self._broken = broken

    def open(self) -> None:
        if self._broken:
            raise EngineError("it is unplugged")
        self.opened += 1

    def read(self) -> bytes | None:
        self.pieces += 1
        return None if self.nothing else super().read()

    def close(self) -> None:
        self.closed += 1


class Ear:
    """The other end of a channel: what it was sent, in the clear."""

    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []
        self._key = MasterKey.generate(AEAD_AES_128_GCM)
        self._unprotector = unprotector(self._key)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))

    def plan(self, codec: str, payload_type: int) -> StreamPlan:
        address, rate = Address(*self._socket.getsockname()), 48_000 if codec == "OPUS" else 8000
        plan = StreamPlan("sendonly", address, codec, payload_type, rate, tx_key=self._key)
        return replace(plan, dtmf_payload_type=DTMF, dtmf_clock_rate=rate)

    def read(self) -> None:
        with suppress(BlockingIOError):
            while data := self._socket.recv(2048):
                if not is_rtcp(data):
                    self.packets.append(RtpPacket.parse(self._unprotector.unprotect(data)))

    def close(self) -> None:
        self._socket.close()


class Leg:
    """A channel with a sender, and the peer at its other end."""

    def __init__(self, talk: Talk, codec: str = "OPUS", payload_type: int = 96) -> None:
        self.peer = Ear()
        self.events: list[Event] = []
        self.channel = Channel(ChannelOwner("b1", AUDIO, self.events.append), UdpPath("127.0.0.1"), SSRC, "test")
        self.plan = self.peer.plan(codec, payload_type)
        self.channel.start(self.plan)
        self.sender: AudioSender = talk.sender(self.channel, self.plan)
        self.channel.attach(self.sender, None)

    def close(self) -> None:
        self.channel.close()
        self.peer.close()

    @property
    def sound(self) -> list[RtpPacket]:
        self.peer.read()
        return [packet for packet in self.peer.packets if packet.payload_type != DTMF]

    async def until_heard(self, packets: int) -> None:
        await until(lambda: len(self.sound) >= packets)


class Desk:
    def __init__(self, broken: bool = False) -> None:
        self.microphone = Microphone(broken)
        self.told: list[Device] = []
        self.talk = Talk(self.microphone, time.monotonic, self.told.append)
        self.legs: list[Leg] = []

    def leg(self, codec: str = "OPUS", payload_type: int = 96) -> Leg:
        self.legs.append(Leg(self.talk, codec, payload_type))
        return self.legs[-1]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    for leg in made.legs:
        leg.close()
    made.talk.close()


async def test_nothing_is_captured_or_sent_while_all_gates_are_shut(desk: Desk) -> None:
    leg = desk.leg()
    leg.sender.gate(False)
    await asyncio.sleep(0.1)
    assert (desk.microphone.opened, desk.microphone.pieces, leg.sound) == (0, 0, [])
    leg.sender.gate(True)
    await leg.until_heard(3)
    leg.sender.gate(False)
    assert (desk.microphone.opened, desk.microphone.closed) == (1, 1)
    sent, captured = len(leg.sound), desk.microphone.pieces
    await asyncio.sleep(0.1)
    assert (len(leg.sound), desk.microphone.pieces) == (sent, captured)
    assert [device.state for device in desk.told] == ["ok", "idle"]


async def test_packets_follow_the_clock(desk: Desk) -> None:
    leg = desk.leg()
    leg.sender.gate(True)
    await leg.until_heard(6)
    packets = leg.sound
    assert [packet.marker for packet in packets[:6]] == [True] + [False] * 5
    numbers = [(packet.sequence_number - packets[0].sequence_number) & 0xFFFF for packet in packets]
    times = [(packet.timestamp - packets[0].timestamp) & 0xFFFFFFFF for packet in packets]
    assert numbers == list(range(len(packets)))
    assert times == sorted(set(times))
    assert {at % 960 for at in times} == {0}
    leg.sender.gate(False)
    await asyncio.sleep(0.1)
    leg.sender.gate(True)
    before = len(leg.sound)
    await leg.until_heard(before + 1)
    after = leg.sound[before]
    pause = (after.timestamp - packets[-1].timestamp) & 0xFFFFFFFF
    assert after.marker
    assert pause >= 4 * 960
    assert pause % 960 == 0
    assert (after.sequence_number - packets[-1].sequence_number) & 0xFFFF == before - len(packets) + 1


async def test_each_piece_is_encoded_once_for_all(desk: Desk) -> None:
    first, second, telephone = desk.leg(), desk.leg(payload_type=111), desk.leg("PCMU", 0)
    for leg in desk.legs:
        leg.sender.gate(True)
    for leg in desk.legs:
        await leg.until_heard(4)
    common = {packet.payload for packet in first.sound} & {packet.payload for packet in second.sound}
    assert len(common) >= 3
    assert {packet.payload_type for packet in second.sound} == {111}
    assert {len(packet.payload) for packet in telephone.sound} == {160}
    assert desk.microphone.opened == 1
    first.close()
    desk.legs.remove(first)
    heard = len(second.sound)
    await second.until_heard(heard + 3)
    assert not desk.microphone.closed


async def test_who_opens_later_hears_nothing_of_before(desk: Desk) -> None:
    first, second = desk.leg(), desk.leg()
    first.sender.gate(True)
    await first.until_heard(5)
    at = time.monotonic()
    latest = first.sound[-1].timestamp
    second.sender.gate(True)
    await second.until_heard(1)
    assert (second.sound[0].timestamp - latest) & 0xFFFFFFFF < 48_000 * (time.monotonic() - at) + 2 * 960
    assert second.sound[0].timestamp != latest


async def test_digits_go_between_the_sound(desk: Desk) -> None:
    leg, receiver = desk.leg(), DtmfReceiver()
    leg.sender.gate(True)
    await leg.until_heard(1)
    first, last = leg.sender.dtmf("5#"), leg.sender.dtmf("7")

    def digits() -> list[RtpPacket]:
        leg.peer.read()
        return [packet for packet in leg.peer.packets if packet.payload_type == DTMF]

    await first
    assert not last.done()
    await last
    assert len(digits()) == 21
    assert [digit for packet in digits() if (digit := receiver.receive(packet))] == ["5", "#", "7"]
    assert DtmfEvent.parse(digits()[-1].payload).duration == 4800
    numbers = [packet.sequence_number for packet in leg.peer.packets]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == list(range(len(numbers)))
    for wrong in ("", "x", "1" * 65):
        with pytest.raises(EngineError):
            leg.sender.dtmf(wrong)


async def test_digits_that_never_leave_are_not_waited_for(desk: Desk) -> None:
    leg = desk.leg()
    leg.sender.gate(True)
    leaving, waiting = leg.sender.dtmf("5"), leg.sender.dtmf("67")
    leg.close()
    desk.legs.remove(leg)
    assert leaving.cancelled()
    assert waiting.cancelled()


async def test_digits_for_who_takes_none(desk: Desk) -> None:
    leg = desk.leg()
    leg.channel.plan = replace(leg.plan, dtmf_payload_type=None)
    with pytest.raises(EngineError, match="takes no digits"):
        leg.sender.dtmf("1")
    leg.sender.key_frame_requested(0.0)
    leg.sender.packets_requested((1,), 0.0)


async def test_a_microphone_with_nothing_to_say(desk: Desk) -> None:
    leg = desk.leg()
    desk.microphone.nothing = True
    leg.sender.gate(True)
    await until(lambda: desk.microphone.pieces > 2)
    assert leg.sound == []


async def test_a_microphone_that_is_not_there() -> None:
    desk = Desk(broken=True)
    leg = desk.leg()
    leg.sender.gate(True)
    await asyncio.sleep(0.05)
    assert leg.sound == []
    assert desk.told == [Device("microphone", "failed", "it is unplugged")]
    with pytest.raises(EngineError, match="SPEEX"):
        desk.talk.sender(leg.channel, replace(leg.plan, codec="SPEEX"))
    leg.close()
