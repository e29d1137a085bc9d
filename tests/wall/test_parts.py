"""Words, dates, colours, drawings, layout and the model."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.media import wire
from meshdoor.media.page_files import PAGE, drawings, tables, words
from meshdoor.wall import icons, layout
from meshdoor.wall.dates import Moment
from meshdoor.wall.layout import Style, fit
from meshdoor.wall.model import WallState
from meshdoor.wall.palette import DARK, LIGHT, palette, rgb
from meshdoor.wall.place import View
from meshdoor.wall.scene import Action, Area, Box, Color, Scene, Weight
from meshdoor.wall.words import Words, left, parse
from tests.wall import houses
from tests.wall.houses import measure

AFTERNOON = Moment(2026, 6, 1, 0, 15, 4)
BLACK = Color(0, 0, 0)
boxes = st.builds(Box, st.integers(0, 99), st.integers(0, 99), st.integers(0, 400), st.integers(0, 400))


def test_a_table_is_read() -> None:
    text = 'export default {\n  "a.b": "one: {n}, two",\n\n  c: { one: "{n} x", other: "{n} xs" },\n};\n'
    assert parse(text) == {"a.b": "one: {n}, two", "c": {"one": "{n} x", "other": "{n} xs"}}


@pytest.mark.parametrize("text", ["", "export default 7;", "export default {\n  what is this\n};"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"table|entry"):
        parse(text)


def test_every_sentence_that_a_wall_says_is_in_the_tables() -> None:
    keys = tables()["en"]
    for source in (PAGE.joinpath("..", "..", "wall", "views", f"{name}.py") for name in VIEW_FILES):
        named = re.findall(r'"((?:[a-z]+\.)+[a-z]+)"', source.read_text(encoding="utf-8"))
        assert [key for key in named if key not in keys] == [], source


VIEW_FILES = ("call", "frame", "history", "home", "keyboard", "over", "pairing", "paint", "rooms", "settings")


def test_values_and_plurals() -> None:
    assert words("de")("home.missed", n=1) == "1 Besuch, während du weg warst"
    assert words("de")("home.missed", n=0) == "0 Besuche, während du weg warst"
    assert words("fr")("wall.minutes", n=0) == "0 minute"
    assert words("en")("ring.at") == "Somebody is at {door}"
    assert words("pt-BR").language == "en"
    with pytest.raises(KeyError):
        words("en")("no.such.key")


def test_a_text_that_a_language_lacks_is_english() -> None:
    assert Words({"en": {"a": "A"}, "de": {}}, "de")("a") == "A"
    assert "a" in Words({"en": {"a": "A"}, "de": {}}, "de")
    assert words("en").or_else("no.such.key", "so") == "so"


@pytest.mark.parametrize(
    ("locale", "clock", "date"),
    [
        ("en", "15:04", "Monday, June 1"),
        ("en-US", "3:04 PM", "Monday, June 1"),
        ("de-AT", "15:04", "Montag, 1. Juni"),
        ("fr-CA", "15:04", "lundi 1er juin"),
    ],
)
def test_times(locale: str, clock: str, date: str) -> None:
    assert words(locale).clock(AFTERNOON) == clock
    assert words(locale).date(AFTERNOON) == date


def test_midnight_and_noon_of_twelve_hours() -> None:
    told = [words("en-US").clock(AFTERNOON._replace(hour=hour, minute=0)) for hour in (0, 11, 12, 23)]
    assert told == ["12:00 AM", "11:00 AM", "12:00 PM", "11:00 PM"]


def test_days() -> None:
    days = [AFTERNOON._replace(month=5, day=31), AFTERNOON, AFTERNOON._replace(day=3, weekday=2)]
    assert [words("fr").day(day, AFTERNOON) for day in days] == ["Hier", "Aujourd’hui", "mercredi 3 juin"]


def test_time_that_is_left() -> None:
    assert [left(seconds) for seconds in (-3, 9.9, 245)] == ["0:00", "0:09", "4:05"]


@pytest.mark.parametrize(("ours", "rule"), [(LIGHT, r":root \{(.*?)\}"), (DARK, r'data-theme="dark"\] \{(.*?)\}')])
def test_the_colours_are_those_of_the_page(ours: object, rule: str) -> None:
    sheet = re.search(rule, PAGE.joinpath("style", "base.css").read_text(encoding="utf-8"), re.DOTALL)
    assert sheet is not None
    theirs = dict(re.findall(r"--([\w-]+): (#\w{6});", sheet[1]))
    assert {each.name: getattr(ours, each.name) for each in fields(LIGHT)} == {
        name.replace("-", "_"): rgb(value) for name, value in theirs.items()
    }


def test_themes() -> None:
    assert [palette("auto", hour) for hour in (6, 7, 19, 20)] == [DARK, LIGHT, LIGHT, DARK]
    assert palette("dark", 12) is DARK
    assert palette("light", 0) is LIGHT


def test_every_drawing_is_drawn_inside_of_its_square() -> None:
    for name, path in drawings().items():
        points = [point for line in icons.lines(path) for point in line]
        assert len(points) > 2, name
        assert all(0 <= point.x <= icons.GRID and 0 <= point.y <= icons.GRID for point in points), name
        assert max(icons.mask(path, 48)) == 255, name


def test_a_line_covers_what_it_covers() -> None:
    covered = icons.mask("M0 12H24", 24)
    assert covered[0] == 0
    assert covered[12 * 24 + 12] > 200
    assert covered[11 * 24 + 12] == covered[12 * 24 + 12]
    assert max(icons.mask("M12 12v0", 24)) > 150


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("M2 3 4 5l1 1", (5, 6)),
        ("m2 3 4 5", (6, 8)),
        ("M1 1H9V9h-2v-3z", (1, 1)),
        ("M0 0C0 1 1 2 3 3s2 2 3 3S9 9 10 10", (10, 10)),
        ("M0 0c0 1 1 2 3 3", (3, 3)),
        ("M2 2A5 5 0 0 1 12 2", (12, 2)),
        ("M2 2a5 5 0 1 0 10 0a1 1 0 1 1-1-1", (11, 1)),
    ],
)
def test_paths_end_where_they_say(path: str, end: tuple[float, float]) -> None:
    assert icons.lines(path)[-1][1] == pytest.approx(end)


@pytest.mark.parametrize(("large", "sweep", "side"), [(0, 1, -1), (0, 0, 1), (1, 1, -1), (1, 0, 1)])
def test_arcs_turn_the_right_way(large: int, sweep: int, side: int) -> None:
    drawn = icons.lines(f"M5 10A6 6 0 {large} {sweep} 15 10")
    heights = [end.y - 10 for _, end in drawn[:-1]]
    assert all(height * side > 0 for height in heights)
    assert (max(map(abs, heights)) > 6) is bool(large)


@given(boxes, st.integers(0, 500), st.integers(0, 50))
def test_parts_stay_inside(box: Box, length: int, gap: int) -> None:
    for cut in (layout.top, layout.bottom, layout.left, layout.right):
        part, rest = cut(box, length, gap)
        assert part.within(box)
        assert rest.within(box)
        assert not (part.overlaps(rest) and part.w and part.h and rest.w and rest.h)
    assert layout.inset(box, length, gap).within(box)
    assert layout.middle(box, length, gap).within(box)


@given(st.integers(100, 2000), st.integers(1, 6), st.integers(0, 10))
def test_cells_fill_their_box(length: int, count: int, gap: int) -> None:
    box = Box(3, 5, length, length)
    across = layout.columns(box, count, gap)
    assert across[0].x == box.x
    assert across[-1].right == box.right
    assert all(after.x - before.right == gap for before, after in pairwise(across))
    down = layout.rows(box, count, gap)
    assert (down[0].y, down[-1].bottom) == (box.y, box.bottom)
    assert len(layout.grid(box, count, 2, gap)) == 2 * count


@given(st.text(max_size=80), boxes, st.integers(11, 60), st.integers(1, 4), st.sampled_from(Weight))
def test_any_text_fits_any_box(text: str, box: Box, size: int, lines: int, weight: Weight) -> None:
    item = fit(measure, box, text, Style(BLACK, size, 11, weight, lines=lines))
    assert len(item.lines) <= lines
    assert all(not line or measure(line, item.size, weight) <= box.w for line in item.lines)
    assert not item.text or box.h == 0 or layout.line_height(item.size) * len(item.lines) <= box.h or box.h < 2


def test_lines_have_room_for_what_goes_below_and_above() -> None:
    assert [layout.line_height(size) for size in (10, 11, 100)] == [13, 15, 130]


def test_text_is_broken_made_smaller_and_cut_off_in_this_order() -> None:
    wide, narrow = Box(0, 0, 400, 60), Box(0, 0, 120, 60)
    style = Style(BLACK, 20, 12, lines=2)
    assert fit(measure, wide, "Somebody is at the door", style).lines == ["Somebody is at the door"]
    assert fit(measure, narrow, "Somebody is here", style).lines == ["Somebody", "is here"]
    smaller = fit(measure, narrow, "Somebody is at the door", style)
    assert smaller.size < 20
    assert smaller.text.replace("\n", " ") == "Somebody is at the door"
    assert fit(measure, narrow, "Somebody is at the door and rings and rings", style).text.endswith("…")
    assert fit(measure, narrow, "Somebody\x00is\n\there", style).text.split() == ["Somebody", "is", "here"]
    assert fit(measure, Box(0, 0, 1, 20), "Somebody", style).text == ""


def test_a_state_comes_through_the_pipe_as_it_was() -> None:
    state = replace(houses.HOME, visitors=(houses.VISITOR,), call=houses.ROOM_CALL, invited=houses.INVITED)
    assert wire.load(wire.dump(state, 7), {"WallState": WallState}) == (7, state)
    assert wire.load(wire.dump(houses.UNPAIRED), {"WallState": WallState}) == (None, houses.UNPAIRED)


def test_an_area_of_an_earlier_scene() -> None:
    here, there = Area(Box(0, 0, 9, 9), Action("a")), Area(Box(50, 0, 9, 9), Action("a"))
    scene = Scene((), (here, there))
    assert scene.again(there) is there
    assert scene.again(replace(there, box=Box(70, 0, 9, 9))) is here
    assert scene.again(replace(there, action=Action("b"))) is None
    assert scene.at(55, 3) is there
    assert scene.at(30, 3) is None
    assert View("call") is View.CALL
