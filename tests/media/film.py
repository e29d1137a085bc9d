"""A door for tests, without sockets: numbered cards as SRTP datagrams. And a wall that reads what it shows."""

from __future__ import annotations

import asyncio
import time

import av

from meshdoor.errors import RtpError
from meshdoor.media import card
from meshdoor.media.card import Card
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.plans import Address, StreamPlan, VideoFormat
from meshdoor.media.reports import Event
from meshdoor.media.video_receiver import VideoReceiver
from meshdoor.media.video_stream import packetizer
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, MasterKey, protector, unprotector
from tests.patience import until

KEY = MasterKey(AEAD_AES_128_GCM, b"k" * 16, b"s" * 12)
FPS = 30


class Door:
    """`picture` makes the datagrams of the next one; its number is counted from 1 in `number`."""

    def __init__(self, codec: str = "H264", ssrc: int = 7, size: tuple[int, int] = (320, 192)) -> None:
        self.number = 0
        self.ssrc = ssrc
        self._card = Card(*size)
        self._encoder = Encoder(codec, VideoFormat(*size, FPS, 600_000), *size)
        self._payloads = packetizer(codec)
        self._stream = RtpStream(ssrc, 96, 100)
        self._protector = protector(KEY)

    def picture(self, key: bool = False) -> list[bytes]:
        self.number += 1
        coded = self._encoder.encode(Picture(self._card.draw(self.number, "12:00"), self.number / FPS), key)
        assert coded is not None
        return self.packets(self._payloads(coded.data), coded.timestamp)

    def packets(self, payloads: list[bytes], timestamp: int = 0) -> list[bytes]:
        clear = [packet for group in self._stream.groups(payloads, timestamp) for packet in group.packets]
        return [self._protector.protect(packet) for packet in clear]


class Wall:
    """A display; `shown` are the numbers of the cards."""

    def __init__(self) -> None:
        self.shown: list[int | None] = []
        self.times: list[float] = []
        self.hidden = 0

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        self.shown.append(card.read(frame))
        self.times.append(time.monotonic())

    def hide(self, leg: str) -> None:
        self.hidden += 1


class Screen:
    """A receiver with its gate open, and what it asked for."""

    def __init__(self, codec: str = "H264", feedback: tuple[str, ...] = ()) -> None:
        self.clock = time.monotonic
        self.wall = Wall()
        self.events: list[Event] = []
        self.key_frames_requested = self.refused = 0
        self.missing: list[int] = []
        plan = StreamPlan("recvonly", Address("127.0.0.1", 9), codec, 96, 90_000, rx_key=KEY, feedback=feedback)
        self.receiver = VideoReceiver("b1", self, plan, self.wall, self.events.append)
        self.receiver.gate(True)
        self._unprotector = unprotector(KEY)

    def request_key_frame(self) -> None:
        self.key_frames_requested += 1

    def request_packets(self, numbers: tuple[int, ...]) -> None:
        self.missing += numbers

    def receive(self, datagrams: list[bytes]) -> None:
        for data in datagrams:
            try:
                packet = RtpPacket.parse(self._unprotector.unprotect(data))
                self.receiver.receive(packet, self.clock())
            except RtpError:
                self.refused += 1

    async def until_shown(self, number: int) -> None:
        await until(lambda: number in self.wall.shown)

    async def close(self) -> None:
        self.receiver.close()
        await until(lambda: self.wall.hidden)
        await asyncio.sleep(0)
