"""The document of the status: what is said of the home, this node, each member, and a press."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from meshdoor.control import Json
from meshdoor.devices.troubles import Kind, Trouble
from meshdoor.mesh.alarms import Alarm, AlarmKind
from meshdoor.mesh.newcomers import Newcomer
from meshdoor.mesh.peer import Peer, State
from meshdoor.node.condition import Condition, Told
from meshdoor.node.status import View, describe, duration
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role
from tests.mesh.homes import HOME, key
from tests.node.views import NOW, alone, gone, peer, revoked, view


def row(document: Json, name: str) -> Json:
    return next(row for row in document["members"] if row["name"] == name)


def test_every_key_is_always_there() -> None:
    documents = [describe(seen) for seen in (alone(), view(), view(peer(2, "Kitchen"), gone(3, "Bed")), revoked())]
    keys = {"schema", "version", "home", "node", "members", "newcomers", "press", "alarms", "attention", "warnings"}
    assert all(set(document) == keys for document in documents)
    rows = [frozenset(row) for document in documents for row in document["members"]]
    assert len(set(rows)) == 1


def test_home_and_node() -> None:
    document = describe(view(peer(2, "Kitchen")))
    assert document["home"] == {
        "name": "Home",
        "id": HOME.hex()[:32],
        "roster": view().roster.digest.hex(),
        "members": 2,
    }
    assert document["node"]["addresses"] == ["10.0.0.1", "fe80::1%eth0"]
    assert (document["node"]["state"], document["node"]["uptime_s"]) == ("ready", 100.0)
    assert document["attention"] == []


def test_a_newcomer() -> None:
    document = describe(alone())
    assert (document["home"], document["members"]) == (None, [])
    assert document["node"]["state"] == "unpaired"
    assert document["node"]["pairing"]["code"] == "1234-5678"
    assert "meshdoor found" in document["attention"][0]


def test_a_linked_member() -> None:
    linked = row(describe(view(peer(2, "Kitchen"))), "Kitchen")
    assert (linked["state"], linked["since"], linked["address"]) == ("ready", NOW - 60, "10.0.0.2")
    assert (linked["rtt_ms"], linked["roster"], linked["you"]) == (1.25, "in step", False)
    assert linked["permissions"] == ["admit", "open", "talk", "view"]


def test_of_a_member_without_a_link_nothing_is_claimed() -> None:
    away = row(describe(view(gone(2, "Kitchen"))), "Kitchen")
    assert (away["state"], away["roster"], away["version"], away["rtt_ms"]) == ("unreachable", None, None, None)


@pytest.mark.parametrize(
    ("state", "shown"), [(State.READY, "ready"), (State.RINGING, "ringing"), (State.IN_CALL, "in call")]
)
def test_how_busy_a_member_is(state: State, shown: str) -> None:
    assert row(describe(view(peer(2, "Kitchen", state=state))), "Kitchen")["state"] == shown


def test_an_attached_phone() -> None:
    alice = peer(3, "Alice", Role.PHONE, where=key(2), state=State.QUIET)
    document = describe(view(peer(2, "Kitchen"), alice, peer(4, "Bob", Role.PHONE, where=key(9))))
    phone = row(document, "Alice")
    assert (phone["state"], phone["where"], phone["address"], phone["roster"]) == ("quiet", "Kitchen", None, None)
    assert row(document, "Bob")["where"] == device_id(key(9))
    assert row(document, "Kitchen")["where"] is None
    press = document["press"]
    assert (press["phones"], press["would_not"]) == (1, [{"name": "Alice", "why": "quiet hours"}])


def test_a_phone_whose_page_is_closed_needs_no_attention() -> None:
    away = {"state": State.UNREACHABLE, "since": None, "roster_in_step": False, "version": None}
    document = describe(view(peer(2, "Alice", Role.PHONE, **away)))
    assert document["attention"] == []
    assert document["press"]["would_not"] == [{"name": "Alice", "why": "its page is not open"}]


def test_doors_come_first_then_names() -> None:
    peers = (peer(2, "zoo"), peer(3, "Attic"), peer(4, "Street", Role.DOOR))
    assert [row["name"] for row in describe(view(*peers))["members"]] == ["Street", "Attic", "Hall", "zoo"]


def starting(*peers: Peer, **changes: Any) -> View:
    seen = view(*peers)
    return dataclasses.replace(seen, itself=dataclasses.replace(seen.itself, **changes))


def test_a_node_that_starts_is_joining() -> None:
    document = describe(starting(peer(2, "Kitchen"), settled=False))
    assert document["node"]["state"] == "joining"
    assert {row["state"] for row in document["members"]} == {"joining"}
    silent = "Hall would not: joining, Kitchen would not: joining"
    assert document["press"]["text"] == f"a press now would ring nobody; {silent}"


def test_this_node_is_busy() -> None:
    assert row(describe(starting(busy="in_call")), "Hall")["state"] == "in call"


def test_without_an_address() -> None:
    assert row(describe(starting(addresses=())), "Hall")["address"] is None


def test_a_revoked_node() -> None:
    document = describe(revoked(gone(2, "Kitchen")))
    assert document["node"]["state"] == "revoked"
    assert row(document, "Hall")["state"] == "revoked"
    assert row(document, "Hall")["you"]
    assert "meshdoor reset" in document["attention"][0]


def test_newcomers_and_alarms() -> None:
    newcomer = Newcomer("abcd", "New", Role.DOOR, ("10.0.0.9",), 5071, NOW - 5)
    alarm = Alarm(AlarmKind.TWO_HOSTS, key(2), "two", ("a", "b"), 0, 0)
    document = describe(view(newcomers=[newcomer, dataclasses.replace(newcomer, addresses=())], alarms=[alarm]))
    assert document["newcomers"][0] == {
        "name": "New",
        "role": "door",
        "id": "abcd",
        "address": "10.0.0.9",
        "age_s": 5.0,
    }
    assert document["newcomers"][1]["address"] is None
    said = {"kind": "two hosts", "text": "two", "hint": alarm.hint, "since": 0, "on": True}
    assert document["alarms"] == [said | {"name": device_id(key(2)), "id": device_id(key(2))}]
    assert document["attention"] == ["two"]


def test_what_sensors_say() -> None:
    trouble = Trouble(Kind.TAMPER, key(2), "Gate", NOW)
    gate = peer(2, "Gate", Role.DOOR)
    document = describe(view(gate, troubles=[trouble], contacts={key(2): "left open", key(1): ""}))
    (alarm,) = document["alarms"]
    assert (alarm["kind"], alarm["name"], alarm["id"], alarm["on"]) == ("tamper", "Gate", device_id(key(2)), True)
    assert document["attention"] == ["Gate is being taken off its wall"]
    assert [row(document, name)["contact"] for name in ("Gate", "Hall")] == ["left open", None]


def test_what_needs_attention() -> None:
    document = describe(view(gone(2, "Kitchen"), peer(3, "Bath", roster_in_step=False), peer(4, "Bed")))
    assert document["attention"] == ["Bath holds another roster", "Kitchen is unreachable"]


def test_the_line_that_matters() -> None:
    peers = (
        peer(2, "Kitchen"),
        peer(3, "Cellar", state=State.RINGING),
        peer(4, "Phone", Role.PHONE),
        peer(5, "Street", Role.DOOR),
        gone(6, "Bedroom", since=NOW - 7300),
    )
    press = describe(view(*peers))["press"]
    assert press["text"] == "a press now would ring 3 screens and 1 phone; Bedroom would not: unreachable for 2 h"
    assert (press["screens"], press["phones"]) == (3, 1)
    assert press["would_ring"] == ["Cellar", "Hall", "Kitchen", "Phone"]
    assert press["would_not"] == [{"name": "Bedroom", "why": "unreachable for 2 h"}]


def test_a_screen_that_was_never_seen_does_not_ring() -> None:
    assert "Kitchen would not: never seen" in describe(view(gone(2, "Kitchen", since=None)))["press"]["text"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86400, "1 d"), (999999, "11 d")],
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_client_in_the_clear_is_told_of_and_needs_no_attention() -> None:
    tablet = peer(3, "Tablet", Role.PHONE, where=key(2), media="plain", warning="its pictures pass unencrypted")
    document = describe(view(peer(2, "Kitchen"), tablet))
    assert row(document, "Tablet")["media"] == "plain"
    assert row(document, "Kitchen")["media"] is None
    assert document["warnings"] == ["Tablet: its pictures pass unencrypted"]
    assert document["attention"] == []


def test_a_door_without_a_picture_is_said_to_be_so() -> None:
    seen = view(peer(2, "Gate", Role.DOOR), conditions={key(2): Condition({"camera": "the camera stopped"}, dark=True)})
    document = describe(seen)
    assert row(document, "Gate")["trouble"] == ["no picture: the camera stopped"]
    assert row(document, "Gate")["dark"]
    assert document["attention"] == ["Gate has no picture: the camera stopped"]
    assert row(document, "Hall")["trouble"] == []


def test_the_devices_of_this_node() -> None:
    itself = dataclasses.replace(view().itself, devices={"camera": Told("stand-in", "no camera was found")})
    devices = describe(view(itself=itself))["node"]["devices"]
    assert devices == [{"kind": "camera", "state": "stand-in", "text": "no camera was found"}]
