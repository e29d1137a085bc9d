"""The engine as a process: commanded by its client, seen by peers on real sockets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import engine_client
from meshdoor.media.card import frame_number
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import VIDEO, Gates, VideoFormat
from meshdoor.media.reports import EngineLost, EngineReady, Event, FirstPacketSent
from meshdoor.rtp.srtp import AES_CM_128_HMAC_SHA1_80
from tests.media.files import in_thread
from tests.media.peer import Peer
from tests.media.test_source import film
from tests.patience import until

SMALL = VideoFormat(320, 192, 30, 300_000)
HELLO = Hello("door", video=SMALL)


@asynccontextmanager
async def running(hello: Hello = HELLO) -> AsyncIterator[tuple[Engine, list[Event]]]:
    events: list[Event] = []
    async with Engine(hello, events.append) as engine:
        await engine.wait_ready()
        yield engine, events


@contextmanager
def peers(*made: Peer) -> Iterator[tuple[Peer, ...]]:
    yield made
    for peer in made:
        peer.close()


async def test_every_peer_sees_the_card_under_its_own_key() -> None:
    with peers(Peer(), Peer(AES_CM_128_HMAC_SHA1_80), Peer(host="::1")) as screens:
        async with running() as (engine, events):
            for number, screen in enumerate(screens):
                await engine.open_leg(f"b{number}", screen.address.host)
                await engine.start_leg(StartLeg(f"b{number}", video=screen.plan()))
            for screen in screens:
                await screen.until_shown(5)
                shown = [number for number in screen.numbers if number is not None]
                assert len(shown) == len(screen.numbers)
                assert shown == sorted(set(shown))
                assert 0 <= frame_number(time.monotonic(), SMALL.fps) - shown[-1] < 10 * SMALL.fps
                assert screen.packets[0].payload_type == 102
            told = [event for event in events if isinstance(event, FirstPacketSent)]
            assert [(event.leg, event.media) for event in told] == [("b0", VIDEO), ("b1", VIDEO), ("b2", VIDEO)]
            statistics = await engine.close_leg("b0")
            assert statistics.video.packets_sent >= len(screens[0].packets)
            assert len((await engine.statistics()).legs) == 2


async def test_one_key_frame_serves_who_comes_shortly_after() -> None:
    with peers(Peer(), Peer()) as (first, second):
        async with running() as (engine, _):
            for name, screen in (("b0", first), ("b1", second)):
                await engine.open_leg(name, "127.0.0.1")
                await engine.start_leg(StartLeg(name, video=screen.plan()))
                await screen.until_shown(1)
            assert second.packets[0].timestamp == first.packets[0].timestamp


async def test_a_medium_that_does_not_change_goes_on_undisturbed() -> None:
    with peers(Peer()) as (screen,):
        async with running() as (engine, _):
            await engine.open_leg("b0", "127.0.0.1")
            await engine.start_leg(StartLeg("b0", video=screen.plan()))
            await screen.until_shown(3)
            made = (await engine.statistics()).key_frames
            await engine.start_leg(StartLeg("b0", video=screen.plan()))
            await screen.until_shown(len(screen.numbers) + 12)
            assert (await engine.statistics()).key_frames == made


async def test_a_shut_gate_lets_nothing_out() -> None:
    with peers(Peer()) as (screen,):
        async with running() as (engine, events):
            await engine.open_leg("b0", "127.0.0.1")
            await engine.start_leg(StartLeg("b0", video=screen.plan(), gates=Gates(picture=False)))
            assert (await engine.statistics()).frames == 0
            screen.read()
            assert not screen.packets
            assert not any(isinstance(event, FirstPacketSent) for event in events)
            await engine.gate("b0", Gates())
            await screen.until_shown(1)


async def test_a_lost_picture_is_asked_for() -> None:
    with peers(Peer()) as (screen,):
        async with running() as (engine, _):
            await engine.open_leg("b0", "127.0.0.1")
            await engine.start_leg(StartLeg("b0", video=screen.plan()))
            await screen.until_shown(3)
            made = (await engine.statistics()).key_frames
            again = screen.packets[0].sequence_number
            screen.send_rtcp(screen.session.picture_loss())
            screen.send_rtcp(screen.session.nack((again,)))
            await screen.until(lambda: screen.refused)  # it had not been lost, so SRTP takes it for a replay
            shown = len(screen.numbers)
            await screen.until_shown(shown + 12)
            assert (await engine.statistics()).key_frames == made + 1
            statistics = (await engine.statistics()).legs[0].video
            assert (statistics.key_frames_requested, statistics.packets_resent) == (1, 1)


async def test_vp8_for_who_has_no_h264() -> None:
    with peers(Peer(codec="VP8")) as (screen,):
        async with running() as (engine, _):
            await engine.open_leg("b0", "127.0.0.1")
            await engine.start_leg(StartLeg("b0", video=screen.plan()))
            await screen.until_shown(4)
            assert None not in screen.numbers


async def test_what_cannot_be_done_says_why() -> None:
    async with running() as (engine, _):
        with pytest.raises(EngineError, match="no leg b9"):
            await engine.close_leg("b9")
        with pytest.raises(EngineError, match="is no address"):
            await engine.open_leg("b0", "localhost.invalid")
        await engine.open_leg("b0", "127.0.0.1")
        with pytest.raises(EngineError, match="open already"):
            await engine.open_leg("b0", "127.0.0.1")


async def test_a_dead_engine_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_client, "FIRST_BACK_OFF", 0.01)
    with peers(Peer()) as (screen,):
        async with running() as (engine, events):
            await engine.open_leg("b0", "127.0.0.1")
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGKILL)
            await until(lambda: [event for event in events if isinstance(event, EngineReady)][1:])
            assert EngineLost(("b0",), "exit status -9") in events
            await engine.open_leg("b0", "127.0.0.1")
            await engine.start_leg(StartLeg("b0", video=screen.plan()))
            await screen.until_shown(1)


async def test_an_engine_that_cannot_start_is_tried_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_client, "FIRST_BACK_OFF", 0.01)
    monkeypatch.setattr(engine_client, "ANSWER_TIMEOUT", 0.05)
    events: list[Event] = []
    async with Engine(HELLO, events.append, command=("/bin/false",)) as engine:
        await until(lambda: len(events) >= 3)
        assert set(events) == {EngineLost((), "exit status 1")}
        with pytest.raises(EngineError, match="did not answer"):
            await engine.open_leg("b0", "127.0.0.1")


async def test_it_ends_with_its_node() -> None:
    async with running() as (engine, _):
        pid = engine.pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_film_is_sent_without_encoding_it_again(tmp_path: Path) -> None:
    path = await in_thread(film, tmp_path / "clip.mp4", "baseline", 15, 45)
    with peers(Peer(), Peer()) as (first, second):
        async with running(Hello("door", camera=path, video=SMALL)) as (engine, _):
            for name, screen in (("b0", first), ("b1", second)):
                await engine.open_leg(name, "127.0.0.1")
                await engine.start_leg(StartLeg(name, video=screen.plan()))
                await screen.until_shown(5)
                assert screen.numbers[:5] == [0, 1, 2, 3, 4]
            assert (await engine.statistics()).encode_time == 0.0
