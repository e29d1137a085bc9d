"""Announcements between machines of their own: cables, addresses, one family only, a crash, a flood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshdoor.mesh.mdns.records import service_info
from tests.lab import Host, House
from tests.lab.process import Process
from tests.mesh.homes import announcement
from tests.mesh.mdns.packets import everything

pytestmark = pytest.mark.lab

DOOR, KITCHEN = 1, 2
NAME = {number: announcement(number).instance for number in (DOOR, KITCHEN)}


@pytest.fixture
def house() -> Iterator[House]:
    with House("door", "kitchen", "rogue") as built:
        yield built


def start(host: Host, number: int) -> Process:
    return host.start(host.python("tests.mesh.mdns_host", number))


def when(process: Process, pattern: str) -> float:
    return float(process.expect(rf"^([0-9.]+) {pattern}").group(1))


def test_a_node_appears_within_milliseconds_and_says_goodbye(house: House) -> None:
    door = start(house["door"], DOOR)
    when(door, "here")
    kitchen = start(house["kitchen"], KITCHEN)
    announced = when(kitchen, "here")
    seen = when(door, f"saw {NAME[KITCHEN]}")
    found = when(kitchen, f"saw {NAME[DOOR]}")
    print(f"seen {1000 * (seen - announced):.0f} ms, sees {1000 * (found - announced):.0f} ms after it announced")
    assert seen - announced < 0.5
    assert found - announced < 1.5
    both = f"{house['kitchen'].ipv4},{house['kitchen'].ipv6}%eth0"
    when(door, f"saw {NAME[KITCHEN]} {both}$")
    kitchen.stop()
    when(door, f"lost {NAME[KITCHEN]}")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_one_family_is_enough(house: House, family: str) -> None:
    for host in (house["door"], house["kitchen"]):
        if family == "ipv4":
            host.use_ipv6(False)
        else:
            host.move("")
    door = start(house["door"], DOOR)
    start(house["kitchen"], KITCHEN)
    kitchen = house["kitchen"]
    address = kitchen.ipv4 if family == "ipv4" else f"{kitchen.ipv6}%eth0"
    when(door, f"saw {NAME[KITCHEN]} {address}$")


def test_a_change_of_address_is_seen(house: House) -> None:
    door, kitchen = start(house["door"], DOOR), start(house["kitchen"], KITCHEN)
    when(door, f"saw {NAME[KITCHEN]}")
    house["kitchen"].move("10.77.1.99")
    changed = when(kitchen, rf"here {NAME[KITCHEN]} 10\.77\.1\.99")
    assert when(door, rf"saw {NAME[KITCHEN]} 10\.77\.1\.99") - changed < 0.5


def test_a_cable_that_is_pulled_and_put_back(house: House) -> None:
    kitchen = start(house["kitchen"], KITCHEN)
    when(kitchen, "here")
    house["kitchen"].cut()
    when(kitchen, f"here {NAME[KITCHEN]} $")
    door = start(house["door"], DOOR)
    when(door, "here")
    house["kitchen"].plug()
    when(door, f"saw {NAME[KITCHEN]}")
    when(kitchen, f"saw {NAME[DOOR]}")


def test_a_crash_is_no_goodbye(house: House) -> None:
    door, kitchen = start(house["door"], DOOR), start(house["kitchen"], KITCHEN)
    when(door, f"saw {NAME[KITCHEN]}")
    kitchen.kill()
    start(house["kitchen"], KITCHEN)
    assert f"lost {NAME[KITCHEN]}" not in door.text
    assert door.poll() is None


def test_a_rogue_that_floods_hides_nobody(house: House) -> None:
    door = start(house["door"], DOOR)
    when(door, "here")
    infos = (service_info(announcement(number, "10.77.0.66")) for number in range(1000, 11_000))
    flood = house["rogue"].flood("224.0.0.251", 5353, [data for info in infos for data in everything(info)])
    flood.wait(60)
    before = door.usage()
    kitchen = start(house["kitchen"], KITCHEN)
    announced = when(kitchen, "here")
    assert when(door, f"saw {NAME[KITCHEN]}") - announced < 1
    print(f"flooded: {before.memory / 1e6:.0f} MB resident, {before.cpu:.2f} s of CPU since the start")
    assert before.memory < 60e6
