"""A whole house and a hand: what a person does at the screen on the wall (Xvfb, xdotool) happens in the house.

`MESHDOOR_SCREENSHOTS` names a directory for what was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshdoor.control import Json
from meshdoor.wall import model
from meshdoor.wall.place import FOUND, GO, INVITE, Place, View
from tests.fakes.hand import Hand
from tests.fakes.xvfb import Pixels, Screen, needs_xvfb, xvfb
from tests.node.processes import Node, node
from tests.patience import PATIENCE

pytestmark = [needs_xvfb, pytest.mark.multicast, pytest.mark.xdist_group("multicast")]

POLL = 0.05
LOOK = '[screen]\ntheme = "light"\nlanguage = "en"\n'
GUARD = 0.6  # seconds in which a touch was meant for what was there before
HALL = model.Itself("hall", "Hall", "Home")
DOOR = model.Door("d", "Street", lock=True)
VISITOR = model.Visitor("1", "d", "Street", leg="visit-1", picture="live", lock=True)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with xvfb(tmp_path_factory.mktemp("xvfb")) as made:
        yield made


def until(true: Callable[[], Json]) -> Json:
    deadline = time.monotonic() + PATIENCE
    while not (answer := true()):
        assert time.monotonic() < deadline, "that did not happen"
        time.sleep(POLL)
    return answer


def settings(state: Path, text: str) -> Path:
    """A state directory with a file of settings."""
    state.mkdir(mode=0o700)
    (state / "config.toml").write_text(text)
    return state


def visitors(hall: Node) -> list[str]:
    return [visit["state"] for visit in hall.ask("visitors")]


def seen(screen: Screen, name: str) -> Pixels:
    """What is on the screen, once it is calm."""
    time.sleep(GUARD)
    pixels = screen.pixels()
    pixels.write(f"house-{name}")
    assert pixels.colors > 8
    return pixels


def test_from_the_first_day_to_a_missed_visitor(tmp_path: Path, screen: Screen) -> None:
    hand = Hand(screen)
    state = settings(tmp_path / "hall", f'[lock]\nof = "Street"\n{LOOK}')
    outside = settings(tmp_path / "door", "[ring]\ntimeout = 6.0\n")
    with node(state, "Hall", **screen.environment) as hall:
        found_a_home(hall, hand)
        with node(outside, "Street", "door") as door:
            let_in(door, hall, hand)
            answer_and_open(door, hall, hand)
            miss_one(door, hall, hand)
    assert "Traceback" not in hall.log


def found_a_home(hall: Node, hand: Hand) -> None:
    code = hall.until(lambda status: status["node"]["pairing"])["node"]["pairing"]["code"]
    unpaired = model.WallState(me=model.Itself(name="Hall", member=False), pairing=model.Pairing(code))
    hand.screen.until(lambda pixels: pixels.colors > 8)
    seen(hand.screen, "newcomer")
    hand.touch(Place(View.NEWCOMER), unpaired, GO, View.NAME, FOUND)
    seen(hand.screen, "name")
    hand.screen.type("home")
    hand.screen.key("Return")
    hall.until(lambda status: status["home"] and status["home"]["name"].lower() == "home")


def let_in(door: Node, hall: Node, hand: Hand) -> None:
    itself = door.until(lambda status: status["node"]["pairing"])["node"]
    hall.until(lambda status: itself["id"] in {each["id"] for each in status["newcomers"]})
    newcomer = model.Newcomer(itself["id"], "Street", "door")
    state = model.WallState(me=HALL, newcomers=(newcomer,))
    seen(hand.screen, "clock")
    hand.screen.tap(400, 100)
    seen(hand.screen, "doors")
    hand.touch(Place(View.DOORS), state, GO, View.PAIRING)
    hand.screen.until(lambda pixels: pixels.colors > 8)
    time.sleep(1.0)
    seen(hand.screen, "pairing")
    hand.touch(Place(View.PAIRING), state, GO, View.CODE)
    hand.screen.type(itself["pairing"]["code"].replace("-", ""))
    seen(hand.screen, "code")
    hand.screen.key("Return")
    door.ready("Hall", "Street")
    hall.ready("Hall", "Street")
    door.until(lambda status: status["node"]["media"] == "ready")
    seen(hand.screen, "paired")


def answer_and_open(door: Node, hall: Node, hand: Hand) -> None:
    state = model.WallState(me=HALL, doors=(DOOR,), visitors=(VISITOR,))
    until(lambda: hall.ask("locks"))
    door.ask("ring")
    until(lambda: visitors(hall) == ["ringing"])
    hand.screen.until(lambda pixels: pixels.colors > 500)  # the picture is there
    seen(hand.screen, "ringing")
    hand.touch(Place(View.CALL), state, "answer")
    until(lambda: visitors(hall) == ["talking"])
    talker = model.Visitor("1", "d", "Street", "talking", lock=True)
    talking = model.WallState(me=HALL, doors=(DOOR,), visitors=(talker,))
    time.sleep(GUARD)
    hand.touch(Place(View.CALL), talking, "mute")
    seen(hand.screen, "muted")
    hand.touch(Place(View.CALL), talking, "open")
    opened = until(lambda: [*_openings(hall)])
    assert [(each["lock"], each["result"]) for each in opened] == [("Hall", "opened (simulated)")]
    seen(hand.screen, "opened")
    hand.touch(Place(View.CALL), talking, "hangup")
    until(lambda: visitors(hall) == [])
    until(lambda: [each["answered_by"] for each in hall.ask("history")["presses"]] == ["Hall"])


def _openings(hall: Node) -> Iterator[Json]:
    history = hall.ask("history")
    yield from history["openings"]
    for press in history["presses"]:
        yield from press["openings"]


def miss_one(door: Node, hall: Node, hand: Hand) -> None:
    door.ask("ring")
    until(lambda: visitors(hall) == ["ringing"])
    until(lambda: visitors(hall) == [])
    until(lambda: hall.ask("history", missed=True)["presses"])
    seen(hand.screen, "missed")
    time.sleep(2.0)  # its picture is kept a moment later
    hand.touch(Place(View.PAIRING), model.WallState(me=HALL), GO, View.VISITORS)
    seen(hand.screen, "visitors")
    until(lambda: hall.ask("history", missed=True)["presses"] == [])


def test_a_phone_is_invited(tmp_path: Path, screen: Screen) -> None:
    """The code can be read off the screen."""
    zxing = pytest.importorskip("zxingcpp")
    numpy = pytest.importorskip("numpy")
    hand = Hand(screen)
    with node(settings(tmp_path / "hall", f"[web]\nport = 0\n{LOOK}"), "Hall", **screen.environment) as hall:
        hall.ask("found", home="Home", anyway=True)
        screen.until(lambda pixels: pixels.colors > 8)
        time.sleep(1.0)
        screen.tap(400, 100)
        seen(screen, "nodoors")
        state = model.WallState(me=HALL)
        hand.touch(Place(View.DOORS), state, GO, View.PAIRING)
        time.sleep(GUARD)
        hand.touch(Place(View.PAIRING), state, GO, View.NAME, INVITE)
        time.sleep(GUARD)
        screen.type("Ann")
        screen.key("Return")

        def code() -> list[str]:
            pixels = screen.pixels()
            grey = numpy.frombuffer(bytes(pixels.data[1::4]), numpy.uint8).reshape(pixels.height, pixels.width)
            return [each.text for each in zxing.read_barcodes(grey)]

        (url,) = until(code)
        seen(screen, "invited")
        assert url.startswith("https://127.0.0.1:")
        assert hall.ask("phone list")["invited"][0]["name"] == "Ann"
        state = model.WallState(me=HALL, invited=model.Invited("Ann", url, time.time() + 590))
        hand.touch(Place(View.INVITED, "Ann"), state, "withdraw")
        until(lambda: hall.ask("phone list")["invited"] == [])
