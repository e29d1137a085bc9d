"""What SIP clients see of us by DNS-SD, and we of them: with avahi, which is on most desktops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshdoor.control import Json
from tests.lab import House, avahi, linphone
from tests.lab.avahi import Avahi
from tests.lab.nodes import Node, wait_until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.peers,
    pytest.mark.skipif(bool(avahi.unavailable()), reason=avahi.unavailable()),
]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House("hall", "door", "desktop") as built:
        yield built


@pytest.fixture(scope="module")
def nodes(house: House) -> list[Node]:
    hall, door = Node(house["hall"]), Node(house["door"], "door", "Front door")
    hall.ask("found", home="Lab")
    hall.pair(door)
    return [hall, door]


@pytest.fixture(scope="module")
def desktop(house: House) -> Avahi:
    return Avahi(house["desktop"])


def devices(node: Node) -> list[Json]:
    return list(node.ask("outsiders"))


def test_our_records_are_as_dns_sd_wants_them(house: House, nodes: list[Node], desktop: Avahi) -> None:
    hall, door = nodes
    uri, host = f"sip:door@{house['door'].ipv4}", f"meshdoor-{door.id.replace('-', '')[:8]}.local"
    for kind, contact in (("_sipuri._udp", f"<{uri}>"), ("_sipuri._tcp", f"<{uri};transport=tcp>")):
        wait_until(lambda kind=kind: len(desktop.browse(kind)) == 2)  # type: ignore[misc]
        found = next(each for each in desktop.browse(kind) if each.instance == uri)
        assert (found.type, found.host, found.address, found.port) == (kind, host, house["door"].ipv4, 5060)
        assert {"txtvers=1", "name=Front door", f"contact={contact}", f"meshdoor={door.id}"} < set(found.txt)
        assert any(string.startswith("instance_id=urn:uuid:") for string in found.txt)
    assert {"_sipuri._udp", "_sipuri._tcp", "_sip._udp"} <= desktop.types()
    assert {each.host for each in desktop.browse("_sip._udp")} >= {host}
    assert devices(hall) == []  # nodes are no devices of others


def test_the_name_of_a_host_leads_to_it(house: House, nodes: list[Node], desktop: Avahi) -> None:
    wait_until(lambda: desktop.resolve("door.local") == house["door"].ipv4)
    assert desktop.resolve("desktop.local") == house["desktop"].ipv4


def test_published_services_are_found_and_gone(house: House, nodes: list[Node], desktop: Avahi) -> None:
    hall, address = nodes[0], house["desktop"].ipv4
    txt = ("txtvers=1", "name=Alice", "contact=<sip:alice@192.0.2.9:5080>", "instance_id=urn:uuid:1")
    blink = desktop.publish("sip:alice@desktop.local", "_sipuri._udp", 5080, *txt)
    panel = desktop.publish("Gate panel", "_sip._tcp", 5060)
    belle = desktop.publish("kitchen", "_sip._udp", 50195, "prio=1", "weight=1", "ttl=60")
    wanted = {
        ("Alice", f"sip:alice@{address}:5080"),
        ("Gate panel", f"sip:{address};transport=tcp"),
        ("kitchen", f"sip:{address}"),
    }
    wait_until(lambda: {(row["name"], row["uri"]) for row in devices(hall)} == wanted)
    told = hall.host.run(hall.host.python("meshdoor", "newcomers")).stdout
    assert f"Alice       sip:alice@{address}:5080" in told
    for process in (blink, panel, belle):
        process.stop()
    wait_until(lambda: devices(hall) == [])


@pytest.mark.skipif(bool(linphone.MISSING), reason=linphone.MISSING)
def test_a_linphone_reaches_a_door_by_the_name_of_its_host(house: House, nodes: list[Node], desktop: Avahi) -> None:
    """Nobody has adopted it, so what it gets is the answer that strangers get; but it gets it from the door."""
    wait_until(lambda: desktop.resolve("door.local") == house["door"].ipv4)
    with linphone.Linphonec(house["desktop"]) as caller:
        caller.type("call sip:door@door.local")
        wait_until(lambda: "SIP/2.0 403" in caller.log.read_text(errors="replace"))
        said = caller.log.read_text(errors="replace")
    assert "INVITE sip:door@door.local SIP/2.0" in said
    assert f"{house['door'].ipv4}:5060" in said


@pytest.mark.skipif(bool(linphone.MISSING), reason=linphone.MISSING)
def test_what_was_adopted_is_no_newcomer_any_more(house: House, nodes: list[Node], desktop: Avahi) -> None:
    hall, address = nodes[0], house["desktop"].ipv4
    publishing = desktop.publish("sip:carol@desktop.local", "_sipuri._udp", 5060, "txtvers=1", "name=Carol")
    wait_until(lambda: [row["uri"] for row in devices(hall)] == [f"sip:carol@{address}"])
    with linphone.Linphonec(house["desktop"]):
        hall.ask("adopt", uri=devices(hall)[0]["uri"], name="Carol's", media="plain")
    assert devices(hall) == []
    hall.ask("revoke", member="Carol's")
    wait_until(lambda: len(devices(hall)) == 1)
    publishing.stop()


def test_a_late_node_finds_what_is_there(house: House, nodes: list[Node], desktop: Avahi) -> None:
    publishing = desktop.publish("sip:bob@desktop.local", "_sipuri._tcp", 5060, "txtvers=1", "name=Bob")
    house.add("late")
    late = Node(house["late"])
    nodes[0].pair(late)
    wait_until(lambda: [row["name"] for row in devices(late)] == ["Bob"])
    publishing.stop()
