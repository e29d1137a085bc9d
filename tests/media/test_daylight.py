from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.media.daylight import BRIGHT, DARK, LOOKS, Daylight, luma
from tests.media.test_privacy import white


def test_the_mean_of_a_picture() -> None:
    assert luma(white(320, 192)) == 0xEB
    frame = white(1280, 720)
    plane = memoryview(frame.planes[0]).cast("B")
    plane[: len(plane) // 2] = b"\x10" * (len(plane) // 2)
    assert luma(frame) == pytest.approx((0xEB + 0x10) / 2, abs=2)


def test_it_is_said_once_and_not_for_a_shadow() -> None:
    light = Daylight()
    assert [light.seen(120) for _ in range(LOOKS)] == [False] * (LOOKS - 1) + [True]
    assert not any([light.seen(20), light.seen(20), light.seen(120), light.seen(20), light.seen(20)])
    assert light.seen(20)
    assert not any(light.seen(level) for level in [DARK + 5] * 20)
    assert [light.seen(BRIGHT + 1) for _ in range(LOOKS)][-1]


def test_looks_are_rare() -> None:
    light = Daylight()
    assert sum(light.due(number / 30) for number in range(300)) == 10


@given(st.lists(st.floats(16, 235)))
def test_it_says_only_what_changes(levels: list[float]) -> None:
    light = Daylight()
    said = [light.dark for level in levels if light.seen(level)]
    assert all(one is not other for one, other in itertools.pairwise(said))
