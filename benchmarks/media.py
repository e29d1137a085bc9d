"""One encoder for all beside one for each screen; what a branch holds in memory; how steady pictures leave.

Steadiness: the test card is drawn at the beats of the clock, so a screen can tell how long a picture took from its beat
until its last packet was received: drawing, encoding, encryption and the network. It is measured with the node at rest;
with a node that parses SIP, shakes hands over TLS and takes snapshots all the time; and with the same work beside the
camera in one process, which is what the engine's own process is for.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Table, draining, median, number, percentile, resident
from benchmarks.sip_messages import INVITE
from meshdoor.media.card import Card
from meshdoor.media.encoder import Encoder, Picture
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import Address, Gates, StreamPlan, VideoFormat
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, MasterKey
from meshdoor.sip.message import parse_message
from meshdoor.trust.identity import Identity

VIDEO = VideoFormat()
FRAMES = 60
LEGS = 64
SECONDS = 5.0


def bench() -> Iterable[Table]:
    yield _encoders()
    yield asyncio.run(_memory())
    yield _steadiness()


def _encoders() -> Table:
    rows = []
    for count in (1, 4, 8):
        costs = _encode(1), _encode(count)
        rows.append((str(count), *map(number, costs), *(number(cost * VIDEO.fps / 10) for cost in costs)))
    return Table(
        "Encoding one picture of 1280x720 for all screens, ms of CPU",
        ("screens", "once", "for each", "once, % of a core", "for each, % of a core"),
        tuple(rows),
    )


def _encode(count: int) -> float:
    card = Card(VIDEO.width, VIDEO.height)
    encoders = [Encoder("H264", VIDEO, VIDEO.width, VIDEO.height) for _ in range(count)]
    costs = []
    for number_ in range(FRAMES):
        picture = Picture(card.draw(number_, "12:00:00.000"), number_ / VIDEO.fps)
        before = time.process_time()
        for encoder in encoders:
            encoder.encode(picture)
        costs.append(time.process_time() - before)
    return median(costs) * 1e3


def _plan(port: int) -> StreamPlan:
    key = MasterKey.generate(AEAD_AES_128_GCM)
    return StreamPlan("sendonly", Address("127.0.0.1", port), "H264", 96, 90_000, tx_key=key)


async def _open_legs(engine: Engine, ports: list[int]) -> None:
    for at, port in enumerate(ports):
        await engine.open_leg(f"b{at}", "127.0.0.1")
        await engine.start_leg(StartLeg(f"b{at}", video=_plan(port), gates=Gates()))


async def _memory() -> Table:
    with draining(LEGS) as drain:
        async with Engine(Hello("door"), lambda event: None) as engine:
            await engine.wait_ready()
            assert engine.pid is not None
            await _open_legs(engine, drain.ports[:1])
            await asyncio.sleep(1)
            one = resident(engine.pid)
            for at, port in enumerate(drain.ports[1:], 1):
                await engine.open_leg(f"b{at}", "127.0.0.1")
                await engine.start_leg(StartLeg(f"b{at}", video=_plan(port)))
            await asyncio.sleep(1)
            all_ = resident(engine.pid)
    return Table(
        "Memory of the engine while it sends 1280x720",
        ("branches", "MB", "KB for each more"),
        (("1", number(one / 1e6), ""), (str(LEGS), number(all_ / 1e6), number((all_ - one) / 1e3 / (LEGS - 1)))),
        ("four sockets, keys, RTCP state and queue; the packets themselves are shared",),
    )


def _steadiness() -> Table:
    measured = {
        "node at rest": _late(_nothing),
        "node busy": _late(_busy),
        "node busy, engine in its process": _late_in_one_process(),
    }
    rows = []
    for title, late in measured.items():
        figures = median(late), percentile(late, 0.99), max(late)
        rows.append((title, *(number(figure / 1e3) for figure in figures), str(len(late))))
    return Table(
        "From the beat of a picture until a screen has all of it, ms (4 screens, 1280x720 at 30)",
        ("", "median", "99 %", "worst", "pictures"),
        tuple(rows),
    )


def _late(work: Callable[[], Any]) -> list[int]:
    with draining(4, str(VIDEO.fps)) as drain:
        asyncio.run(_send(drain.ports, work))
        return [int(line) for line in drain.finish()[1:]][FRAMES // 2 :]


async def _send(ports: list[int], work: Callable[[], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(Hello("door"), lambda event: None) as engine:
            await engine.wait_ready()
            await _open_legs(engine, ports)
            with work():
                until = time.monotonic() + SECONDS
                while time.monotonic() < until:
                    await asyncio.sleep(0.5)
                    if work is _busy:
                        await engine.snapshot(str(Path(folder, "snapshot.jpg")))


def _late_in_one_process() -> list[int]:
    """The engine in a thread of this process, beside the busy one."""
    with draining(4, str(VIDEO.fps)) as drain:
        asyncio.run(_send_here(drain.ports))
        return [int(line) for line in drain.finish()[1:]][FRAMES // 2 :]


async def _send_here(ports: list[int]) -> None:
    from meshdoor.media.engine import Engine as EngineProcess
    from meshdoor.media.messages import Command, OpenLeg, encode

    engine = EngineProcess(lambda data: None)
    commands: list[Command] = [Hello("door")]
    for at, port in enumerate(ports):
        commands += [OpenLeg(f"b{at}", "127.0.0.1"), StartLeg(f"b{at}", video=_plan(port))]
    for request, command in enumerate(commands):
        engine.handle(encode(command, request))
    try:
        with _busy():
            await asyncio.sleep(SECONDS)
    finally:
        engine.close()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _busy() -> Iterator[None]:
    """A thread that parses messages and shakes hands without a pause."""
    end = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "identity.pem")
        pem.write_bytes(Identity.generate().to_pem())
        thread = threading.Thread(target=_work, args=(end, pem))
        thread.start()
        yield
        end.set()
        thread.join()


def _work(end: threading.Event, pem: Path) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(pem)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    while not end.is_set():
        for _ in range(50):
            parse_message(INVITE)
        _handshake(server, client)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up)]
    while ends:
        for end in reversed(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)

