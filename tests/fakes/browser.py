"""A browser's end of a call, as far as media go: an RTCPeerConnection of aiortc on the loopback interface."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from unittest.mock import patch

import av
from aioice import ice
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

from meshdoor.media import card

RATE = 48_000
PIECE = RATE // 50


class Tone(AudioStreamTrack):
    """What a person says: a note."""

    def __init__(self, hertz: int) -> None:
        super().__init__()
        self._hertz = hertz
        self._at = 0
        self._began = 0.0

    async def recv(self) -> av.AudioFrame:
        self._began = self._began or time.monotonic()
        await asyncio.sleep(max(0.0, self._began + self._at / RATE - time.monotonic()))
        turns = 2 * math.pi * self._hertz / RATE
        frame = av.AudioFrame("s16", "mono", PIECE)
        wave = array("h", [int(8000 * math.sin(turns * (self._at + sample))) for sample in range(PIECE)])
        frame.planes[0].update(wave.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += PIECE
        return frame


class Browser:
    """`answer` their offer, or `offer` and `accept` their answer.

    `numbers` are those of the card's pictures that were decoded, None where it could not be read; `first` is when the
    first one was there, and then `seen` is set; `sound` is what was heard (48 kHz, left).
    """

    def __init__(self) -> None:
        self.connection = RTCPeerConnection()
        self.numbers: list[int | None] = []
        self.first = 0.0
        self.seen = asyncio.Event()
        self.sound = array("h")
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection.on("track", self._track)

    async def answer(self, offer: str, microphone: MediaStreamTrack | None = None) -> str:
        """The answer, which says that sound may go both ways; it does so with a `microphone`."""
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in self.connection.getTransceivers():
            if transceiver.kind == "audio":
                transceiver.direction = "sendrecv"
                if microphone is not None:
                    transceiver.sender.replaceTrack(microphone)
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def offer(self, microphone: MediaStreamTrack | None = None) -> str:
        """To see and hear, and to be heard with a microphone."""
        self.connection.addTransceiver(microphone or "audio", "sendrecv" if microphone else "recvonly")
        self.connection.addTransceiver("video", "recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def want_key_frame(self) -> None:
        """PLI for the pictures that come."""
        (receiver,) = (each.receiver for each in self.connection.getTransceivers() if each.kind == "video")
        (source,) = receiver.getSynchronizationSources()
        await receiver._send_rtcp_pli(source.source)

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._tasks)

    def _track(self, track: MediaStreamTrack) -> None:
        task = asyncio.create_task(self._watch(track) if track.kind == "video" else self._hear(track))
        self._tasks.add(task)

    async def _watch(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.VideoFrame)
                self.first = self.first or time.monotonic()
                self.seen.set()
                self.numbers.append(card.read(frame))

    async def _hear(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                both = array("h", bytes(frame.planes[0])[: 4 * frame.samples])
                self.sound.extend(both[::2])


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """It would look for others than this host."""
    with patch.object(ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"]):
        made = Browser()
        try:
            yield made
        finally:
            await made.close()
