"""Which picture a link can carry, by the reports of its peer."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.media.adapting import LOWEST, MAX_PATIENCE, PATIENCE, SETTLE, STEPS, TRIAL, LinkClass, smaller
from meshdoor.media.plans import VideoFormat

HOUSE = VideoFormat()


class Clock:
    """Reports once a second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.link = LinkClass()

    def reports(self, lost: float, count: int = 1, round_trip: float | None = 0.02) -> int:
        for _ in range(count):
            self.now += 1.0
            self.link.measured(lost, round_trip, self.now)
        return self.link.level

    def until(self, lost: float, level: int) -> float:
        began = self.now
        while self.link.level != level:
            assert self.now - began < 1000
            self.reports(lost)
        return self.now - began


def test_a_good_link_has_the_houses_picture_for_ever() -> None:
    assert Clock().reports(0.0, 1000) == 0
    assert Clock().reports(0.05, 1000) == 0  # what is sent again costs less than a smaller picture


def test_one_bad_report_is_none() -> None:
    clock = Clock()
    for _ in range(20):
        assert clock.reports(0.2) == 0
        assert clock.reports(0.0) == 0


@pytest.mark.parametrize(("lost", "reports"), [(0.15, 2), (0.5, 1)])
def test_a_full_link_gets_less(lost: float, reports: int) -> None:
    clock = Clock()
    assert clock.reports(lost, reports) == 1
    assert clock.reports(lost) == 1  # what was on its way when it changed counts no more
    assert clock.until(lost, LOWEST) < 2 * (SETTLE + 3)
    assert clock.reports(lost, 50) == LOWEST


def test_a_queue_that_fills_is_a_full_link() -> None:
    clock = Clock()
    clock.reports(0.0, 3, round_trip=0.05)
    assert clock.reports(0.0, 5, round_trip=0.3) == 0
    assert clock.reports(0.0, 2, round_trip=0.9) == 1
    assert clock.reports(0.0, 3, round_trip=None) == 1


def test_a_long_way_is_no_queue() -> None:
    assert Clock().reports(0.0, 50, round_trip=0.9) == 0


def test_it_tries_more_after_a_time_of_calm_and_longer_when_that_failed() -> None:
    clock = Clock()
    clock.reports(0.5)
    assert clock.until(0.0, 0) == pytest.approx(PATIENCE + SETTLE, abs=2)
    clock.reports(0.5, 2)
    assert clock.link.level == 1
    assert clock.until(0.0, 0) == pytest.approx(2 * PATIENCE, abs=3)
    clock.reports(0.0, int(TRIAL) + 1)
    clock.reports(0.5)  # long after: that is another trouble
    assert clock.until(0.0, 0) == pytest.approx(2 * PATIENCE + SETTLE, abs=2)
    for _ in range(8):
        clock.reports(0.5, 2)
        clock.until(0.0, 0)
    clock.reports(0.5, 2)
    assert clock.until(0.0, 0) == pytest.approx(MAX_PATIENCE, abs=4)


def test_some_loss_is_no_calm() -> None:
    clock = Clock()
    clock.reports(0.5)
    assert clock.reports(0.04, 200) == 1


def test_what_is_sent() -> None:
    assert smaller(HOUSE, 0) == HOUSE
    assert smaller(HOUSE, 1) == VideoFormat(640, 360, 15, 400_000)
    assert smaller(HOUSE, LOWEST) == VideoFormat(320, 180, 8, 80_000)


@given(st.integers(2, 4096), st.integers(2, 4096), st.integers(1, 60), st.integers(1000, 10_000_000))
def test_each_step_is_smaller_than_the_one_before_and_can_be_encoded(w: int, h: int, fps: int, rate: int) -> None:
    formats = [smaller(VideoFormat(w // 2 * 2, h // 2 * 2, fps, rate), level) for level in range(len(STEPS))]
    for more, less in itertools.pairwise(formats):
        assert (less.width, less.height) <= (more.width, more.height)
        assert less.fps <= more.fps
        assert less.bitrate <= more.bitrate
    assert all(each.width % 2 == each.height % 2 == 0 and each.width and each.fps and each.bitrate for each in formats)


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 10), st.floats(0, 30)), max_size=60))
def test_no_reports_break_it(reports: list[tuple[float, float | None, float]]) -> None:
    link, now = LinkClass(), 0.0
    for lost, round_trip, wait in reports:
        now += wait
        before = link.level
        assert link.measured(lost, round_trip, now) == (link.level != before)
        assert 0 <= link.level <= LOWEST
        assert abs(link.level - before) <= 1
