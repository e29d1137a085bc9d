"""Load from sipp and towards it: no call is lost, each press has one winner, memory stays flat.

The numbers are those that continuous integration has the time for; `python -m tests.lab.load` has the full size.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import House, sipp
from tests.lab.host import Host
from tests.lab.nodes import wait_until
from tests.lab.sipp import Peer, Sipp

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(sipp.MISSING), reason=sipp.MISSING)]

CALLS, RATE = 300, 50.0
RACES = 100
PATIENCE = 60.0  # seconds: longer than a transaction can last, 64 * T1 = 32 s
WAITED = 45.0  # seconds
GROWTH = 8 * 2**20  # bytes


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House("node", "phone", "other") as built:
        yield built


@pytest.fixture
def node(house: House) -> Iterator[Host]:
    yield house["node"]
    house.weather.loss.clear()
    house["node"].lose(0)
    for process in house.processes:
        process.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("verb", "scenario", "end"), [("answer", "caller_answer", "ended"), ("ring", "caller_cancel", "cancelled")]
)
def test_calls_of_sipp(house: House, node: Host, verb: str, scenario: str, end: str, transport: str) -> None:
    peer = Peer(node, verb, transport)
    caller = Sipp(house["phone"], scenario, CALLS, rate=RATE, transport=transport, target=node.ipv4)
    counts = caller.wait(PATIENCE)
    assert (counts.successful, counts.failed) == (CALLS, 0)
    assert peer.settled(CALLS, WAITED)["ended"] == {"begun": CALLS, end: CALLS}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("verb", "scenario", "end"), [("call", "screen_answer", "ended"), ("cancel", "screen_cancelled", "cancelled")]
)
def test_calls_to_sipp(house: House, node: Host, verb: str, scenario: str, end: str, transport: str) -> None:
    screen = Sipp(house["phone"], scenario, CALLS, transport=transport)
    peer = Peer(node, verb, transport, house["phone"].ipv4, sipp.PORT, CALLS, RATE)
    counts = screen.wait(PATIENCE)
    assert (counts.successful, counts.failed) == (CALLS, 0)
    assert peer.settled(CALLS, WAITED)["ended"] == {"begun": CALLS, end: CALLS}


def test_two_screens_answer_in_the_same_millisecond(house: House, node: Host) -> None:
    screens = [Sipp(house[name], "screen_race", RACES) for name in ("phone", "other")]
    addresses = ",".join(house[name].ipv4 for name in ("phone", "other"))
    peer = Peer(node, "fork", "udp", addresses, sipp.PORT, RACES, 20)
    for screen in screens:
        counts = screen.wait(PATIENCE)
        assert (counts.successful, counts.failed) == (RACES, 0)
    state = peer.settled(2 * RACES, WAITED)
    assert state["winners"] == {"1": RACES}


@pytest.mark.parametrize(("verb", "scenario"), [("answer", "caller_answer"), ("ring", "caller_cancel")])
def test_with_loss_every_call_of_sipp_ends(house: House, node: Host, verb: str, scenario: str) -> None:
    node.lose(5)
    peer = Peer(node, verb, "udp")
    Sipp(house["phone"], scenario, 100, rate=20, target=node.ipv4).wait(PATIENCE)
    ended = peer.settled(peer.state()["ended"]["begun"], WAITED)["ended"]
    assert ended["begun"] >= 97  # of five INVITEs in a row all would have to be lost
    assert sum(ended.values()) == 2 * ended["begun"]  # each has one end


@pytest.mark.parametrize(("verb", "scenario"), [("call", "screen_answer"), ("fork", "screen_race")])
def test_with_loss_every_call_to_sipp_ends(house: House, node: Host, verb: str, scenario: str) -> None:
    node.lose(5)
    calls = 100
    names = ("phone", "other") if verb == "fork" else ("phone",)
    for name in names:
        Sipp(house[name], scenario, calls)
    peer = Peer(node, verb, "udp", ",".join(house[name].ipv4 for name in names), sipp.PORT, calls, 20)
    state = peer.settled(calls * len(names), PATIENCE + WAITED)
    assert sum(state["ended"].values()) == 2 * calls * len(names)
    if verb == "fork":
        assert set(state["winners"]) <= {"0", "1"}
        assert state["winners"]["1"] >= 97


@pytest.mark.parametrize(("verb", "scenario"), [("answer", "caller_answer"), ("ring", "caller_cancel")])
def test_memory_is_flat_and_nothing_is_remembered_for_ever(
    house: House, node: Host, verb: str, scenario: str
) -> None:
    peer = Peer(node, verb, "tcp")
    seen: list[int] = []
    for _ in range(3):
        Sipp(house["phone"], scenario, 300, rate=100, transport="tcp", target=node.ipv4).wait(PATIENCE)
        seen.append(peer.state()["memory"])
    assert seen[2] - seen[1] < GROWTH
    wait_until(lambda: peer.state()["transactions"] == 0, PATIENCE)
