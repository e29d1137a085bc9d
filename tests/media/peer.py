"""The other end of a channel, for tests: one UDP socket, its keys, and a decoder."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import av

from meshdoor.errors import RtpError
from meshdoor.media import card
from meshdoor.media.plans import Address, StreamPlan
from meshdoor.rtp.packet import RtpPacket, is_rtcp
from meshdoor.rtp.rtcp import RtcpPacket, parse_compound
from meshdoor.rtp.session import RtcpSession
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, MasterKey, Suite, protector, unprotector
from meshdoor.rtp.video_receiver import H264, VP8, VideoReceiver
from tests.patience import until

SSRC = 0x0BADCAFE


class Peer:
    """Receives pictures on 127.0.0.1 (or ::1). `read` takes what has come, `until` waits for something."""

    def __init__(self, suite: Suite = AEAD_AES_128_GCM, codec: str = "H264", host: str = "127.0.0.1") -> None:
        self.tx_key, self.rx_key = MasterKey.generate(suite), MasterKey.generate(suite)
        self.codec = codec
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address = Address(host, self.socket.getsockname()[1])
        self.packets: list[RtpPacket] = []
        self.rtcp: list[RtcpPacket] = []
        self.refused = 0
        self.numbers: list[int | None] = []
        self.sizes: list[tuple[int, int]] = []
        self.session = RtcpSession(SSRC, "test", 90_000)
        self.source: tuple[str, int] | None = None
        self._in, self._out = unprotector(self.rx_key), protector(self.tx_key)
        self._receiver = VideoReceiver(H264 if codec == "H264" else VP8)
        self._decoder = av.CodecContext.create("h264" if codec == "H264" else "vp8", "r")
        assert isinstance(self._decoder, av.VideoCodecContext)
        self._decoder.thread_type = "NONE"

    def close(self) -> None:
        self.socket.close()

    @staticmethod
    def clock() -> float:
        return time.monotonic()

    def plan(self, direction: str = "sendonly", payload_type: int = 102) -> StreamPlan:
        """What the engine is told of this peer."""
        return StreamPlan(
            direction, self.address, self.codec, payload_type, 90_000, tx_key=self.rx_key, rx_key=self.tx_key
        )

    def read(self) -> None:
        while True:
            try:
                data, self.source = self.socket.recvfrom(65535)[0:2]
            except BlockingIOError:
                break
            try:
                self._take(data)
            except RtpError:
                self.refused += 1
        self._receiver.handle_timer(time.monotonic())
        self._show()

    def send_rtcp(self, compound: bytes) -> None:
        assert self.source is not None
        self.socket.sendto(self._out.protect_rtcp(compound), self.source)

    async def until(self, done: Callable[[], object]) -> None:
        def read_and_see() -> object:
            self.read()
            return done()

        await until(read_and_see)

    async def until_shown(self, pictures: int) -> None:
        await self.until(lambda: len(self.numbers) >= pictures)

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        if is_rtcp(data):
            clear = self._in.unprotect_rtcp(data)
            self.rtcp += parse_compound(clear)
            self.session.receive_rtcp(clear, now)
            return
        packet = RtpPacket.parse(self._in.unprotect(data))
        self.packets.append(packet)
        self.session.received(packet, now)
        self._receiver.receive(packet, now)
        self._show()

    def _show(self) -> None:
        while (unit := self._receiver.next_unit()) is not None:
            assert isinstance(self._decoder, av.VideoCodecContext)
            for frame in self._decoder.decode(av.Packet(unit.data)):
                self.numbers.append(card.read(frame))
                self.sizes.append((frame.width, frame.height))
