"""What one picture costs for each screen: ours beside aiortc's senders and beside plain sendto.

All get the same pictures: one slice of random bytes of the size that 720p has at 4.5 Mbit/s, on real sockets that
another process empties. What is measured is the processor time (of all threads, and in the kernel) from the moment
when the picture is handed over until the last packet of it has left, the median over all pictures. In the first table
it is as in life: at the beat of a camera, each picture after one was encoded, so the processor wakes from sleep and its
caches hold other things; the ways take turns, picture by picture. In the second one, each way sends its pictures one
after the other, with nothing else to do. Ours includes making the packets.
aiortc's senders are given access units, not pictures, and are as after a handshake: SRTP, the header extensions that a
browser asks for, and aioice with a pair that was found.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from fractions import Fraction
from functools import partial
from typing import Any

import av
from aioice import Candidate, Connection
from aioice.ice import CandidatePair, StunProtocol
from aiortc import MediaStreamTrack, RTCCertificate, RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.rtcdtlstransport import RTCDtlsTransport, State
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from pyee.asyncio import AsyncIOEventEmitter
from pylibsrtp import Policy, Session

from benchmarks.harness import Table, draining, median, number
from meshdoor.media.card import Card
from meshdoor.media.datagrams import Datagrams
from meshdoor.media.encoder import Coded, Encoder, Picture
from meshdoor.media.outlet import MAX_HISTORY
from meshdoor.media.plans import VideoFormat
from meshdoor.media.sink import Sink, SinkOwner
from meshdoor.media.video_stream import VideoStream, packetizer
from meshdoor.rtp.group import RtpStream
from meshdoor.rtp.h264 import H264Packetizer
from meshdoor.rtp.session import RtcpSession
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, Suite, protector

WAYS = ("ours, GCM", "ours, CM", "GCM, no GSO", "sendto, clear", "aiortc")
SINKS = (1, 4, 8, 16, 64)
PACKETS = 16  # of a picture
FRAMES = 45
WARM_UP = MAX_HISTORY // PACKETS + 1  # pictures: from then on no way takes new memory
BEAT = 1 / 60  # s
PICTURE = b"\0\0\0\1\x65" + os.urandom(PACKETS * 1190).replace(b"\0", b"\1")

# What aiortc and a browser agree on for pictures.
EXTENSIONS = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
)

Send = Callable[[float], Awaitable[None]]
SendAll = Callable[[Sequence[Send]], Awaitable[list[list[float]]]]


def bench() -> Iterable[Table]:
    for title, send_all in (("at the beat of a camera", _in_turn), ("back to back", _back_to_back)):
        rows = []
        for count in SINKS:
            costs = asyncio.run(_measure(count, send_all))
            gcm, _, _, plain, aiortc = costs
            rows.append((str(count), *map(number, costs), number(gcm / aiortc), number(gcm / plain)))
        yield Table(
            f"CPU per packet per screen, µs ({PACKETS} packets a picture), {title}",
            ("screens", *WAYS, "ours/aiortc", "ours/sendto"),
            tuple(rows),
            ("goal at 8 screens and more: ours/aiortc at most 0.10, ours/sendto below 1",),
        )


async def _measure(count: int, send_all: SendAll) -> list[float]:
    """The cost of a packet for one screen by each of the ways, in µs."""
    async with AsyncExitStack() as stack:
        ways: list[Callable[[AsyncExitStack, list[int]], Awaitable[tuple[Send, int]]]] = [
            partial(_ours, suite=AEAD_AES_128_GCM),
            partial(_ours, suite=AES_CM_128_HMAC_SHA1_80),
            partial(_ours, suite=AEAD_AES_128_GCM, segmented=False),
            _plain,
            _aiortc,
        ]
        drains = [stack.enter_context(draining(count)) for _ in ways]
        made = [await way(stack, drain.ports) for way, drain in zip(ways, drains, strict=True)]
        for send, _ in made:
            await _warm_up(send)
        gc.freeze()  # as the engine does
        costs = await send_all([send for send, _ in made])
        await asyncio.sleep(0.2)
        for (_, packets), drain in zip(made, drains, strict=True):
            arrived = int(drain.finish()[0])
            assert arrived >= 0.98 * packets * count * (FRAMES + WARM_UP), "packets were lost on the way: measure again"
    return [median(spent) * 1e6 / packets / count for spent, (_, packets) in zip(costs, made, strict=True)]


async def _in_turn(ways: Sequence[Send]) -> list[list[float]]:
    """Picture by picture, so that what else goes on here weighs on all of them alike."""
    costs: list[list[float]] = [[] for _ in ways]
    card, encoder = Card(), Encoder("H264", VideoFormat(), 1280, 720)
    for at in range(FRAMES):
        for send, spent in zip(ways, costs, strict=True):
            await asyncio.sleep(BEAT)
            encoder.encode(Picture(card.draw(at, "12:00:00.000"), time.monotonic()))
            spent.append(await _timed(send))
    return costs


async def _back_to_back(ways: Sequence[Send]) -> list[list[float]]:
    """One way after the other."""
    return [[await _timed(send) for _ in range(FRAMES)] for send in ways]


async def _timed(send: Send) -> float:
    time.process_time()  # its first call after a while is slow
    before = time.process_time()
    await send(time.monotonic())
    return time.process_time() - before


async def _warm_up(send: Send) -> None:
    for _ in range(WARM_UP):
        await send(time.monotonic())
        await asyncio.sleep(0.001)  # for who empties the sockets


async def _ours(stack: AsyncExitStack, ports: list[int], suite: Suite, segmented: bool = True) -> tuple[Send, int]:
    stream = VideoStream(packetizer("H264"), 1, lambda: None, lambda on: None, 0)
    for port in ports:
        datagrams = Datagrams(_socket(stack), ("127.0.0.1", port))
        datagrams.segmented = segmented
        owner = SinkOwner(lambda: None, lambda: None, lambda: None)
        session = RtcpSession(1, "bench", 90_000)
        sink = Sink(datagrams, protector(MasterKey.generate(suite)), 96, session, owner)
        stream.outlet.add(sink, 0.0)

    async def send(now: float) -> None:
        stream.deliver(Coded(PICTURE, True, now))

    return send, PACKETS


async def _plain(stack: AsyncExitStack, ports: list[int]) -> tuple[Send, int]:
    packetizer, stream = H264Packetizer(), RtpStream(1, 96)
    peers = [(_socket(stack), ("127.0.0.1", port)) for port in ports]

    async def send(now: float) -> None:
        groups = stream.groups(packetizer.payloads(PICTURE), int(now * 90_000))
        packets = [packet for group in groups for packet in group.packets]
        for sock, address in peers:
            for packet in packets:
                sock.sendto(packet, address)

    return send, PACKETS


def _socket(stack: AsyncExitStack) -> socket.socket:
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return sock


class _Pictures(MediaStreamTrack):
    """A track that gives pictures that are encoded already."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def recv(self) -> Any:
        return await self.queue.get()


