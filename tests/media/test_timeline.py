"""Timestamps of a peer on our clock."""

from __future__ import annotations

import pytest

from meshdoor.media.timeline import MAX_DRIFT, Timeline


def test_steps_are_those_of_the_peer_whatever_the_network_does() -> None:
    timeline = Timeline(8000)
    arrivals = [10.0, 10.021, 10.035, 10.09]
    times = [timeline.at(0xFFFFFFF0 + 160 * at & 0xFFFFFFFF, now) for at, now in enumerate(arrivals)]
    assert times == pytest.approx([10.0, 10.02, 10.04, 10.06])


def test_what_was_overtaken_has_no_time() -> None:
    timeline = Timeline(8000)
    assert timeline.at(320, 1.0) == 1.0
    assert timeline.at(320, 1.0) is None
    assert timeline.at(160, 1.01) is None


def test_another_time_begins_where_they_are_not_to_be_believed() -> None:
    timeline = Timeline(8000)
    timeline.at(0, 1.0)
    assert timeline.at(80_000_000, 2.0) == 2.0
    late = 3.0 + MAX_DRIFT
    assert timeline.at(80_000_160, late) == late
