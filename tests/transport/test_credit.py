"""The account of what strangers may get back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.transport.credit import Credit

STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("abcd"), st.integers(0, 3000)), max_size=60)


@given(STEPS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_nobody_ever_gets_more_than_it_sent(steps: list[tuple[bool, str, int]], hosts: int) -> None:
    credit = Credit(hosts)
    sent, got = dict.fromkeys("abcd", 0), dict.fromkeys("abcd", 0)
    for earns, host, size in steps:
        if earns:
            credit.earn(host, size)
            sent[host] += size
        elif credit.spend(host, size):
            got[host] += size
        assert got[host] <= sent[host]
        assert len(credit) <= hosts


def test_all_that_was_sent_may_be_spent() -> None:
    credit = Credit()
    credit.earn("a", 100)
    assert credit.spend("a", 60)
    assert not credit.spend("a", 41)
    assert credit.spend("a", 40)


def test_nobody_saves_up_for_a_flood() -> None:
    credit = Credit(most=1000)
    for _ in range(10):
        credit.earn("a", 900)
    assert not credit.spend("a", 1001)
    assert credit.spend("a", 1000)


def test_the_longest_silent_host_is_forgotten() -> None:
    credit = Credit(hosts=2)
    for host in ("a", "b", "a", "c"):
        credit.earn(host, 10)
    assert not credit.spend("b", 1)
    assert credit.spend("a", 20)