class _Ice(AsyncIOEventEmitter):
    """In place of an RTCIceTransport that has found its pair: aioice's own way out, and a count."""

    role, state = "controlling", "completed"

    def __init__(self, protocol: StunProtocol, address: tuple[str, int], tell: Callable[[], None]) -> None:
        super().__init__()
        self._connection = Connection(ice_controlling=True)
        remote = Candidate("1", 1, "udp", 1, address[0], address[1], "host")
        self._connection._nominated[1] = CandidatePair(protocol, remote)
        self._tell = tell

    async def _send(self, data: bytes) -> None:
        await self._connection.send(data)
        if not 192 <= data[1] <= 223:  # RTCP
            self._tell()


async def _aiortc(stack: AsyncExitStack, ports: list[int]) -> tuple[Send, int]:
    # It cuts into packets of its own size.
    packets = len(H264Encoder().pack(_packet(0))[0])
    sent, done = 0, asyncio.Event()

    def tell() -> None:
        nonlocal sent
        sent += 1
        if sent % (len(ports) * packets) == 0:
            done.set()

    tracks = []
    for port in ports:
        track = _Pictures()
        sender = RTCRtpSender(track, _transport(await _ice(stack, port, tell)))
        await sender.send(_parameters())
        stack.push_async_callback(sender.stop)
        tracks.append(track)

    async def send(now: float) -> None:
        done.clear()
        packet = _packet(int(now * 90_000))
        for track in tracks:
            track.queue.put_nowait(packet)
        await done.wait()

    return send, packets


async def _ice(stack: AsyncExitStack, port: int, tell: Callable[[], None]) -> _Ice:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: StunProtocol(Connection(ice_controlling=True)), local_addr=("127.0.0.1", 0)
    )
    stack.callback(transport.close)
    return _Ice(protocol, ("127.0.0.1", port), tell)


def _packet(at: int) -> av.Packet[Any]:
    packet: av.Packet[Any] = av.Packet(PICTURE)
    packet.pts, packet.time_base = at, Fraction(1, 90_000)
    return packet


def _transport(ice: Any) -> RTCDtlsTransport:
    """As after a handshake."""
    transport = RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()])
    policy = Policy(key=os.urandom(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND)
    transport._tx_srtp = Session(policy)
    transport._set_state(State.CONNECTED)
    return transport


def _parameters() -> RTCRtpSendParameters:
    codec = RTCRtpCodecParameters(
        mimeType="video/H264", clockRate=90_000, payloadType=102, parameters={"packetization-mode": "1"}
    )
    extensions = [RTCRtpHeaderExtensionParameters(at, uri) for at, uri in enumerate(EXTENSIONS, 1)]
    rtcp = RTCRtcpParameters(cname="bench")
    return RTCRtpSendParameters(codecs=[codec], headerExtensions=extensions, muxId="0", rtcp=rtcp)
