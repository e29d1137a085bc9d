"""Somebody on the network means harm: nobody is displaced, admitted or evicted, and nothing grows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import House
from tests.lab.nodes import Node, home_of, wait_until
from tests.lab.segments import TCP, segments

pytestmark = pytest.mark.lab

GROWTH = 24 * 2**20  # bytes that a flood may leave behind
FLOOD = 10_000


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House("hall", "kitchen", "newcomer", "guessed", "rogue") as built:
        yield built


@pytest.fixture(scope="module")
def home(house: House) -> list[Node]:
    return home_of(house, "hall", "kitchen")


def attack(house: House, *words: object) -> str:
    rogue = house["rogue"]
    return rogue.run(rogue.python("tests.lab.rogue", *words), timeout=60).stdout


def lines(node: Node, event: str) -> int:
    return sum(line.startswith(event) for line in node.process.text.splitlines())


def undisturbed(home: list[Node]) -> bool:
    hall, kitchen = home
    return hall.row("kitchen")["address"] == "10.77.0.2" and hall.sees("kitchen") and kitchen.sees("hall")


def test_announcing_members_at_another_address_moves_nobody(house: House, home: list[Node]) -> None:
    attack(house, "impersonate", house["rogue"].ipv4, *(node.id for node in home))
    assert undisturbed(home)
    assert lines(home[0], "link") == 1


def test_a_forged_goodbye_evicts_nobody(house: House, home: list[Node]) -> None:
    attack(house, "withdraw", *(node.id for node in home))
    assert undisturbed(home)


def test_a_flood_of_services_leaves_memory_bounded_and_members_in_place(house: House, home: list[Node]) -> None:
    before = home[0].process.usage()
    attack(house, "flood", FLOOD)
    wait_until(lambda: home[0].status()["schema"] == 1)
    after = home[0].process.usage()
    print(f"\n{FLOOD} records: {after.cpu - before.cpu:.2f} s CPU, {(after.memory - before.memory) / 2**20:.1f} MiB")
    assert after.memory - before.memory < GROWTH
    assert len(home[0].ask("newcomers")) <= 64
    assert undisturbed(home)


def test_a_key_of_its_own_gets_no_link(house: House, home: list[Node]) -> None:
    before = lines(home[0], "refused")
    assert "got" not in attack(house, "link", house["hall"].ipv4, home[0].status()["node"]["port"])
    assert 0 <= lines(home[0], "refused") - before <= 3
    assert undisturbed(home)
    assert len(home[0].ask("members")) == 2


def test_a_recorded_pairing_is_worth_nothing(house: House, home: list[Node]) -> None:
    newcomer = Node(house["newcomer"])
    port = newcomer.status()["node"]["port"]
    with house["newcomer"].capture() as packets:
        home[0].pair(newcomer)
        wait_until(lambda: home[0].sees("newcomer"))
    hall = (house["hall"].ipv4, house["hall"].ipv6)
    sent = [s for s in segments(packets) if s.protocol == TCP and s.destination_port == port and s.source in hall]
    said = b"".join(s.payload for s in sent if s.source_port == sent[0].source_port)
    assert said.startswith(b"H")
    (house["rogue"].directory / "recorded").write_bytes(said)
    home[0].ask("revoke", member="newcomer")
    newcomer.process.stop()
    for file in ("identity.pem", "roster"):
        (newcomer.state / file).unlink()
    newcomer.start()
    attack(house, "replay", house["newcomer"].ipv4, port, house["rogue"].directory / "recorded")
    assert newcomer.status()["home"] is None
    assert len(home[0].ready()) == 2


def test_guessing_codes_ends_in_a_wait(house: House, home: list[Node]) -> None:
    newcomer = Node(house["guessed"], name="Newcomer")
    code = newcomer.code
    attack(house, "guess", house["guessed"].ipv4, newcomer.status()["node"]["port"], 30)
    shown = newcomer.status()["node"]["pairing"]
    assert shown["code"] != code
    assert shown["wait_s"] > 0
    assert newcomer.status()["home"] is None
    assert lines(newcomer, "pairing") <= 6
