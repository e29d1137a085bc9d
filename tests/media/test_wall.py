"""The wall in its window (Xvfb), touched by xdotool as a person does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from meshdoor.media import panel, wall
from meshdoor.media.card import Card
from meshdoor.media.plans import WallFormat
from meshdoor.media.reports import FAILED, OK, STAND_IN, Device, Event, Touched
from meshdoor.media.wall import Wall
from meshdoor.wall import model, rest
from meshdoor.wall.model import Settings, WallState
from meshdoor.wall.place import GO, Place, View
from meshdoor.wall.scene import Area, Size
from tests.fakes import hand
from tests.fakes.xvfb import POLL, Screen, needs_xvfb, xvfb
from tests.patience import PATIENCE, wait_for
from tests.wall import houses

pytestmark = [needs_xvfb, pytest.mark.xdist_group("xvfb")]

SIZE = Size(800, 480)
BRIGHT = Settings(brightness=10, tones=("chime", "bell"), theme="light", sleep=0)
HOME = replace(houses.HOME, settings=BRIGHT)
RINGING = replace(HOME, visitors=(replace(houses.VISITOR, picture="live"),))
BLACK = (0, 0, 0)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with xvfb(tmp_path_factory.mktemp("xvfb"), SIZE) as made:
        yield made


@pytest.fixture(autouse=True)
def shown_there(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in screen.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(panel, "BACKLIGHTS", tmp_path / "backlight")


class Told:
    """What the wall told, in its order."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()

    def __call__(self, event: Event) -> None:
        self._events.put(event)

    def next(self) -> Event:
        return self._events.get(timeout=PATIENCE)

    def nothing(self, seconds: float = 0.3) -> bool:
        try:
            self._events.get(timeout=seconds)
        except Empty:
            return True
        return False


@contextmanager
def shown(state: WallState, screen: Screen) -> Iterator[tuple[Wall, Told]]:
    """A wall that shows the state."""
    told = Told()
    made = Wall(WallFormat(), told)
    try:
        assert told.next() == Device("display", OK, "800x480, x11")
        made.tell(state)
        screen.until(lambda seen: seen.colors > 8)
        time.sleep(0.5)  # in which touches are meant for what was there before
        yield made, told
    finally:
        made.close()


def area(state: WallState, place: Place, verb: str) -> Area:
    """Where this is touched."""
    return hand.area(SIZE, place, state, verb)


