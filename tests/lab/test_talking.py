"""Calls in the virtual house: looking through a door, room to room, pages; media from real engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshdoor.errors import Refused
from tests.lab import House
from tests.lab.nodes import Node, wait_until
from tests.lab.presses import Family

pytestmark = pytest.mark.lab

SMALL = "[media]\nwidth = 320\nheight = 192\nbitrate = 300000\n"
KITCHEN = '[calls]\nauto_answer = ["hall"]\n'


@pytest.fixture(scope="module")
def house() -> Iterator[Family]:
    with House("door", "hall", "kitchen", "bedroom") as built:
        (built["kitchen"].directory / "state").mkdir(mode=0o700)
        (built["kitchen"].directory / "state" / "config.toml").write_text(KITCHEN)
        with Family(built, "hall", "kitchen", "bedroom", settings=SMALL) as family:
            yield family


@pytest.fixture
def family(house: Family) -> Iterator[Family]:
    house.forget()
    yield house
    house.calm()


def test_a_screen_looks_through_the_door_and_then_talks(family: Family) -> None:
    hall, door = family["hall"], family["door"]
    call = hall.ask("monitor", door="door")
    assert (call["kind"], call["with"], call["state"]) == ("monitor", "door", "calling")
    assert family.hears("monitored", "door", by="hall", on=True).at < family.hears("picture", "hall").at
    assert family.told("sound") == []
    assert hall.ask("calls")["calls"][0]["state"] == "connected"
    assert hall.sees("door")
    hall.ask("talk")
    for node in ("door", "hall"):
        family.hears("sound", node)
    wait_until(lambda: door.sees("hall", "in call") and hall.sees("door", "in call") and hall.sees("hall", "in call"))
    assert len(family.told("picture", "hall")) == 1  # it went on, undisturbed
    assert hall.ask("hangup") == {"ended": ["door"]}
    family.hears("monitored", "door", by="hall", on=False)
    family.hears("call", "door", state="ended")
    assert hall.ask("calls") == {"press": None, "visitors": [], "calls": []}


def test_rooms_call_each_other(family: Family) -> None:
    hall, bedroom = family["hall"], family["bedroom"]
    hall.ask("call", member="BEDROOM")
    rung = family.hears("ring", "bedroom", on=True).event
    assert (rung["with"], rung["kind"]) == ("hall", "room")
    family.hears("call", "hall", state="ringing")
    assert hall.sees("bedroom", "ringing")
    assert family.told("sound") == []
    with pytest.raises(Refused, match="nothing rings here"):
        hall.ask("answer")
    bedroom.ask("answer")
    for node in ("hall", "bedroom"):
        family.hears("sound", node)
    with pytest.raises(Refused, match="talks here with bedroom"):
        hall.ask("monitor", door="door")
    family["kitchen"].ask("call", member="hall")
    family.hears("call", "kitchen", state="ended", why="busy")
    bedroom.ask("hangup")
    family.hears("call", "hall", state="ended", why="answered")


def test_digits_go_both_ways(family: Family) -> None:
    hall, door = family["hall"], family["door"]
    family.press()
    family.hears("visitor", "hall")
    hall.ask("answer")
    for node in ("hall", "door"):
        family.hears("sound", node)
    assert hall.ask("dtmf", digits="12*d") == {"digits": "12*D", "with": "door", "by": "telephone-event"}
    family.hears("dtmf", "door", digit="D")
    told = [told.event for told in family.told("dtmf", "door")]
    assert [(event["digit"], event["from"]) for event in told] == [(digit, "hall") for digit in "12*D"]
    assert door.ask("dtmf", digits="#")["with"] == "hall"
    family.hears("dtmf", "hall", digit="#")
    door.ask("hangup")
    family.hears("over", "hall")
    with pytest.raises(Refused, match="nobody is talked with"):
        hall.ask("dtmf", digits="1")


def test_a_room_does_not_answer(family: Family) -> None:
    family["hall"].ask("call", member="bedroom")
    family.hears("ring", "bedroom", on=True)
    family["bedroom"].ask("decline")
    family.hears("call", "hall", state="ended", why="declined")
    family.forget()
    family["hall"].ask("call", member="bedroom")
    family.hears("ring", "bedroom", on=True)
    family["hall"].ask("hangup")
    family.hears("call", "bedroom", state="ended", why="missed")


def test_a_page_is_heard_at_once_where_the_settings_say_so(family: Family) -> None:
    hall = family["hall"]
    paged = hall.ask("page")
    assert {row["with"] for row in paged["calls"]} == {"kitchen", "bedroom"}
    family.hears("monitored", "kitchen", by="hall", on=True)
    family.hears("sound", "kitchen")
    assert family.hears("ring", "bedroom", on=True).event["kind"] == "page"
    assert family.told("sound", "bedroom") == family.told("sound", "hall") == []
    family["bedroom"].ask("answer")
    family.hears("sound", "bedroom")
    assert family.told("sound", "hall") == []
    family["kitchen"].ask("talk")
    family.hears("sound", "hall")
    assert set(hall.ask("hangup")["ended"]) == {"kitchen", "bedroom"}


def test_a_visitor_knocks_at_a_conversation_and_ends_it_when_answered(family: Family) -> None:
    hall, bedroom = family["hall"], family["bedroom"]
    hall.ask("call", member="bedroom")
    family.hears("ring", "bedroom", on=True)
    bedroom.ask("answer")
    family.hears("sound", "hall")
    family.press()
    family.hears("knock", "hall")
    family.hears("bell", "kitchen", on=True)
    assert family.told("bell", "hall") == []
    hall.ask("answer")
    family.hears("call", "bedroom", state="ended")
    family.hears("sound", "door")
    assert hall.ask("calls")["calls"] == []
    family["door"].ask("hangup")
    family.hears("over", "hall")


def test_doors_and_locks_call_nobody(family: Family) -> None:
    family.house.add("lock")
    lock = Node(family.house["lock"], "lock")
    try:
        family["hall"].pair(lock)
        for node in (lock, family["door"]):
            for verb, args in (("call", {"member": "hall"}), ("monitor", {"door": "door"}), ("page", {})):
                with pytest.raises(Refused, match="calls nobody"):
                    node.ask(verb, **args)
        with pytest.raises(Refused, match="lock is a lock"):
            family["hall"].ask("call", member="lock")
        with pytest.raises(Refused, match="door is a door"):
            family["hall"].ask("call", member="door")
        with pytest.raises(Refused, match="not a door"):
            family["hall"].ask("monitor", door="kitchen")
    finally:
        family["hall"].ask("revoke", member="lock")
        lock.process.stop()


def test_ring_waits_and_says_how_it_ended(family: Family) -> None:
    host = family.house["door"]
    for ends, code in (("hall", 0), ("door", 1)):
        waiting = host.start(host.python("meshdoor", "ring", "--wait"))
        waiting.expect("hall has the first picture")
        if ends == "hall":
            family["hall"].ask("answer")
            waiting.expect("hall answers after")
        family[ends].ask("hangup")
        assert waiting.wait() == code
        waiting.expect(f"the press is over: {'answered' if code == 0 else 'cancelled'}")
