"""What a branch costs where a door station's media are sent on: CPU of the engine, for each screen.

A door with the test card plays the station: its engine sends pictures and sound in the clear to another engine, which
sends them on to screens, each under its own key, on sockets that another process empties. What is told is the processor
time of that second engine, in the kernel and out of it, less what it takes to receive alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from benchmarks.harness import Table, cpu, draining, number
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import Address, Gates, StreamPlan, VideoFormat
from meshdoor.media.reports import Event, LegOpened
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, Suite

HOST = "127.0.0.1"
VIDEO = VideoFormat()
BRANCHES = (0, 1, 4, 8, 16)
SECONDS, SETTLING = 8.0, 1.5
OPEN = Gates(microphone=True, speaker=True)


def bench() -> Iterable[Table]:
    yield asyncio.run(_measure())


async def _measure() -> Table:
    rows = []
    alone = 0.0
    for suite in (AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80):
        for count in BRANCHES:
            spent, packets = await _relay(count, suite)
            if count == 0:
                alone = spent
                rows.append((str(suite.name), "0", number(100 * spent), "", ""))
                continue
            each = (spent - alone) / count
            rows.append(
                (str(suite.name), str(count), number(100 * spent), number(100 * each), number(1e6 * each / packets))
            )
    return Table(
        f"Pictures of {VIDEO.width}x{VIDEO.height} at {VIDEO.fps}/s and sound of a station, sent on",
        ("suite", "branches", "% of a core", "% for each branch", "µs for each packet"),
        tuple(rows),
        ("without branches it receives and puts pictures together; nothing is decoded or encoded",),
    )


async def _relay(count: int, suite: Suite) -> tuple[float, float]:
    """CPU in seconds a second, and packets a second to each branch."""
    screen = Hello("screen", camera="none", microphone="silence")
    with draining(max(2 * count, 1)) as drain:
        async with Engine(Hello("door", video=VIDEO), _ignore) as station, Engine(screen, _ignore) as node:
            await station.wait_ready()
            await node.wait_ready()
            here, there = await node.open_leg("s", HOST), await station.open_leg("s", HOST)
            sound, pictures = _plans(here, None)
            await station.start_leg(StartLeg("s", sound, pictures, OPEN))
            sound, pictures = _plans(there, None)
            await node.start_leg(StartLeg("s", sound, replace(pictures, direction="recvonly"), OPEN, source="s"))
            for at in range(count):
                await node.open_leg(f"b{at}", HOST)
                ports = LegOpened(drain.ports[2 * at], drain.ports[2 * at + 1], 0, 0)
                sound, pictures = _plans(ports, suite)
                await node.start_leg(StartLeg(f"b{at}", sound, pictures, OPEN, source="s"))
            await asyncio.sleep(SETTLING)
            assert node.pid is not None
            before, sent = cpu(node.pid), await _sent(node)
            await asyncio.sleep(SECONDS)
            spent = (cpu(node.pid) - before) / SECONDS
            return spent, (await _sent(node) - sent) / SECONDS / max(count, 1)


async def _sent(node: Engine) -> int:
    """Packets to all branches."""
    legs = (await node.statistics()).legs
    return sum(leg.audio.packets_sent + leg.video.packets_sent for leg in legs if leg.leg != "s")


def _plans(peer: LegOpened, suite: Suite | None) -> tuple[StreamPlan, StreamPlan]:
    """Sound and pictures to a peer, encrypted or not."""
    key = None if suite is None else MasterKey.generate(suite)
    sound = StreamPlan("sendrecv", Address(HOST, peer.audio_port), "PCMU", 0, 8000, tx_key=key, rx_key=key)
    pictures = StreamPlan("sendonly", Address(HOST, peer.video_port), "H264", 96, 90_000, tx_key=key, rx_key=key)
    return sound, pictures


def _ignore(event: Event) -> None:
    """Nothing that it tells matters here."""
