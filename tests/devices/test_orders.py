"""What a node and its keeper say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.devices.orders import MAX_LINE, Lines, Order, Wiring, line, parse
from meshdoor.errors import LocalProtocolError
from meshdoor.settings.devices import InputPin, OutputPin

WIRING = Wiring({"button": InputPin(17), "tamper": InputPin(5, False, True)}, {"lock": OutputPin(23, False)}, 0.05)


def test_a_wiring_arrives_as_it_is() -> None:
    assert Wiring.parse(bytes(WIRING)) == WIRING
    assert WIRING
    assert not Wiring()


@pytest.mark.parametrize("seconds", [0.0, 3.5])
def test_an_order_arrives_as_it_is(seconds: float) -> None:
    order = Order(7, "lock", seconds)
    assert Order.parse(bytes(order)) == order


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"[" * 100_000, b"{}",
        line({"do": "on", "name": "lock", "order": 1}),
        line({"do": "on", "name": "lock", "order": 1, "seconds": -1}),
        line({"do": "on", "name": "lock", "order": 1, "seconds": 1e9}),
        line({"do": "off", "name": "lock", "order": 1, "seconds": 1}),
        line({"do": "burn", "name": "lock", "order": 1}),
        line({"do": "off", "name": 1, "order": 1}),
        line({"do": "off", "name": "lock", "order": "1"}),
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused(data: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        Order.parse(data)


@pytest.mark.parametrize(
    "data",
    [b"nothing", b"{}", b'{"inputs": {"a": 1}, "outputs": {}, "debounce": 1}',
     b'{"inputs": [], "outputs": {}, "debounce": 1}', b'{"inputs": {}, "outputs": {}, "debounce": "no"}'],
)  # fmt: skip
def test_what_is_no_wiring_is_refused(data: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        Wiring.parse(data)


@given(st.lists(st.integers(1, 40)))
def test_lines_come_whole_however_they_are_cut(cuts: list[int]) -> None:
    stream, lines, found = bytes(WIRING) + bytes(Order(1, "lock", 3)), Lines(), []
    for cut in cuts:
        found += lines.receive(stream[:cut])
        stream = stream[cut:]
    found += lines.receive(stream)
    assert [Wiring.parse(found[0]), Order.parse(found[1])] == [WIRING, Order(1, "lock", 3)]


def test_a_line_ends() -> None:
    with pytest.raises(LocalProtocolError):
        Lines().receive(b" " * (MAX_LINE + 1))


def test_names_may_be_of_any_script() -> None:
    assert parse(line({"name": "Tür"})) == {"name": "Tür"}
