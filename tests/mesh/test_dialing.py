"""The back-off of one member's dials."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.mesh.dialing import FRESH, LONGEST_INTERVAL, PATIENCE, SECOND_GOES, Dialing


def dialing(goes_first: bool = True, random: float = 0.0) -> Dialing:
    return Dialing(goes_first, lambda: random)


def test_idle_until_woken() -> None:
    side = dialing()
    assert (side.due, side.start(99)) == (None, False)
    side.wake(10)
    assert (side.due, side.start(9), side.start(10)) == (10, False, True)


def test_the_higher_key_leaves_the_first_try_to_the_other() -> None:
    side = dialing(goes_first=False)
    side.wake(10)
    assert side.due == 10 + SECOND_GOES


def test_it_backs_off_to_half_a_minute() -> None:
    side, now, waits = dialing(random=0.999999), 0.0, []
    side.wake(now)
    for _ in range(20):
        now = side.due or 0
        assert side.start(now)
        side.failed(now)
        waits.append(round((side.due or 0) - now, 3))
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == LONGEST_INTERVAL


def test_a_fresh_sighting_resets_the_back_off_but_not_the_rate() -> None:
    side = dialing()
    side.wake(0)
    for now in range(1, 8):
        side.start(side.due or 0)
        side.failed(now)
    side.due = 100
    side.start(100)
    side.failed(100)
    side.wake(100.01)
    assert side.due == 100 + FRESH
    side.wake(100.02)
    assert side.due == 100 + FRESH
    side.start(101)
    side.failed(101)
    assert side.due == 101.1


def test_a_dial_that_nobody_reports_on_is_given_up() -> None:
    side = dialing()
    side.wake(0)
    side.start(0)
    side.wake(1)
    assert side.due == PATIENCE
    assert not side.start(PATIENCE)
    assert side.start(PATIENCE + 1)


def test_rest_ends_all() -> None:
    side = dialing()
    side.wake(0)
    side.start(0)
    side.rest()
    side.failed(1)
    assert side.due is None


steps_of_a_dial = st.sampled_from(["wake", "start", "failed", "rest"])


@given(st.booleans(), st.lists(st.tuples(steps_of_a_dial, st.floats(0, 3))))
def test_never_more_than_one_dial_a_second_and_never_forgotten(
    first: bool, steps: list[tuple[str, float]]
) -> None:
    side, now, awake, dials = dialing(first, 0.5), 0.0, False, []
    for step, interval in steps:
        now += interval
        if step == "start":
            if side.start(now):
                dials.append(now)
        else:
            getattr(side, step)(*([] if step == "rest" else [now]))
            awake = step == "wake" or (awake and step != "rest")
        assert (side.due is not None) == awake
        assert side.due is None or side.due <= now + LONGEST_INTERVAL
    recent = [when for when in dials if when > now - 1]
    assert len(recent) <= 5
