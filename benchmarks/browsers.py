"""A door watched by browsers: its CPU beside an encoder for each, and how soon the first picture is there."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from multiprocessing.connection import Connection
from unittest.mock import patch

import av
from aioice import ice
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.codecs import h264

from benchmarks.harness import Table, cpu, median, number
from meshdoor.media.card import Card
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello
from meshdoor.media.plans import Gates, VideoFormat
from meshdoor.media.reports import Event, FirstPacketSent
from meshdoor.node import media_plan
from tests.fakes.browser import browser

VIDEO = VideoFormat()
COUNT = 4
SECONDS, WARM_UP = 8.0, 3.0
TRIES = 10
PAUSE = 0.5  # s: key frames are coalesced
HOST = "127.0.0.1"
HELLO = Hello("door", microphone="none")
LOOK = Gates(picture=True)

Ask = Callable[[str], Awaitable[str]]


def bench() -> Iterable[Table]:
    with _browsers() as ask:
        once = asyncio.run(_once(ask))
    with _browsers() as ask:
        each = asyncio.run(_each(ask))
    yield Table(
        f"Sending 1280x720 at {VIDEO.fps} to {COUNT} browsers, % of a core of the door",
        ("encoded once, our senders", "an encoder for each, aiortc", "ratio"),
        ((number(once), number(each), number(once / each)),),
    )
    yield asyncio.run(_first_pictures())


async def _once(ask: Ask) -> float:
    async with Engine(HELLO, lambda event: None) as engine:
        await engine.prepare()
        await engine.wait_ready()
        for at in range(COUNT):
            await _look(engine, f"b{at}", ask)
        assert engine.pid is not None
        return await _share(engine.pid)


async def _look(engine: Engine, leg: str, ask: Ask) -> None:
    plan = media_plan.offer(HOST, await engine.open_webrtc(leg, [HOST]))
    answer = await ask(media_plan.offer_body(plan).decode())
    await engine.start_leg(media_plan.agreed(plan, answer.encode(), HOST).start(leg, LOOK))


async def _each(ask: Ask) -> float:
    connections = []
    codecs = [each for each in RTCRtpSender.getCapabilities("video").codecs if each.mimeType == "video/H264"]
    shared = _Pictures()
    with patch.object(h264, "DEFAULT_BITRATE", VIDEO.bitrate), _loopback():
        for _ in range(COUNT):
            connection = RTCPeerConnection()
            connection.addTrack(_Track(shared))
            connection.getTransceivers()[0].setCodecPreferences(codecs)
            await connection.setLocalDescription(await connection.createOffer())
            answer = await ask(connection.localDescription.sdp)
            await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            connections.append(connection)
        share = await _share(os.getpid())
        for connection in connections:
            await connection.close()
    return share


class _Pictures:
    """The card of this moment, drawn once for all tracks."""

    def __init__(self) -> None:
        self._card = Card(VIDEO.width, VIDEO.height)
        self._last: tuple[int, av.VideoFrame] | None = None

    def draw(self, beat: int) -> av.VideoFrame:
        if self._last is None or self._last[0] != beat:
            self._last = beat, self._card.draw(beat, "12:00:00.000")
        return self._last[1]


class _Track(MediaStreamTrack):
    kind = "video"

    def __init__(self, pictures: _Pictures) -> None:
        super().__init__()
        self._pictures = pictures
        self._beat = 0

    async def recv(self) -> av.VideoFrame:
        now = time.monotonic()
        self._beat = max(self._beat + 1, int(now * VIDEO.fps))
        await asyncio.sleep(max(0.0, self._beat / VIDEO.fps - now))
        frame = self._pictures.draw(self._beat)
        frame.pts, frame.time_base = self._beat * 3000, Fraction(1, 90_000)
        return frame


async def _first_pictures() -> Table:
    packets, pictures = list[float](), list[float]()
    events: list[Event] = []
    async with Engine(HELLO, events.append) as engine:
        await engine.prepare()
        await engine.wait_ready()
        await engine.capture(True)
        await asyncio.sleep(WARM_UP)
        for at in range(TRIES):
            await asyncio.sleep(PAUSE)
            began, shown = await _first_picture(engine, f"b{at}")
            packets.append(next(event.at for event in events if isinstance(event, FirstPacketSent)) - began)
            pictures.append(shown - began)
            events.clear()
    measured = (("first packet sent", packets), ("first picture decoded", pictures))
    rows = [(name, number(median(each) * 1e3), number(max(each) * 1e3)) for name, each in measured]
    return Table("From the start of a leg to a browser, with the camera open, ms", ("", "median", "worst"), tuple(rows))


async def _first_picture(engine: Engine, leg: str) -> tuple[float, float]:
    """When it was told to start, and when the browser had a picture."""
    async with browser() as phone:
        plan = media_plan.offer(HOST, await engine.open_webrtc(leg, [HOST]))
        answer = await phone.answer(media_plan.offer_body(plan).decode())
        began = time.monotonic()
        await engine.start_leg(media_plan.agreed(plan, answer.encode(), HOST).start(leg, LOOK))
        await phone.seen.wait()
        await engine.close_leg(leg)
        return began, phone.first


async def _share(pid: int) -> float:
    """Of a core, in percent, once all is warm."""
    await asyncio.sleep(WARM_UP)
    before, began = cpu(pid), time.monotonic()
    await asyncio.sleep(SECONDS)
    return 100 * (cpu(pid) - before) / (time.monotonic() - began)


@contextmanager
def _browsers() -> Iterator[Ask]:
    """Browsers in a process of their own, whose work is not what is measured: each offer is answered by another one."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()

    async def ask(offer: str) -> str:
        ours.send(offer)
        return str(await asyncio.to_thread(ours.recv))

    yield ask
    ours.send(None)
    process.join()


def _serve(pipe: Connection) -> None:
    os.nice(10)
    with _loopback(), patch.object(h264.H264Decoder, "decode", lambda self, frame: []):
        asyncio.run(_answer(pipe))


async def _answer(pipe: Connection) -> None:
    connections = []
    while (offer := await asyncio.to_thread(pipe.recv)) is not None:
        connection = RTCPeerConnection()
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        pipe.send(connection.localDescription.sdp)
        connections.append(connection)
    for connection in connections:
        await connection.close()


@contextmanager
def _loopback() -> Iterator[None]:
    with patch.object(ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [HOST]):
        yield
