"""A large house: every link, every table, and what the nodes cost while nothing happens.

MESHDOOR_LAB_NODES=50 builds the largest that is promised; then it also waits until announcements have died down.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence

import pytest

from tests.lab import House
from tests.lab.nodes import Node, wait_until

pytestmark = pytest.mark.lab

NODES = int(os.environ.get("MESHDOOR_LAB_NODES", "20"))
QUIET = 40.0 if "MESHDOOR_LAB_NODES" in os.environ else 0.0  # seconds until nobody announces anything
WATCHED = 5.0 + QUIET / 2  # seconds


def settled(nodes: Sequence[Node], names: set[str]) -> None:
    for node in nodes:
        wait_until(lambda node=node: node.ready() == names, 120)  # type: ignore[misc]


def test_all_nodes_know_and_reach_each_other() -> None:
    names = [f"node {number}" for number in range(NODES)]
    with House(*(name.replace(" ", "") for name in names)) as house:
        nodes = [Node(host, name=name, wait=False) for host, name in zip(house, names, strict=True)]
        for node in nodes:
            node.expect_ready()
        nodes[0].ask("found", home="Large")
        began = time.monotonic()
        for newcomer in nodes[1:]:
            nodes[0].pair(newcomer)
        settled(nodes, set(names))
        print(f"\n{NODES} nodes paired and linked, {NODES * (NODES - 1) // 2} links: {time.monotonic() - began:.1f} s")
        assert len({node.status()["home"]["roster"] for node in nodes}) == 1
        time.sleep(QUIET)
        before = [node.process.usage() for node in nodes]
        time.sleep(WATCHED)
        after = [node.process.usage() for node in nodes]
        shares = [(late.cpu - early.cpu) / WATCHED * 100 for early, late in zip(before, after, strict=True)]
        memory = [usage.memory / 2**20 for usage in after]
        print(f"CPU while idle, % of a core: median {statistics.median(shares):.2f}, worst {max(shares):.2f}")
        print(f"resident memory, MiB: median {statistics.median(memory):.1f}, worst {max(memory):.1f}")
