from __future__ import annotations

from pathlib import Path

import av
import pytest

from meshdoor.errors import EngineError
from meshdoor.media import still
from meshdoor.media.analysis import frame_number, frame_numbers
from meshdoor.media.card import Card
from meshdoor.media.display import NullDisplay, PngDisplay, named
from tests.patience import wait_for


@pytest.fixture(scope="module")
def card() -> Card:
    return Card(320, 240)


def test_the_first_every_nth_and_the_last_picture_are_written(tmp_path: Path, card: Card) -> None:
    display = PngDisplay(tmp_path, every=3)
    for number in range(100, 105):
        display.show("leg/1", card.draw(number, ""))
        wait_for(lambda: not display._background._queue or not display._background._queue.qsize())
    display.hide("leg/1")
    display.hide("leg/1")
    last = tmp_path / "leg_1-last.png"
    wait_for(last.exists)
    assert frame_numbers(tmp_path) == frame_numbers(tmp_path, "leg_1") == [100, 103]
    assert frame_number(last) == 104
    assert len(list(tmp_path.iterdir())) == 3


def test_a_leg_without_a_picture_has_no_file(tmp_path: Path) -> None:
    PngDisplay(tmp_path).hide("b")
    assert not list(tmp_path.iterdir())


def test_pictures_as_files(tmp_path: Path, card: Card) -> None:
    for name in ("a.png", "a.jpg", "a.JPEG"):
        still.write(card.draw(77, "12:00"), tmp_path / name)
        assert frame_number(tmp_path / name) == 77
    with pytest.raises(EngineError, match="gif"):
        still.write(card.draw(1, ""), tmp_path / "a.gif")
    with pytest.raises(EngineError, match="No such"):
        still.write(card.draw(1, ""), tmp_path / "missing" / "a.png")


def grey() -> av.VideoFrame:
    frame = av.VideoFrame(320, 240, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def test_what_is_no_card(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert frame_number(path) is None
    path.write_bytes(b"x")
    assert frame_number(path) is None
    still.write(grey(), path)
    assert frame_number(path) is None


def test_names(tmp_path: Path) -> None:
    assert named("none", None) is None
    null = named("null", None)
    assert isinstance(null, NullDisplay)
    null.show("a", av.VideoFrame(16, 16, "yuv420p"))
    null.hide("a")
    assert null.shown == 1
    assert isinstance(named("file", tmp_path), PngDisplay)
    for text, directory in (("file", None), ("wall", tmp_path)):
        with pytest.raises(EngineError):
            named(text, directory)
