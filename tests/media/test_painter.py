"""Every view on a real screen (Xvfb): drawn as it is meant, and written for a person where one wants to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from meshdoor.media import fonts, page_files, still
from meshdoor.media.card import Card
from meshdoor.media.gallery import Live
from meshdoor.media.lettering import Lettering
from meshdoor.media.painter import Painter
from meshdoor.media.window import Shape, Window
from meshdoor.wall import model, views
from meshdoor.wall.look import Look
from meshdoor.wall.palette import palette
from meshdoor.wall.place import Place, View
from meshdoor.wall.scene import Align, Box, Color, Icon, Picture, Rect, Scene, Size, Text, Weight
from tests.fakes.xvfb import Pixels, Screen, needs_xvfb, xvfb
from tests.wall import houses
from tests.wall.houses import HOME, NOON

pytestmark = [needs_xvfb, pytest.mark.xdist_group("xvfb")]

WHITE, INK, GREEN = Color(255, 255, 255), Color(27, 29, 31), Color(28, 154, 108)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with xvfb(tmp_path_factory.mktemp("xvfb"), (1300, 1300)) as made:
        yield made


@pytest.fixture(autouse=True)
def shown_there(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in screen.environment.items():
        monkeypatch.setenv(name, value)


class Canvas:
    """A window and its painter."""

    def __init__(self, size: Size, turned: int = 0) -> None:
        self.window = Window(Shape((size.h, size.w) if turned in (90, 270) else (size.w, size.h), turned))
        self.lettering = Lettering(fonts.find())
        self.live = Live(self.window.nudge)
        self.painter = Painter(self.window, self.lettering, self.live, self.window.nudge)

    def draw(self, scene: Scene, dim: int = 0) -> Pixels:
        """What is drawn, once its pictures are there."""
        self.painter.draw(scene, dim)
        while self.painter.waits:
            list(self.window.wait(0.05))
        self.painter.draw(scene, dim)
        return Pixels(*self.window.size, self.window.pixels())

    def close(self) -> None:
        self.painter.close()
        self.lettering.close()
        self.window.close()


@pytest.fixture
def canvas() -> Iterator[Canvas]:
    made = Canvas(Size(400, 300))
    yield made
    made.close()


def test_rectangles_have_round_corners(canvas: Canvas) -> None:
    seen = canvas.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), Rect(Box(20, 20, 100, 60), GREEN, 20))))
    assert seen.at(21, 21) == WHITE[:3]
    assert seen.at(70, 50) == GREEN[:3]
    assert seen.at(21, 50) == GREEN[:3]
    assert seen.at(118, 78) == WHITE[:3]
    assert seen.at(130, 50) == WHITE[:3]


def test_what_lets_light_through_is_even(canvas: Canvas) -> None:
    """A pill is of several parts, which must not lie on each other."""
    seen = canvas.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), Rect(Box(20, 20, 100, 60), GREEN._replace(a=100), 30))))
    assert len({seen.at(x, 50) for x in range(22, 118)}) == 1
    assert len({seen.at(70, y) for y in range(22, 78)}) == 1


def test_text_is_where_it_belongs(canvas: Canvas) -> None:
    def inked(align: Align) -> list[int]:
        text = Text(Box(20, 20, 360, 60), "Who?", 30, Weight.BOLD, align, INK)
        seen = canvas.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), text)))
        return [x for x in range(400) if any(seen.at(x, y) != WHITE[:3] for y in range(20, 80))]

    width = canvas.lettering.measure("Who?", 30, Weight.BOLD)
    left, middle, right = inked(Align.LEFT), inked(Align.CENTER), inked(Align.RIGHT)
    assert 20 <= left[0] <= 24
    assert abs((middle[0] + middle[-1]) / 2 - 200) <= 2
    assert 376 <= right[-1] <= 380
    assert width - 6 <= left[-1] - left[0] <= width


def test_an_unknown_icon_draws_nothing(canvas: Canvas) -> None:
    paper = Rect(Box(0, 0, 400, 300), WHITE)
    assert canvas.draw(Scene((paper, Icon(Box(0, 0, 48, 48), "unicorn", INK)))).colors == 1
    assert canvas.draw(Scene((paper, Icon(Box(0, 0, 48, 48), "bell", INK)))).colors > 4


def test_a_leg_shows_its_colours(canvas: Canvas) -> None:
    """Also those of a full range, and of a picture whose lines have a padding."""
    frame = av.VideoFrame(322, 180, "yuv420p")
    for plane, value in zip(frame.planes, (81, 90, 240), strict=True):  # red, ITU-R BT.601
        plane.update(bytes([value]) * plane.buffer_size)
    canvas.live.show("a", frame)
    picture = Picture(Box(0, 0, 400, 300), "leg:a")
    seen = canvas.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), picture)))
    red, green, blue = seen.at(200, 150)
    assert red > 245
    assert max(green, blue) < 10
    assert seen.at(200, 5) == WHITE[:3], "it keeps its shape"
    assert canvas.draw(Scene((replace(picture, cover=True),))).at(200, 5)[0] > 245
    canvas.live.hide("a")
    assert canvas.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), picture))).colors == 1


def test_a_picture_of_another_format(canvas: Canvas) -> None:
    frame = av.VideoFrame(64, 64, "rgb24")
    frame.planes[0].update(b"\x00\x00\xff" * (frame.planes[0].buffer_size // 3))
    canvas.live.show("a", frame)
    assert canvas.draw(Scene((Picture(Box(0, 0, 300, 300), "leg:a", radius=20),))).at(150, 150)[2] > 240


def test_files(canvas: Canvas, tmp_path: Path) -> None:
    path = tmp_path / "v.jpg"
    still.write(Card(1280, 720).no_picture(), path)
    there, missing = (Picture(Box(0, 0, 400, 300), f"file:{each}", cover=True) for each in (path, tmp_path / "no.jpg"))
    assert canvas.draw(Scene((there,))).colors > 100
    assert canvas.draw(Scene((missing,))).colors == 1


def test_a_code_can_be_read(canvas: Canvas) -> None:
    zxing = pytest.importorskip("zxingcpp")
    text = "https://192.168.1.20:8443/#t=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    seen = canvas.draw(Scene((Picture(Box(50, 0, 300, 300), f"qr:{text}"),)))
    grey = bytes(seen.data[1::4])
    import numpy

    (code,) = zxing.read_barcodes(numpy.frombuffer(grey, numpy.uint8).reshape(seen.height, seen.width))
    assert code.text == text


def test_it_can_be_darker(canvas: Canvas) -> None:
    paper = Scene((Rect(Box(0, 0, 400, 300), WHITE),))
    assert canvas.draw(paper, dim=128).at(9, 9)[0] == pytest.approx(127, abs=1)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_screen(turned: int, screen: Screen) -> None:
    """The red corner is up and left for who sees it turned."""
    canvas = Canvas(Size(400, 300), turned)
    try:
        assert canvas.window.size == (400, 300)
        red = Color(255, 0, 0)
        canvas.painter.draw(Scene((Rect(Box(0, 0, 400, 300), WHITE), Rect(Box(0, 0, 40, 40), red))))
        canvas.window.present()
        width, height = (300, 400) if turned in (90, 270) else (400, 300)
        corner = {90: (width - 10, 10), 180: (width - 10, height - 10), 270: (10, height - 10)}[turned]
        left, top = (1300 - width) // 2, (1300 - height) // 2
        screen.until(lambda seen: seen.at(left + corner[0], top + corner[1]) == red[:3])
    finally:
        canvas.close()


SHOTS: dict[str, tuple[Place, model.WallState]] = {
    "clock": (Place(View.CLOCK), HOME),
    "doors": (Place(View.DOORS), HOME),
    "rooms": (Place(View.ROOMS), HOME),
    "visitors": (Place(View.VISITORS), HOME),
    "visit": (Place(View.VISIT, "v1"), HOME),
    "pairing": (Place(View.PAIRING), HOME),
    "code": (Place(View.CODE, HOME.newcomers[0].id, typed="1234"), HOME),
    "name": (Place(View.NAME, "invite", typed="Ann", layer="lower"), HOME),
    "invited": (Place(View.INVITED, "Alice"), replace(HOME, invited=houses.INVITED)),
    "settings": (Place(View.SETTINGS), HOME),
    "handover": (Place(View.HANDOVER), replace(HOME, visitors=(houses.TALKING,))),
    "ringing": (Place(View.CALL), replace(HOME, visitors=(houses.VISITOR,))),
    "talking": (Place(View.CALL), replace(HOME, visitors=(houses.TALKING, houses.KNOCKING))),
    "looking": (Place(View.CALL), replace(HOME, call=houses.MONITOR)),
    "called": (Place(View.CALL), replace(HOME, call=houses.ROOM_CALL)),
    "alarm": (Place(View.ALARM, "a"), replace(HOME, alarms=(model.Alarm("a", "tamper", "Front door"),))),
    "newcomer": (Place(View.NEWCOMER), houses.UNPAIRED),
}


@pytest.mark.parametrize("name", SHOTS)
@pytest.mark.parametrize("size", houses.SIZES, ids=lambda size: f"{size.w}x{size.h}")
def test_views(name: str, size: Size, tmp_path: Path) -> None:
    """Light and German in one orientation, dark and English in the other: both languages, both themes."""
    place, state = SHOTS[name]
    file = tmp_path / "visitor.jpg"
    still.write(_somebody(), file)
    state = _with_pictures(state, str(file))
    canvas = Canvas(size)
    try:
        for leg in ("visit-1", "visit-2", "call-8"):
            canvas.live.show(leg, _somebody())
        theme, tag = ("light", "de") if size.w in (800, 1280) and size.w > size.h else ("dark", "en")
        words = page_files.words(tag)
        look = Look(size, canvas.lettering.measure, houses.local, words, palette(theme, 12), 1000.0, NOON)
        scene = views.draw(place, state, look)
        seen = canvas.draw(scene)
        seen.write(f"{name}-{size.w}x{size.h}-{theme}")
        assert seen.colors > 40
        for item in scene.items:
            if isinstance(item, Text):
                fits = [canvas.lettering.measure(line, item.size, item.weight) <= item.box.w for line in item.lines]
                assert all(fits), item
    finally:
        canvas.close()


def _with_pictures(state: model.WallState, file: str) -> model.WallState:
    visits = tuple(replace(each, picture=file if each.picture else "") for each in state.visits)
    doors = tuple(replace(each, picture=file if each.picture else "") for each in state.doors)
    return replace(state, visits=visits, doors=doors)


def _somebody() -> av.VideoFrame:
    return Card(1280, 720).draw(1234, "12:00:00")
