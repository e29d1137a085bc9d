from __future__ import annotations

import random
from statistics import mean

import pytest

from meshdoor.media.drift import BAND, CARD, LIMIT, MOST, WINDOW, Drift
from meshdoor.media.sound import RATE, SAMPLES

LEAST, PIECE = 720, 960  # samples; of a card that takes as much at once


class Speaker:
    """A card that is `ppm` too fast, and what was done about it. `busy`: how many seconds a beat may come late."""

    def __init__(self, ppm: float, busy: float, quiet: float) -> None:
        self.drift, self._dice = Drift(LEAST), random.Random(1)
        self._rate, self._busy, self._quiet = RATE * (1 + ppm / 1e6), busy, quiet
        self._queued, self._taken = float(LEAST + PIECE), 0.0
        self.stretched: list[float] = []
        self.levels: list[int] = []
        self.corrections: list[int] = []
        self._beat = 0

    def plays(self, seconds: int) -> None:
        for _ in range(seconds * 50):
            self._beat += 1
            due = (self._beat * 0.02 + self._dice.random() * self._busy) * self._rate // PIECE * PIECE
            self._queued, self._taken = self._queued - (due - self._taken), due
            self._write(round(self._queued))

    def _write(self, level: int) -> None:
        self.levels.append(level)
        if level <= 0:
            self.drift.ran_out()
            self._queued = float(self.drift.margin)
        elif (correction := self.drift.correction) and self._dice.random() < self._quiet:
            self.corrections.append(correction)
            self.drift.restart()
            self._queued -= correction
        else:
            self.stretched.append(self.drift.observe(level))
            self._queued += SAMPLES * self.stretched[-1] / 1e6
        self._queued += SAMPLES


def ran_out(levels: list[int]) -> int:
    return sum(level <= 0 for level in levels)


CARDS = pytest.mark.parametrize("ppm", [-500, -100, 0, 100, 500])
LOOPS = pytest.mark.parametrize("busy", [0.0, 0.008])


@CARDS
@LOOPS
def test_it_is_corrected_where_it_is_quiet(ppm: float, busy: float) -> None:
    speaker = Speaker(ppm, busy, quiet=0.2)
    speaker.plays(1200)
    assert ran_out(speaker.levels) <= 4
    assert max(speaker.levels) < LEAST + BAND + 4 * PIECE
    # 500 ppm make 28800 samples, and each correction is of a piece or two.
    assert sum(speaker.corrections) == pytest.approx(-ppm / 500 * 28_800, abs=8 * PIECE)
    assert mean(map(abs, speaker.stretched)) < 50


def test_cards_as_fast_as_we_are_are_left_alone() -> None:
    """An echo canceller counts on it."""
    for busy in (0.0, 0.002):
        speaker = Speaker(0, busy, quiet=1.0)
        speaker.plays(600)
        assert not speaker.corrections
        assert set(speaker.stretched) == {0.0}


@CARDS
@LOOPS
def test_a_sound_without_a_pause_is_stretched_when_there_is_need(ppm: float, busy: float) -> None:
    speaker = Speaker(ppm, busy, quiet=0.0)
    speaker.plays(1200)
    assert ran_out(speaker.levels) <= 8
    assert max(speaker.levels) < MOST // 2


def test_nothing_is_stretched_without_need() -> None:
    drift = Drift(240)
    assert {drift.observe(300 + beat % 5) for beat in range(1000)} == {0.0}
    assert drift.correction == 0


def test_it_is_never_heard() -> None:
    drift = Drift(240)
    assert min(drift.observe(20_000) for _ in range(1000)) == -LIMIT


def test_too_much_is_what_was_there_for_seconds() -> None:
    drift = Drift(240)
    for beat in range(2 * WINDOW):
        drift.observe(3000)
        assert bool(drift.correction) == (beat >= WINDOW - 1)
    assert drift.correction == 3000 - 240 - CARD
    drift.observe(500)
    assert drift.correction == 0


def test_too_little_is_put_in() -> None:
    drift = Drift(240)
    for _ in range(2 * WINDOW):
        drift.observe(50)
    assert drift.correction == 50 - 240 - CARD


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
