"""The house's picture, and a smaller one for those whose links carry less: real engines, real RTCP, real decoders."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import VideoFormat
from meshdoor.media.reports import StreamStatistics
from meshdoor.rtp.rtcp import ReceiverReport, ReportBlock, report_compound
from meshdoor.settings.camera import CameraConfig
from tests.media.peer import SSRC, Peer
from tests.patience import PATIENCE

HOUSE = VideoFormat(640, 384, 30, 600_000)
HALF = (320, 192)


@asynccontextmanager
async def watched(*screens: Peer, adapt: bool = True) -> AsyncIterator[Engine]:
    """Each is a leg of the engine: b0, b1 and so on."""
    hello = Hello("door", camera="card", video=HOUSE, pictures=CameraConfig(adapt=adapt))
    async with Engine(hello, lambda event: None) as engine:
        await engine.wait_ready()
        for number, screen in enumerate(screens):
            await engine.open_leg(f"b{number}", screen.address.host)
            await engine.start_leg(StartLeg(f"b{number}", video=screen.plan()))
        for screen in screens:
            await screen.until_shown(3)
        try:
            yield engine
        finally:
            for screen in screens:
                screen.close()


def report(screen: Peer, lost: float) -> None:
    """The peer says which part of the packets it lost."""
    last = screen.packets[-1]
    block = ReportBlock(last.ssrc, int(lost * 255), 0, last.sequence_number, 0, 0, 0)
    screen.send_rtcp(report_compound(ReceiverReport(SSRC, (block,)), "test"))


async def statistics(engine: Engine, leg: str) -> StreamStatistics:
    return next(each.video for each in (await engine.statistics()).legs if each.leg == leg)


async def test_a_bad_link_gets_a_smaller_picture_and_takes_nothing_from_the_house() -> None:
    good, bad = Peer(), Peer()
    async with watched(good, bad) as engine:
        report(good, 0.02)
        report(bad, 0.5)
        await bad.until(lambda: bad.sizes[-1] == HALF)
        began = len(good.sizes)
        await good.until_shown(began + 10)
        assert set(good.sizes) == {(640, 384)}
        bad.read()
        numbers = [packet.sequence_number for packet in bad.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        stamps = [packet.timestamp for packet in bad.packets]
        assert max(later - sooner for sooner, later in itertools.pairwise(stamps)) < 90_000
        assert len({packet.ssrc for packet in bad.packets}) == 1
        assert bad.refused == 0
        shown = [number for number in bad.numbers if number is not None]
        assert shown == sorted(set(shown))
        assert (await statistics(engine, "b1")).level == 1
        assert (await statistics(engine, "b0")).level == 0


async def test_the_small_one_comes_at_half_the_rate() -> None:
    good, bad = Peer(), Peer()
    async with watched(good, bad):
        report(bad, 0.5)
        await bad.until(lambda: bad.sizes[-1] == HALF)
        full, small = len(good.sizes), len(bad.sizes)
        await good.until_shown(full + 40)
        bad.read()
        assert len(bad.sizes) - small == pytest.approx(20, abs=6)


async def test_nobody_pays_for_it_while_nobody_needs_it() -> None:
    one, two = Peer(), Peer()
    async with watched(one, two) as engine:
        report(one, 0.05)
        report(two, 0.05)
        before = (await engine.statistics()).frames
        shown = len(one.sizes)
        await one.until_shown(shown + 20)
        assert (await engine.statistics()).frames - before <= 24
        report(two, 0.9)
        await two.until(lambda: two.sizes[-1] == HALF)
        await engine.close_leg("b1")
        before = (await engine.statistics()).frames
        shown = len(one.sizes)
        await one.until_shown(shown + 20)
        assert (await engine.statistics()).frames - before <= 24


async def test_it_can_be_switched_off() -> None:
    screen = Peer()
    async with watched(screen, adapt=False) as engine:
        for _ in range(4):
            report(screen, 0.9)
            shown = len(screen.sizes)
            await screen.until_shown(shown + 3)
        assert set(screen.sizes) == {(640, 384)}
        assert (await statistics(engine, "b0")).level == 0


async def test_a_link_that_stays_bad_gets_less_still() -> None:
    screen = Peer()
    async with watched(screen) as engine:
        report(screen, 0.9)
        await screen.until(lambda: screen.sizes[-1] == HALF)
        async with asyncio.timeout(PATIENCE):
            while (await statistics(engine, "b0")).level < 2:
                report(screen, 0.9)
                await screen.until_shown(len(screen.sizes) + 5)
        await screen.until(lambda: screen.sizes[-1][1] < HALF[1])
        shown = [number for number in screen.numbers if number is not None]
        assert shown == sorted(set(shown))
