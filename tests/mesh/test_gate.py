"""The gate before the responder."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from meshdoor.mesh.gate import MAX_RECORDS, Gate, Rate

SLOW = Rate(1.0, 10.0)
WIDE = Rate(1.0, 1e6)


def datagram(records: int = 5, size: int = 100) -> bytes:
    return struct.pack("!6H", 0, 0x8400, 0, records, 0, 0).ljust(size, b"\0")


def admitted(gate: Gate, host: str, count: int, now: float = 0.0) -> int:
    return sum(gate.admits(datagram(), host, now) for _ in range(count))


def test_each_source_has_a_budget_of_records() -> None:
    gate = Gate(SLOW, WIDE)
    assert admitted(gate, "10.0.0.66", 9) == 2
    assert admitted(gate, "10.0.0.1", 9) == 2
    assert admitted(gate, "10.0.0.66", 9, now=5) == 1
    assert gate.refused == 22


def test_all_sources_have_a_budget_that_the_trusted_do_not_draw_on() -> None:
    gate = Gate(SLOW, Rate(1.0, 100.0))
    gate.trust(["fe80::1%eth0"])
    assert sum(admitted(gate, f"10.0.1.{number}", 2) for number in range(100)) == 20
    assert admitted(gate, "fe80::1%wlan0", 9) == 2


def test_this_host_has_a_wider_budget() -> None:
    gate = Gate(SLOW, SLOW, own=Rate(1.0, 100.0))
    gate.on_link(["10.0.0.0/24"], ["10.0.0.1"])
    assert admitted(gate, "10.0.0.1", 99) == 20


def test_what_comes_from_beyond_the_link_is_not_for_us() -> None:
    gate = Gate()
    assert admitted(gate, "8.8.8.8", 1) == 1
    gate.on_link(["10.0.0.0/24", "fe80::/64"], [])
    hosts = ["8.8.8.8", "10.0.0.9", "fe80::9%eth0", "fd00::1"]
    assert [admitted(gate, host, 1) for host in hosts] == [0, 1, 1, 0]


def test_a_datagram_costs_what_it_says_or_what_it_weighs() -> None:
    for data, fit in [(datagram(0), 10), (datagram(10), 1), (datagram(0, 600), 1)]:
        gate = Gate(SLOW, WIDE)
        assert sum(gate.admits(data, "10.0.0.9", 0) for _ in range(20)) == fit


def test_neither_a_stump_nor_a_boast_is_looked_at() -> None:
    gate = Gate(WIDE, WIDE)
    assert not gate.admits(b"\0" * 11, "10.0.0.1", 0)
    assert not gate.admits(datagram(MAX_RECORDS + 1), "10.0.0.1", 0)


@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=200), st.floats(0, 1)), max_size=200))
def test_never_more_than_the_budget(flood: list[tuple[int, bytes, float]]) -> None:
    gate, now, through = Gate(SLOW, Rate(2.0, 20.0)), 0.0, 0
    for source, data, interval in flood:
        now += interval
        through += gate.admits(data, f"10.0.{source // 256}.{source % 256}", now)
    assert through <= 20 + 2 * now
