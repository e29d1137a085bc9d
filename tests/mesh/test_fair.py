"""The fair table: bounded, and a greedy source displaces itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.mesh.fair import FairTable


def test_a_greedy_source_displaces_itself() -> None:
    table = FairTable[int](4)
    table.put("quiet", 0, "a")
    evicted = [table.put(f"k{n}", n, "b") for n in range(100)]
    assert "quiet" in table
    assert evicted[:3] == [None, None, None]
    assert evicted[3:5] == ["k0", "k1"]
    assert table.values() == [0, 97, 98, 99]


def test_sources_that_all_differ_leave_in_the_order_they_came() -> None:
    table = FairTable[int](2)
    assert [table.put(str(n), n, str(n)) for n in range(4)] == [None, None, "0", "1"]


def test_get_and_pop() -> None:
    table = FairTable[int](2)
    table.put("k", 1, "a")
    table.put("k", 2, "b")
    assert (len(table), table.get("k"), table.get("other")) == (1, 2, None)
    assert (table.pop("k"), table.pop("k"), len(table)) == (2, None, 0)


keys = st.sampled_from("abcdefgh")


@given(st.integers(1, 5), st.lists(st.tuples(keys, keys, st.booleans())))
def test_never_above_its_limit(limit: int, steps: list[tuple[str, str, bool]]) -> None:
    table = FairTable[str](limit)
    for key, source, stored in steps:
        if stored:
            assert table.put(key, source, source) != key or limit < len(steps)
            assert len(table) <= limit
        else:
            table.pop(key)
            assert key not in table
