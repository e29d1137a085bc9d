from __future__ import annotations

import asyncio
import logging

import pytest

from meshdoor.media.metronome import MAX_BEHIND, Metronome
from meshdoor.media.sound import INTERVAL
from tests.patience import until


async def test_beats_come_in_time_and_without_drift() -> None:
    loop = asyncio.get_running_loop()
    beats: list[tuple[int, float]] = []
    metronome = Metronome(lambda number: beats.append((number, loop.time())))
    began = loop.time()
    metronome.start()
    metronome.start()
    await until(lambda: len(beats) >= 10)
    metronome.stop()
    assert not metronome.running
    assert len(beats) + metronome.left_out == beats[-1][0] + 1
    # Never early; how late is up to the machine.
    assert all(at - began > number * INTERVAL - 0.005 for number, at in beats)


async def test_missed_beats_are_made_up_for_but_not_all() -> None:
    beats: list[int] = []
    metronome = Metronome(beats.append)
    metronome.start()
    await asyncio.sleep(0)
    metronome._origin -= 0.06
    metronome._run()
    assert beats == list(range(len(beats)))
    assert len(beats) >= 4
    made = len(beats)
    metronome._origin -= 1.0
    metronome._run()
    assert len(beats) == made + 1
    assert metronome.left_out > MAX_BEHIND
    metronome.stop()


async def test_a_beat_may_stop_it() -> None:
    beats: list[int] = []

    def beat(number: int) -> None:
        beats.append(number)
        metronome.stop()

    metronome = Metronome(beat)
    metronome.start()
    metronome.stop()
    metronome.start()
    await asyncio.sleep(0.05)
    assert beats == [0]


async def test_an_error_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    beats: list[int] = []

    def beat(number: int) -> None:
        beats.append(number)
        raise ValueError

    metronome = Metronome(beat)
    with caplog.at_level(logging.CRITICAL):
        metronome.start()
        await until(lambda: len(beats) > 1)
    metronome.stop()
