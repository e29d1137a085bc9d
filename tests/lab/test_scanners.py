"""Scanners, as they come by on every network: nothing to call, to register at, or to amplify with."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.lab import House, sipp
from tests.lab.capture import Packet
from tests.lab.nodes import Node
from tests.lab.segments import UDP, segments
from tests.lab.sipp import Sipp

SIPVICIOUS = Path(sys.executable).parent / "sipvicious_svmap"
MISSING = "" if SIPVICIOUS.exists() else "sipvicious is not installed"

pytestmark = [pytest.mark.lab, pytest.mark.peers, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

REAL = ("door", "hall", "screen", "meshdoor", "phone", "everyone", "tablet")
ASKING = ("one-udp", "other-udp", "one-tcp", "other-tcp")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House("hall", "door", "rogue", *ASKING) as built:
        yield built


@pytest.fixture(scope="module")
def nodes(house: House) -> list[Node]:
    hall, door = Node(house["hall"]), Node(house["door"], "door")
    hall.ask("found", home="Lab")
    hall.pair(door)
    return [hall, door]


@pytest.fixture(scope="module")
def users(house: House, nodes: list[Node]) -> tuple[str, ...]:
    """Names that lead to somebody, and the one that a client registers under."""
    hall = house["hall"]
    told = hall.run(hall.python("meshdoor", "phone", "add", "tablet", "--sip", "--json")).stdout
    return (*REAL, str(json.loads(told.splitlines()[-1])["user"]))


def invented(user: str) -> str:
    """A name of nobody, as long: how much fits an answer depends on that."""
    return user.translate(str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "zyxwvutsrqponmlkjihgfedcba765432"))


def scan(house: House, tool: str, *words: object) -> str:
    """What it printed, findings and all."""
    program = shutil.which(f"sipvicious_{tool}", path=str(SIPVICIOUS.parent)) or tool
    done = house["rogue"].run([program, *map(str, words)], timeout=90, check=False)
    return done.stdout + done.stderr


def traffic(house: House, packets: Iterable[Packet]) -> tuple[int, int]:
    """Bytes of UDP from the rogue, and to it."""
    rogue, asked, told = house["rogue"].ipv4, 0, 0
    for segment in segments(packets):
        if segment.protocol == UDP and 5060 in (segment.source_port, segment.destination_port):
            asked += len(segment.payload) * (segment.source == rogue)
            told += len(segment.payload) * (segment.destination == rogue)
    return asked, told


def test_scans_find_nothing_and_gain_nothing(house: House, nodes: list[Node], users: tuple[str, ...]) -> None:
    names = house["rogue"].directory / "names"
    names.write_text("\n".join((*users, *map(invented, users), "100", "asterisk")) + "\n")
    hall, door = (node.host.ipv4 for node in nodes)
    with house["rogue"].capture() as packets:
        for method in ("OPTIONS", "INVITE", "REGISTER"):
            assert "Meshdoor" not in scan(house, "svmap", "-m", method, f"{hall}-9")
            for words in (("-d", names, hall), ("-d", names, door), ("-e", "100-110", hall)):
                assert "found nothing" in scan(house, "svwar", "-m", method, "--maximumtime=2", *words)
            # With --force it lists all that answers, which tells real names from others no better.
            told = scan(house, "svwar", "-m", method, "--maximumtime=2", "--force", "-d", names, hall)
            assert all((f" {user} " in told) == (f" {invented(user)} " in told) for user in users), told
        told = scan(house, "svcrack", "--maximumtime=2", "-u", users[-1], "-r", "1-30", hall)
        assert "found nothing" in told
    asked, answered = traffic(house, packets)
    print(f"{asked} bytes asked, {answered} answered")
    assert 0 < answered <= asked


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_names_that_exist_and_names_that_do_not_get_equal_answers(
    house: House, nodes: list[Node], users: tuple[str, ...], transport: str
) -> None:
    """Asked from two hosts, since one that asks too often is told nothing, whatever the name."""
    one, other = house[f"one-{transport}"], house[f"other-{transport}"]
    for node in nodes:
        there, not_there = (
            host.run(host.python("tests.lab.probe", node.host.ipv4, 5060, transport, *names), timeout=180).stdout
            for host, names in ((one, users), (other, map(invented, users)))
        )
        assert there.splitlines() == not_there.splitlines()
        served = {line.split()[0] for line in there.splitlines() if " SIP/2.0 2" in line}
        assert served == {"OPTIONS"}


@pytest.mark.skipif(bool(sipp.MISSING), reason=sipp.MISSING)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_calls_of_a_stranger_all_fail_and_ring_nowhere(house: House, nodes: list[Node], transport: str) -> None:
    with house["rogue"].capture() as packets:
        for node in nodes:
            counts = Sipp(house["rogue"], "caller_answer", 100, rate=50, transport=transport, target=node.host.ipv4)
            assert counts.wait(60).successful == 0
    asked, answered = traffic(house, packets)
    assert answered <= asked
    for node in nodes:
        assert node.ask("calls") == {"press": None, "visitors": [], "calls": []}
        assert not [line for line in node.process.text.splitlines() if line.startswith(("pressed", "call "))]
