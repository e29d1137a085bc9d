from __future__ import annotations

import pytest

from meshdoor.mesh.wire import KEEP_ALIVE
from meshdoor.node.calling import CROWD, FAST, pace, read_pace


@pytest.mark.parametrize(("rung", "interval"), [(0, FAST), (1, FAST), (CROWD, FAST), (2 * CROWD, 2 * FAST)])
def test_a_crowd_is_asked_less_often(rung: int, interval: float) -> None:
    assert pace(rung) == interval


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        (None, FAST),
        ("", FAST),
        ("2.000", 2.0),
        ("0", FAST),
        ("-1", FAST),
        ("nan", FAST),
        ("x", FAST),
        ("1e9", KEEP_ALIVE),
    ],
)
def test_the_pace_of_a_door_is_kept_within_reason(text: str | None, interval: float) -> None:
    assert read_pace(text) == interval
