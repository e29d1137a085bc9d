from __future__ import annotations

from meshdoor.rtp.nack import FIRST_WAIT, MAX_MISSING, MAX_TRIES, MIN_RETRY, NackList


def test_asks_after_a_moment_and_again() -> None:
    nacks = NackList()
    nacks.lost(range(0xFFFF, 0x10001), 1.0)
    assert nacks.next_deadline() == 1.0 + FIRST_WAIT
    assert nacks.due(1.0) == ()
    assert nacks.due(1.0 + FIRST_WAIT) == (0xFFFF, 0)
    assert nacks.due(1.0 + FIRST_WAIT) == ()
    assert nacks.due(1.0 + FIRST_WAIT + MIN_RETRY) == (0xFFFF, 0)


def test_what_arrived_is_not_asked_for() -> None:
    nacks = NackList()
    nacks.lost([1, 2, 3], 0.0)
    nacks.arrived(2)
    nacks.arrived(9)
    nacks.forget_before(2)
    assert nacks.due(1.0) == (3,)
    nacks.clear()
    assert nacks.next_deadline() is None


def test_gives_up_after_some_tries() -> None:
    nacks = NackList()
    nacks.lost([1], 0.0)
    assert sum(bool(nacks.due(float(second))) for second in range(1, 20)) == MAX_TRIES


def test_the_retry_follows_the_round_trip() -> None:
    nacks = NackList()
    nacks.measured(0.2)
    assert nacks.retry == 0.25
    nacks.measured(0.001)
    assert nacks.retry == MIN_RETRY


def test_is_bounded() -> None:
    nacks = NackList()
    nacks.lost(range(10_000), 0.0)
    assert len(nacks.due(1.0)) == MAX_MISSING
