from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.ratelimit import KeyedRateLimit, LogLimiter, RateLimit


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = RateLimit(rate=2, burst=3)
    assert [bucket.allow(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.allow(101.0) for _ in range(3)] == [True, True, False]


def test_a_refusal_takes_nothing() -> None:
    bucket = RateLimit(rate=1, burst=5)
    assert not bucket.allow(0.0, cost=6)
    assert bucket.allow(0.0, cost=5)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = RateLimit(rate=1, burst=1)
    assert bucket.allow(100.0)
    assert not bucket.allow(50.0)
    assert bucket.allow(51.0)


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1), max_size=60))
def test_no_bucket_exceeds_burst_and_rate(steps: list[float]) -> None:
    bucket, now, given_out = RateLimit(rate=3, burst=4), 0.0, 0
    for step in steps:
        now += step
        given_out += bucket.allow(now)
    assert given_out <= 4 + 3 * now + 1e-6


def test_keys_do_not_share_a_bucket() -> None:
    limit = KeyedRateLimit(rate=1, burst=1)
    assert limit.allow("a", 0.0)
    assert limit.allow("b", 0.0)
    assert not limit.allow("a", 0.0)


def test_the_number_of_keys_is_bounded_and_the_quietest_goes() -> None:
    limit = KeyedRateLimit(rate=0, burst=1, keys=2)
    for key in ("busy", "quiet", "busy", "new"):
        limit.allow(key, 0.0)
    assert len(limit) == 2
    assert not limit.allow("busy", 0.0)
    assert limit.allow("quiet", 0.0)


def test_a_line_is_logged_once_and_then_says_how_many_were_not() -> None:
    limiter = LogLimiter(interval=60)
    assert [limiter.admit("a", now) for now in (0.0, 1.0, 59.0, 60.0, 61.0)] == [0, None, None, 2, None]


def test_lines_of_many_keys_are_bounded_together() -> None:
    limiter = LogLimiter(rate=1, burst=2)
    assert [limiter.admit(key, 0.0) for key in "abcd"] == [0, 0, None, None]
    assert limiter.admit("e", 1.0) == 2


def test_what_a_forgotten_key_suppressed_is_still_counted() -> None:
    limiter = LogLimiter(keys=1)
    assert [limiter.admit(key, 0.0) for key in "aab"] == [0, None, 0]
    assert limiter.admit("c", 0.0) == 1