def tap(screen: Screen, where: Area, hold: float = 0.0) -> None:
    screen.tap(where.box.x + where.box.w // 2, where.box.y + where.box.h // 2, hold)


@pytest.mark.parametrize(("verb", "hold"), [("answer", 0.0), ("decline", 0.0), ("silence", 0.0), ("open", 1.4)])
def test_what_is_touched(verb: str, hold: float, screen: Screen) -> None:
    with shown(RINGING, screen) as (_, told):
        tap(screen, area(RINGING, Place(View.CALL), verb), hold)
        touched = told.next()
        assert isinstance(touched, Touched)
        assert (touched.verb, touched.args) == (verb, ("d1",) if verb == "open" else ("1",))
        assert touched.at <= time.monotonic()


def test_what_must_be_held_is_not_tapped(screen: Screen) -> None:
    with shown(RINGING, screen) as (_, told):
        tap(screen, area(RINGING, Place(View.CALL), "open"))
        assert told.nothing()


def test_a_finger_that_slides_off_does_nothing(screen: Screen) -> None:
    with shown(RINGING, screen) as (_, told):
        where = area(RINGING, Place(View.CALL), "answer").box
        screen.xdotool("mousemove", str(where.x + 9), str(where.y + 9), "mousedown", "1", "mousemove", "400", "200")
        screen.xdotool("mouseup", "1")
        assert told.nothing()


def test_keys(screen: Screen) -> None:
    with shown(RINGING, screen) as (_, told):
        screen.key("Return")
        assert told.next().verb == "answer"  # type: ignore[union-attr]
        screen.key("Escape")
        assert told.next().verb == "decline"  # type: ignore[union-attr]


def test_a_name_is_typed(screen: Screen) -> None:
    """With blanks, as a phone may be called."""
    with shown(HOME, screen) as (_, told):
        screen.tap(400, 100)
        screen.still()
        tap(screen, hand.area(SIZE, Place(View.DOORS), HOME, GO, View.PAIRING))
        screen.still()
        tap(screen, hand.area(SIZE, Place(View.PAIRING), HOME, GO, View.NAME))
        screen.still()
        screen.type("Ann B")
        screen.key("BackSpace")
        screen.type("C")
        screen.key("Return")
        while not isinstance(touched := told.next(), Touched) or touched.verb == "seen":
            continue
        assert (touched.verb, touched.args) == ("invite", ("Ann C",))


def test_pictures_are_shown_as_they_come(screen: Screen) -> None:
    """Each on its own. How soon, says `./dev bench`."""
    with shown(RINGING, screen) as (made, _):
        card = Card(640, 360)
        for number in range(10):
            made.live.latencies.clear()
            made.show("visit-1", card.draw(number, "12:00:00"))
            wait_for(lambda: made.live.latencies)
        made.hide("visit-1")


def test_an_idle_wall_sleeps_and_wakes(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "IDLE", 0.3)
    state = replace(HOME, settings=replace(BRIGHT, sleep=1))
    dark: Callable[..., bool] = lambda seen: seen.colors == 1 and seen.at(400, 240) == BLACK  # noqa: E731
    with shown(state, screen) as (made, told):
        screen.until(dark)
        screen.tap(400, 430)
        screen.until(lambda seen: not dark(seen))
        assert told.nothing(), "the touch that wakes does nothing else"
        screen.until(dark)
        made.near()
        screen.until(lambda seen: not dark(seen))
        screen.until(dark)
        made.tell(replace(state, visitors=RINGING.visitors))
        screen.until(lambda seen: not dark(seen))


def test_a_backlight_goes_off_and_on(tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "IDLE", 0.3)
    light = tmp_path / "backlight" / "10-0045"
    light.mkdir(parents=True)
    for name, value in {"bl_power": "0", "brightness": "0", "max_brightness": "31"}.items():
        (light / name).write_text(value)

    def wait_for(name: str, value: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (light / name).read_text() != value:
            assert time.monotonic() < deadline, (name, (light / name).read_text())
            time.sleep(POLL)

    with shown(replace(HOME, settings=replace(BRIGHT, sleep=1, brightness=5)), screen) as (made, _):
        wait_for("brightness", "16")
        wait_for("bl_power", "4")
        made.near()
        wait_for("bl_power", "0")
        wait_for("bl_power", "4")
    wait_for("bl_power", "0")


def test_a_screen_that_comes_later(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":97531")
    monkeypatch.setattr(wall, "RETRY", 0.1)
    told = Told()
    made = Wall(WallFormat(), told)
    try:
        failed = told.next()
        assert isinstance(failed, Device)
        assert failed.state == FAILED
        made.tell(HOME)
        assert told.nothing(), "it is said once"
        with xvfb(tmp_path_factory.mktemp("later"), SIZE) as late:
            monkeypatch.setenv("DISPLAY", late.display)
            assert told.next() == Device("display", OK, "800x480, x11")
            late.until(lambda seen: seen.colors > 8)
            made.close()
    finally:
        made.close()


def test_who_is_idle_does_nothing(screen: Screen) -> None:
    """Some figures for a person, and that a wall that nobody touches hardly wakes."""
    calm = replace(houses.CALM, settings=BRIGHT)
    with shown(calm, screen):
        time.sleep(0.5)
        before, began = time.process_time(), time.monotonic()
        time.sleep(2.0)
        share = (time.process_time() - before) / (time.monotonic() - began)
    assert share < 0.02, f"{share:.1%} of a core"


def test_which_names_mean_a_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert wall.found("auto", WallFormat(), told) is None
    assert told.next() == Device("display", STAND_IN, "no screen is connected, nothing is shown")
    assert wall.found("null", WallFormat(), told) is None


def test_a_window_of_a_size(screen: Screen) -> None:
    told = Told()
    made = wall.found("sdl", WallFormat((400, 240)), told)
    assert made is not None
    try:
        assert told.next() == Device("display", OK, "400x240, x11")
        made.tell(model.WallState(settings=BRIGHT))
        screen.until(lambda seen: seen.at(10, 10) != seen.at(400, 240))
    finally:
        made.close()
