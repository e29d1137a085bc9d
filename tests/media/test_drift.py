from __future__ import annotations

import random
from statistics import mean

import pytest

from meshdoor.media.drift import BAND, LIMIT, WINDOW, Drift
from meshdoor.media.sound import RATE, SAMPLES

CHUNK = 480  # what a card takes at once


def played(ppm: float, seconds: int, busy: float = 0.0) -> tuple[list[float], list[int]]:
    """A speaker whose card is `ppm` too fast: what was stretched, and the level before each beat. `busy`: how many
    seconds a beat may come late."""
    drift, dice = Drift(720), random.Random(1)
    queued, taken = 1440.0, 0.0
    stretched, levels = [], []
    for beat in range(seconds * 50):
        now = beat * 0.02 + dice.random() * busy
        due = now * RATE * (1 + ppm / 1e6) // CHUNK * CHUNK
        queued, taken = queued - (due - taken), due
        levels.append(round(queued))
        stretched.append(drift.observe(round(queued)))
        queued += SAMPLES * (1 + stretched[-1] / 1e6)
    return stretched, levels


@pytest.mark.parametrize("ppm", [-500, -100, 0, 100, 500])
@pytest.mark.parametrize("busy", [0.0, 0.008])
def test_a_level_stays_where_it_is_enough(ppm: float, busy: float) -> None:
    stretched, levels = played(ppm, 1200, busy)
    assert min(levels) > 0
    assert max(levels) < 720 + BAND + CHUNK + 1000
    # Without it 500 ppm would have made 28800 samples of difference.
    assert mean(stretched[10_000:]) == pytest.approx(ppm, abs=25)
    assert max(map(abs, stretched)) <= LIMIT


def test_nothing_is_stretched_without_need() -> None:
    drift = Drift(240)
    assert {drift.observe(300 + beat % 5) for beat in range(1000)} == {0.0}


def test_it_is_never_heard() -> None:
    drift = Drift(240)
    assert min(drift.observe(20_000) for _ in range(1000)) == -LIMIT


def test_a_surplus_is_what_was_there_for_seconds() -> None:
    drift = Drift(240)
    for beat in range(2 * WINDOW):
        drift.observe(3000)
        assert bool(drift.surplus) == (beat >= WINDOW - 1)
    assert drift.surplus == 3000 - 240 - BAND // 2
    drift.observe(500)
    assert drift.surplus == 0


def test_a_margin_grows_when_it_was_not_enough_and_comes_back() -> None:
    drift = Drift(240)
    drift.ran_out()
    assert drift.margin == 480
    for _ in range(100):
        drift.ran_out()
    assert drift.margin == 240 + 2880
    for _ in range(60 * 60 * 50):
        drift.observe(4000)
    assert drift.margin == 240


def test_a_restart_forgets_the_level_but_not_the_clocks() -> None:
    drift = Drift(240)
    for _ in range(2 * WINDOW):
        drift.observe(0)
    assert drift.ppm > 0
    learnt = drift.ppm
    drift.restart()
    assert drift.lowest is None
    assert drift.observe(5000) == learnt
