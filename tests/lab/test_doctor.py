"""What the doctor and the status say when a network or a node is not as it should be; each node is a real process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.lab import House
from tests.lab.nodes import Node, home_of, wait_until

pytestmark = pytest.mark.lab


@pytest.fixture
def house() -> Iterator[House]:
    with House("hall", "kitchen", "copy") as built:
        yield built


def finds(node: Node, check: str, text: str) -> bool:
    findings = node.ask("doctor")
    return any(each["check"] == check and each["level"] != "ok" and text in each["text"] for each in findings)


def test_a_house_in_order(house: House) -> None:
    hall, _ = home_of(house, "hall", "kitchen")
    wait_until(lambda: {finding["level"] for finding in hall.ask("doctor")} == {"ok"})


def test_client_isolation_is_told_apart(house: House) -> None:
    hall, _ = home_of(house, "hall", "kitchen")
    house["hall"].isolate()
    house["kitchen"].isolate()
    wait_until(lambda: hall.sees("kitchen", "unreachable"))
    wait_until(lambda: finds(hall, "isolation", "kitchen is seen by mDNS but takes no connection"))


def test_a_copied_sd_card_is_flagged_everywhere(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    copied = house["copy"].directory / "state"
    shutil.copytree(kitchen.state, copied, ignore=shutil.ignore_patterns("*.sock"))
    copied.chmod(0o700)
    copy = Node(house["copy"], name="kitchen")
    wait_until(lambda: finds(kitchen, "identity", "another host announces this node's identity"))
    wait_until(lambda: finds(copy, "identity", "another host announces this node's identity"))
    wait_until(lambda: finds(hall, "identity", "kitchen is announced by two hosts"), 60)
    assert hall.status()["alarms"]
    assert "meshdoor reset" in hall.status()["alarms"][0]["hint"]


def test_a_member_that_was_switched_off(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    kitchen.process.stop()
    wait_until(lambda: finds(hall, "reach", "kitchen is gone for"))


def test_no_network_at_all(house: House) -> None:
    hall, _ = home_of(house, "hall", "kitchen")
    house["hall"].cut()
    wait_until(lambda: finds(hall, "network", "no network interface is up"))
    house["hall"].plug()
    wait_until(lambda: {finding["level"] for finding in hall.ask("doctor")} == {"ok"}, 40)
