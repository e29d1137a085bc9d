"""The mesh on a network: pairing, revoking, cables, addresses, multicast. Each node is a real process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from meshdoor.errors import Refused
from tests.lab import House
from tests.lab.nodes import Node, home_of, wait_until

pytestmark = pytest.mark.lab


@pytest.fixture
def house() -> Iterator[House]:
    with House("hall", "kitchen", "bedroom", "attic", "garage") as built:
        yield built


def test_a_newcomer_is_ready_everywhere_soon_after_its_code(house: House) -> None:
    nodes = home_of(house, "hall", "kitchen", "bedroom", "attic")
    times = []
    for round_ in range(5):
        garage = Node(house["garage"], name=f"garage {round_}")
        wait_until(lambda garage=garage: garage.id in {e["id"] for e in nodes[0].ask("newcomers")})  # type: ignore[misc]
        nodes[0].pair(garage)
        began = time.monotonic()
        for node in nodes:
            wait_until(lambda node=node, garage=garage: node.sees(garage.name))  # type: ignore[misc]
        times.append(time.monotonic() - began)
        nodes[0].ask("revoke", member=garage.name)
        garage.process.stop()
        for file in ("identity.pem", "roster", "peers.json"):
            (garage.state / file).unlink()
    print(f"code accepted to ready in four nodes: median {statistics.median(times):.3f} s, worst {max(times):.3f} s")


def test_revoking_cuts_the_target_everywhere(house: House) -> None:
    hall, kitchen, bedroom, attic = home_of(house, "hall", "kitchen", "bedroom", "attic")
    bedroom.process.stop()
    hall.ask("revoke", member="attic")
    began = time.monotonic()
    for node in (hall, kitchen):
        wait_until(lambda node=node: node.sees("attic", "revoked"))  # type: ignore[misc]
    print(f"revoked to cut: {time.monotonic() - began:.3f} s")
    bedroom.start()
    wait_until(lambda: bedroom.sees("attic", "revoked"))
    assert "attic is linked" not in bedroom.process.text
    wait_until(lambda: attic.status()["node"]["state"] == "revoked")
    with pytest.raises(Refused, match="this node was revoked"):
        attic.ask("pair", id=attic.id, code="0000-0000")


def test_a_cable_is_cut_and_put_back(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    house["kitchen"].cut()
    wait_until(lambda: hall.sees("kitchen", "unreachable"))
    house["kitchen"].plug()
    wait_until(lambda: hall.sees("kitchen") and kitchen.sees("hall"))


def test_a_host_moves_to_another_address(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    house["kitchen"].move("10.77.0.99")
    wait_until(lambda: hall.sees("kitchen") and hall.row("kitchen")["address"] != "10.77.0.2")
    wait_until(lambda: kitchen.sees("hall"))


def test_a_crash_without_goodbye_is_noticed_and_healed(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    kitchen.process.kill()
    wait_until(lambda: hall.sees("kitchen", "unreachable"))
    kitchen.process.wait()
    kitchen.start()
    wait_until(lambda: hall.sees("kitchen") and kitchen.sees("hall"))


def test_without_multicast_the_house_still_knows_itself(house: House) -> None:
    hall, kitchen = home_of(house, "hall", "kitchen")
    for host in house:
        host.block_multicast()
    for node in (hall, kitchen):
        node.process.stop()
    for node in (hall, kitchen):
        node.start()
    wait_until(lambda: hall.sees("kitchen") and kitchen.sees("hall"))

    def told() -> bool:
        findings = hall.ask("doctor")
        return any(finding["check"] == "multicast" and finding["level"] == "warning" for finding in findings)

    wait_until(told)


def test_ipv6_link_local_alone_is_enough(house: House) -> None:
    for host in (house["hall"], house["kitchen"]):
        host.move("")
    hall, kitchen = home_of(house, "hall", "kitchen")
    assert hall.row("kitchen")["address"].startswith("fe80::")
    wait_until(lambda: kitchen.sees("hall"))


def test_ipv4_alone_is_enough(house: House) -> None:
    for host in (house["hall"], house["kitchen"]):
        host.use_ipv6(False)
    hall, kitchen = home_of(house, "hall", "kitchen")
    assert hall.row("kitchen")["address"] == "10.77.0.2"
    wait_until(lambda: kitchen.sees("hall"))


def test_an_enrolment_joins_by_itself_once(house: House) -> None:
    hall = home_of(house, "hall")[0]
    written = hall.ask("enrol", role="screen", name="Kitchen", lifetime=3600)["file"]
    for host in ("kitchen", "bedroom"):
        (house[host].directory / "kitchen.enrol").write_text(written)
    options = ("--enrol", str(house["kitchen"].directory / "kitchen.enrol"))
    kitchen = Node(house["kitchen"], options=options)
    wait_until(lambda: hall.sees("Kitchen") and kitchen.sees("hall"))
    wait_until(lambda: not (house["kitchen"].directory / "kitchen.enrol").exists())
    thief = Node(house["bedroom"], options=("--enrol", str(house["bedroom"].directory / "kitchen.enrol")))
    hall.process.expect("enrolment has been used")
    assert thief.status()["home"] is None


def test_a_wrong_code_admits_nobody_and_five_close_the_window(house: House) -> None:
    hall = home_of(house, "hall")[0]
    kitchen = Node(house["kitchen"])
    wait_until(lambda: bool(hall.ask("newcomers")))
    code = kitchen.code
    wrong = "0000-0000" if code != "0000-0000" else "1111-1111"
    for _ in range(5):
        with pytest.raises(Refused, match="code is wrong"):
            hall.ask("pair", id=kitchen.id, code=wrong)
    assert kitchen.code != code
    with pytest.raises(Refused, match=r"no guess now|knocks"):
        hall.ask("pair", id=kitchen.id, code=kitchen.code)
    assert hall.ready() == {"hall"}


def test_an_enrolment_makes_a_door_of_a_node_that_would_be_a_screen(house: House) -> None:
    hall = home_of(house, "hall")[0]
    path = house["kitchen"].directory / "gate.enrol"
    path.write_text(hall.ask("enrol", role="door", name="Gate", lifetime=3600)["file"])
    gate = Node(house["kitchen"], options=("--enrol", str(path)))
    wait_until(lambda: hall.sees("Gate") and gate.sees("hall"))
    wait_until(lambda: gate.status()["node"]["media"] == "ready")
    assert hall.row("Gate")["role"] == "door"
    gate.ask("ring")
    wait_until(lambda: hall.ask("visitors") != [])
    wait_until(lambda: hall.ask("history", limit=1)["presses"] != [])
