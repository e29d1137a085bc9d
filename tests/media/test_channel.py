"""One medium on real sockets: keys, feedback, the address of the peer, silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.channel import FIRST, SILENCE, Channel, ChannelOwner
from meshdoor.media.datagrams import Datagrams
from meshdoor.media.path import UdpPath
from meshdoor.media.plans import Address
from meshdoor.media.reports import Event, FirstPacketSent, RtpSilence
from meshdoor.media.sink import Unit
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.rtcp import FullIntraRequest, GenericNack, Goodbye, PictureLossIndication, SenderReport
from meshdoor.rtp.srtp import protector
from tests.media.peer import SSRC, Peer
from tests.patience import PATIENCE, until

PACKET = RtpPacket(102, 1, 0, SSRC, b"payload")


class End:
    """Both a Sender and a Receiver that write down."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.pictures_shown = self.pictures_lost = 0

    def gate(self, open_: bool) -> None:
        self.log.append(open_)

    def key_frame_requested(self, now: float) -> None:
        self.log.append("key frame")

    def packets_requested(self, numbers: tuple[int, ...], now: float) -> None:
        self.log.append(numbers)

    def receive(self, packet: RtpPacket, now: float) -> None:
        self.log.append(packet.payload)

    def measured(self, round_trip: float) -> None:
        self.log.append("measured")

    def dtmf(self, digits: str) -> asyncio.Future[None]:
        self.log.append(digits)
        return asyncio.get_running_loop().create_future()

    def snapshot(self, path: Path) -> None:
        self.log.append(path)

    def close(self) -> None:
        self.log.append("closed")


class Rig:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 1000.0
        owner = ChannelOwner("b0", "video", self.events.append)
        self.channel = Channel(owner, UdpPath("127.0.0.1"), 7, "cname", lambda: self.now)
        self.peer = Peer()
        self.sender, self.receiver = End(), End()
        self.stream = RtpStream(7, 96, 100)
        self._protector = protector(self.peer.tx_key)

    def start(self, **changes: Any) -> None:
        plan = replace(self.peer.plan("sendrecv"), **changes)
        self.channel.start(plan)
        self.channel.attach(self.sender, self.receiver)

    def push(self) -> None:
        assert self.channel.sink is not None
        self.channel.sink.gate(True)
        groups = self.stream.groups([b"a" * 50, b"b" * 50], 0)
        self.channel.sink.push(Unit.of(groups, True, 0, self.now))

    def send(self, packet: RtpPacket = PACKET, peer: Peer | None = None) -> None:
        self.send_bytes(self._protector.protect(bytes(packet)), peer)

    def send_bytes(self, data: bytes, peer: Peer | None = None) -> None:
        (peer or self.peer).socket.sendto(data, ("127.0.0.1", self.channel.port))

    async def heard(self, packets: int) -> None:
        await until(lambda: len(self.receiver.log) >= packets)

    def close(self) -> None:
        self.channel.close()
        self.peer.close()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.close()


async def test_sends_and_tells_of_the_first_packet_once(rig: Rig) -> None:
    rig.start()
    rig.push()
    rig.push()
    await rig.peer.until(lambda: len(rig.peer.packets) == 4)
    assert rig.events == [FirstPacketSent("b0", "video", 1000.0)]
    assert rig.channel.statistics().packets_sent == 4


async def test_receives_what_authenticates(rig: Rig) -> None:
    rig.start()
    rig.send()
    rig.send()  # a replay
    rig.send_bytes(b"\x80" + bytes(60))
    rig.send_bytes(b"")
    await until(lambda: rig.channel.statistics().packets_refused == 3)
    assert rig.receiver.log == [b"payload"]
    assert rig.channel.statistics().packets_received == 1


async def test_follows_a_peer_that_moved(rig: Rig) -> None:
    elsewhere = Peer()
    rig.start()
    rig.send(peer=elsewhere)
    await until(lambda: rig.receiver.log)
    rig.push()
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.get_running_loop().sock_recv(elsewhere.socket, 2000)
    elsewhere.close()


async def test_a_forger_does_not_move_the_peer(rig: Rig) -> None:
    forger = Peer()
    rig.start()
    rig.send_bytes(b"\x80" + bytes(60), forger)
    await until(lambda: rig.channel.statistics().packets_refused)
    rig.push()
    await rig.peer.until(lambda: rig.peer.packets)
    forger.close()


async def test_in_the_clear_only_the_first_packet_moves_the_peer(rig: Rig) -> None:
    first, second = Peer(), Peer()
    rig.start(tx_key=None, rx_key=None)
    for number, peer in enumerate((first, second)):
        rig.send_bytes(bytes(PACKET._replace(sequence_number=number)), peer)
        await rig.heard(number + 1)
    rig.push()
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.get_running_loop().sock_recv(first.socket, 2000)
    first.close()
    second.close()


