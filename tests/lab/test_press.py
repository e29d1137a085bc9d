"""The press, from the button to the pictures, the voices and the silence. Each node is a real process.

One house serves all tests of this file; each leaves it calm. How fast it all is on an idle machine says
`python -m tests.lab.measure`; the one limit here leaves room for a busy one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.lab import House
from tests.lab.capture import Packet
from tests.lab.nodes import wait_until
from tests.lab.presses import Family, audio_from

pytestmark = pytest.mark.lab

SCREENS = ("hall", "kitchen", "bedroom")
SENSIBLE = 10.0  # seconds until everybody sees what is so: 3, and a busy machine; TCP alone would take minutes


@pytest.fixture(scope="module")
def built() -> Iterator[Family]:
    with House(*SCREENS, "door") as house, Family(house, *SCREENS) as family:
        family.rehearse()
        yield family


@pytest.fixture
def family(built: Family) -> Iterator[Family]:
    """The family, calm before and after; what a test left dead lives again."""
    built.forget()
    yield built
    for node in built:
        if node.process.poll() is not None:
            built.start(node)
    built.calm()


def test_every_screen_shows_the_visitor_and_says_so(family: Family) -> None:
    press = family.press()
    assert set(press.rings) == set(SCREENS)
    family.pictures(press)
    for name in SCREENS:
        family.hears("step", "door", step="first picture", member=name)
        assert family.told("picture", name)[0].event["frame"] is not None


def test_with_loss_nobody_is_left_dark(family: Family) -> None:
    family.house["door"].lose(5)
    try:
        for _ in range(4):
            family.pictures(family.press())
            family.calm()
    finally:
        family.house["door"].lose(0)


def test_the_first_to_answer_talks_and_the_others_fall_silent(family: Family) -> None:
    family.pictures(family.press())
    family["kitchen"].ask("answer")
    family.hears("answered", "kitchen")
    for loser in ("hall", "bedroom"):
        assert family.hears("over", loser).event["why"] == "answered elsewhere"
    family.hears("sound", "door")
    family.hears("sound", "kitchen")
    family["kitchen"].ask("hangup")
    family.hears("step", "door", step="ended", member="kitchen", detail="answered")


def test_no_screen_is_heard_before_its_own_answer(family: Family) -> None:
    for ring in range(8):
        winner = SCREENS[ring % 3]
        packets: list[Packet]
        with family.house["door"].capture() as packets:
            family.pictures(family.press())
            family.ears.hear(0.2)
            family[winner].ask("answer")
            family.hears("sound", "door")
            family.calm()
        answered = family.hears("answered", winner).at + time.time() - time.monotonic()
        heard = {name: audio_from(family.house[name], packets) for name in SCREENS}
        assert heard[winner]
        assert min(heard[winner]) >= answered - 0.001  # two clocks are compared
        assert not any(times for name, times in heard.items() if name != winner)


def test_one_declines_and_the_house_rings_on(family: Family) -> None:
    family.pictures(family.press())
    family["hall"].ask("decline")
    assert family.hears("over", "hall").event["why"] == "declined"
    family.ears.hear(0.3)
    assert not family.told("over", "kitchen")
    family["kitchen"].ask("answer")
    family.hears("sound", "door")


def test_all_decline_and_the_visitor_is_free_to_go(family: Family) -> None:
    family.pictures(family.press())
    for name in SCREENS:
        family[name].ask("decline")
    for name in SCREENS:
        family.hears("step", "door", step="ended", member=name, detail="declined")
    family.settle()


def test_the_visitor_leaves(family: Family) -> None:
    family.pictures(family.press())
    family.door.ask("hangup")
    for name in SCREENS:
        assert family.hears("over", name).event["why"] == "missed"


def test_a_second_press_joins_and_one_during_a_call_knocks(family: Family) -> None:
    press = family.press()
    assert family.door.ask("ring")["press"] == press.id
    family.pictures(press)
    family["kitchen"].ask("answer")
    family.hears("over", "hall")
    assert family.door.ask("ring")["press"] == press.id
    family.hears("knock", "kitchen")
    assert len(family.told("visitor", "hall")) == 1


def test_who_talks_sees_who_knocks(family: Family) -> None:
    family["hall"].ask("call", member="kitchen")
    family.hears("ring", "kitchen", on=True)
    family["kitchen"].ask("answer")
    family.hears("sound", "hall")
    family.ears.hear(0.1)
    press = family.press()
    family.pictures(press)
    assert family.hears("knock", "kitchen")
    assert not family.told("bell", "kitchen")
    family.hears("bell", "bedroom", on=True)
    family["bedroom"].ask("answer")
    assert family.hears("over", "kitchen").event["why"] == "answered elsewhere"


def test_who_talks_hands_over_to_another_room(family: Family) -> None:
    talk(family)
    family.forget()
    kitchen = family["kitchen"].host
    handover = kitchen.start(kitchen.python("meshdoor", "handover", "hall"))
    assert family.hears("visitor", "hall").event["from"] == "kitchen"
    packets: list[Packet]
    with family.house["door"].capture() as packets:
        family.hears("picture", "hall")
        family.ears.hear(0.3)
        assert not family.told("over", "kitchen")
        family["hall"].ask("answer")
        family.hears("over", "kitchen", why="handed over")
        family.hears("sound", "door")
    answered = family.hears("answered", "hall").at + time.time() - time.monotonic()
    assert audio_from(family.house["kitchen"], packets)[0] < answered
    assert audio_from(family.house["hall"], packets)[0] >= answered - 0.001
    assert handover.wait() == 0
    assert not family.told("visitor", "bedroom")
    family["hall"].ask("hangup")
    wait_until(lambda: family["bedroom"].ask("history", limit=1)["presses"][0]["handed_over_to"] == ["hall"])


def test_a_hand_over_that_is_declined_leaves_the_talk_as_it_was(family: Family) -> None:
    talk(family)
    family.forget()
    kitchen = family["kitchen"].host
    handover = kitchen.start(kitchen.python("meshdoor", "handover", "hall"))
    family.hears("picture", "hall")
    family["hall"].ask("decline")
    assert handover.wait() == 1
    assert "hall declines" in handover.text
    assert not family.told("over", "kitchen")
    assert family["kitchen"].ask("visitors")[0]["state"] == "talking"


def test_nobody_answers_in_time() -> None:
    with House("hall", "door") as house, Family(house, "hall", settings="[ring]\ntimeout = 1.5\n") as family:
        press = family.press()
        family.pictures(press)
        over = family.hears("over", "hall")
        assert over.event["why"] == "missed"
        assert over.at - press.at > 1.4
        family.calm()


def test_the_winner_dies_in_the_middle_of_the_call(family: Family) -> None:
    talk(family)
    died = kill(family, "kitchen")
    family.hears("step", "door", step="ended", member="kitchen")
    assert family.steps("ended")["kitchen"].at - died < SENSIBLE
    press = family.press()
    assert set(press.rings) == {"hall", "bedroom"}
    family.pictures(press, ("hall", "bedroom"))
    family.start(family["kitchen"])


def test_a_loser_dies_and_comes_back_while_it_rings(family: Family) -> None:
    press = family.press()
    family.pictures(press)
    died = kill(family, "hall")
    assert family.hears("step", "door", step="ended", member="hall", detail="lost").at - died < SENSIBLE
    family.start(family["hall"])
    again(family, "hall", died)
    family["hall"].ask("answer")
    family.hears("over", "kitchen", why="answered elsewhere")
    family.hears("sound", "door")


def test_the_door_dies_while_it_rings(family: Family) -> None:
    family.pictures(family.press())
    died = kill(family, "door")
    for name in SCREENS:
        over = family.hears("over", name)
        assert over.event["why"] == "lost"
        assert over.at - died < SENSIBLE
    family.start(family.door)
    family.settle()
    family.pictures(family.press())


@pytest.mark.parametrize("cut", ["hall", "door"])
def test_a_cable_is_cut_while_it_rings(family: Family, cut: str) -> None:
    family.pictures(family.press())
    at = time.monotonic()
    family.house[cut].cut()
    dark = SCREENS if cut == "door" else ("hall",)
    for name in dark:
        assert family.hears("over", name, why="lost").at - at < SENSIBLE
        assert family.hears("step", "door", step="ended", member=name).at - at < SENSIBLE
    assert len(family.told("over")) == len(dark)
    family.house[cut].plug()
    for name in dark:
        again(family, name, at)


def test_the_cable_of_the_winner_is_cut(family: Family) -> None:
    talk(family)
    at = time.monotonic()
    family.house["kitchen"].cut()
    assert family.hears("over", "kitchen").at - at < SENSIBLE
    assert family.hears("step", "door", step="ended", member="kitchen").at - at < SENSIBLE
    press = family.press()
    family.pictures(press, ("hall", "bedroom"))
    family.house["kitchen"].plug()
    assert family.hears("picture", "kitchen")  # it is rung as soon as it is back


def test_a_screen_moves_to_another_address_while_it_rings(family: Family) -> None:
    hall = family.house["hall"]
    hall.use_ipv6(False)  # else it may well go on as it was, by the address that stays
    try:
        family.pictures(family.press())
        moved = time.monotonic()
        hall.move("10.77.0.99")
        again(family, "hall", moved)
        family["hall"].ask("answer")
        family.hears("sound", "door")
    finally:
        hall.use_ipv6(True)


@pytest.mark.parametrize("node", ["hall", "door"])
def test_a_media_engine_dies_while_it_rings(family: Family, node: str) -> None:
    family.pictures(family.press())
    kill_engine(family, node)
    family.ears.hear(0.3)
    family.rehearse()
    for name in SCREENS:
        family.ears.until(lambda name=name: shows(family, name))  # type: ignore[misc]
    family["hall"].ask("answer")
    family.hears("sound", "door")
    family.hears("over", "kitchen", why="answered elsewhere")


def test_the_doors_media_engine_still_starts(family: Family) -> None:
    """As on a small Pi that was just switched on: it rings at once, and the picture comes when it can."""
    host, pid = family.house["door"], family.door.process.pid
    engine = host.run(["sh", "-c", STARTS_NO_ENGINE.format(pid=pid)]).stdout.strip()
    try:
        press = family.press()
        for name in SCREENS:
            family.hears("visitor", name)
        family.ears.hear(0.3)
        assert family.told("picture") == []
    finally:
        host.run(["kill", "-CONT", engine])
    family.pictures(press)
    family["hall"].ask("answer")
    family.hears("sound", "door")
    family.hears("sound", "hall")
    family.hears("over", "kitchen", why="answered elsewhere")


def test_nobody_is_there_and_one_comes(family: Family) -> None:
    for name in SCREENS:
        family[name].process.stop()
    wait_until(lambda: family.door.ready() == {"door"})
    press = family.press()
    assert press.rings == ()
    family.start(family["kitchen"])
    family.pictures(press, ("kitchen",))
    for name in ("hall", "bedroom"):
        family.start(family[name])
    family.pictures(press)


def talk(family: Family) -> None:
    """The kitchen talks with the visitor."""
    family.pictures(family.press())
    family["kitchen"].ask("answer")
    family.hears("sound", "door")
    family.ears.hear(0.1)


def again(family: Family, name: str, since: float) -> None:
    """The screen shows the visitor again."""
    family.ears.until(lambda: any(told.at > since for told in family.told("picture", name)))


def shows(family: Family, name: str) -> bool:
    """Is there a picture of the visitor on the screen now? One that was away for less than a second is not missed."""
    events = [told.event["event"] for told in family.ears.told if told.node == name]
    return [event for event in events if event in {"picture", "no picture"}][-1:] == ["picture"]


def kill(family: Family, name: str) -> float:
    """As a power cut does; when."""
    died = time.monotonic()
    family[name].process.kill()
    return died


# Kills the media engine of a node, and stops the one that is started then before it can do anything. Prints its id.
STARTS_NO_ENGINE = """
children=/proc/{pid}/task/{pid}/children
old=$(cat $children)
kill -9 $old
until new=$(cat $children) && [ -n "$new" ] && [ "$new" != "$old" ]; do sleep 0.01; done
kill -STOP $new
echo $new
"""


def kill_engine(family: Family, name: str) -> None:
    """And nothing else of the node."""
    host, pid = family.house[name], family[name].process.pid
    children = host.run(["cat", f"/proc/{pid}/task/{pid}/children"]).stdout.split()
    host.run(["sh", "-c", f"kill -9 {' '.join(children)}"])