async def test_feedback_reaches_the_sender(rig: Rig) -> None:
    rig.start()
    rig.push()
    await rig.peer.until(lambda: rig.peer.packets)
    rig.peer.send_rtcp(rig.peer.session.picture_loss())
    rig.peer.send_rtcp(rig.peer.session.nack((100, 101)))
    await until(lambda: len(rig.sender.log) == 2)
    assert rig.sender.log == ["key frame", (100, 101)]
    assert rig.channel.statistics().key_frames_requested == 1


async def test_reports_come_and_go(rig: Rig) -> None:
    rig.start()
    rig.push()
    await rig.peer.until(lambda: rig.peer.packets)
    rig.now += 1.0
    rig.channel.tick(rig.now)
    await rig.peer.until(lambda: rig.peer.rtcp)
    report = rig.peer.rtcp[0]
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packet_count) == (7, 2)
    compound = rig.peer.session.take_report(rig.peer.clock() + 60)
    assert compound is not None
    rig.peer.send_rtcp(compound)
    await until(lambda: rig.channel.statistics().round_trip is not None)
    assert "measured" in rig.receiver.log


async def test_asks_for_key_frames_and_packets(rig: Rig) -> None:
    rig.start(feedback=("nack", "nack pli"))
    rig.channel.request_key_frame()
    rig.channel.request_packets((3, 4))
    rig.start(feedback=("ccm fir",))
    rig.channel.request_key_frame()
    kinds = (PictureLossIndication, GenericNack, FullIntraRequest)
    await rig.peer.until(lambda: len([packet for packet in rig.peer.rtcp if isinstance(packet, kinds)]) == 3)


async def test_without_mux_rtcp_has_a_port_of_its_own(rig: Rig) -> None:
    other = Peer()
    rig.start(rtcp=other.address)
    rig.channel.request_key_frame()
    async with asyncio.timeout(PATIENCE):
        data, source = await asyncio.get_running_loop().sock_recvfrom(other.socket, 2000)
    assert data
    assert source[1] == rig.channel.port + 1
    other.close()


@pytest.mark.parametrize("heard", [True, False])
async def test_silence_is_told_once(rig: Rig, heard: bool) -> None:
    """Of a peer that has never said anything, later: its media engine may still start."""
    rig.start()
    if heard:
        rig.push()
        await rig.peer.until(lambda: rig.peer.packets)
        rig.peer.send_rtcp(rig.peer.session.picture_loss())
        await rig.peer.until(lambda: rig.channel.statistics().key_frames_requested)
        rig.events.clear()
    rig.now += (SILENCE if heard else FIRST) - 0.1
    rig.channel.tick(rig.now)
    assert rig.events == []
    rig.now += 0.2
    rig.channel.tick(rig.now)
    rig.channel.tick(rig.now)
    assert [type(event) for event in rig.events] == [RtpSilence]


async def test_another_plan_under_the_same_keys_goes_on_numbering(rig: Rig) -> None:
    rig.start()
    rig.push()
    rig.start(payload_type=103)
    assert rig.sender.log == ["closed"]
    rig.stream.sequence_number = 100
    rig.push()
    await rig.peer.until(lambda: len(rig.peer.packets) == 4)
    assert [packet.sequence_number for packet in rig.peer.packets] == [100, 101, 102, 103]
    assert [packet.payload_type for packet in rig.peer.packets] == [102, 102, 103, 103]
    assert rig.channel.statistics().packets_sent == 4


async def test_digits_need_a_payload_type(rig: Rig) -> None:
    rig.start()
    with pytest.raises(EngineError, match="takes no digits"):
        rig.channel.dtmf(b"1234", 0, True)
    rig.start(dtmf_payload_type=101)
    rig.push()
    rig.channel.dtmf(b"1234", 0, True)
    await rig.peer.until(lambda: len(rig.peer.packets) == 3)
    assert rig.peer.packets[-1].payload_type == 101


async def test_addresses_that_do_not_fit(rig: Rig) -> None:
    with pytest.raises(EngineError, match="another address family"):
        rig.start(remote=Address("::1", 5000))


async def test_stop_says_goodbye_and_keeps_the_ports(rig: Rig) -> None:
    rig.start()
    rig.push()
    port = rig.channel.port
    rig.channel.stop()
    await rig.peer.until(lambda: any(isinstance(packet, Goodbye) for packet in rig.peer.rtcp))
    rig.send()
    rig.channel.tick(rig.now + 99)
    rig.start()
    assert rig.channel.port == port


async def test_a_full_socket_is_taken_up_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start()
    rig.push()
    real, full = Datagrams.send, [True]
    monkeypatch.setattr(Datagrams, "send", lambda self, *run: 0 if full else real(self, *run))
    rig.push()
    full.clear()
    await rig.peer.until(lambda: len(rig.peer.packets) == 4)


async def test_gates_reach_both_ends(rig: Rig) -> None:
    rig.channel.gate(sending=True, receiving=True)
    rig.start()
    rig.channel.gate(sending=True, receiving=False)
    assert (rig.sender.log, rig.receiver.log) == ([True], [False])
