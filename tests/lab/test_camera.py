"""A door whose camera fails, in every way that a program with a cable can: everybody is told, it rings all the same,
and it sees again by itself. The camera is a stand-in for `rpicam-vid`; all else is real."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.fakes.rpicam import Rpicam
from tests.lab import House
from tests.lab.nodes import wait_until
from tests.lab.presses import Family
from tests.lab.protocol import LabError

pytestmark = pytest.mark.lab

DOOR = '[media]\ncamera = "auto"\nwidth = 640\nheight = 384\nfps = 20\nbitrate = 400000\n'
TOLD_WITHIN = 6.0  # seconds: 2 without a picture, and a busy machine
SEEN_AGAIN_WITHIN = 12.0  # seconds: 3 until the next try, and as above


class Watched:
    """A door and a screen that writes down what it shows."""

    def __init__(self, family: Family, camera: Rpicam, shown: Path) -> None:
        self.family = family
        self.camera = camera
        self._shown = shown

    def trouble(self, node: str) -> list[str]:
        """What a node says of the door."""
        row = self.family[node].row("door")
        return list(row["trouble"]) if row else []

    def told(self, text: str) -> float:
        """Seconds until both say so of the door, or that there is nothing to say."""
        said = [text] if text else []
        times = [wait_until(lambda node=node: self.trouble(node) == said) for node in ("door", "hall")]  # type: ignore[misc]
        return sum(times)

    def shows(self, luma: int | None, timeout: float = 20.0) -> float:
        """Seconds until the screen shows one grey, or (None) the card that says that there is no picture."""
        try:
            return wait_until(lambda: self._is(luma, self._last()), timeout)
        except LabError as error:
            raise LabError(f"{error}; it shows {self._last()}") from None

    def _is(self, luma: int | None, seen: int | None) -> bool:
        """An encoder may round."""
        return seen == luma if luma is None or seen is None else abs(seen - luma) <= 3

    def _last(self) -> int | None:
        """The grey of the newest picture; None if it is not of one grey, -1 before the first."""
        newest = self._newest()
        if newest is None:
            return -1
        with av.open(str(newest)) as image:
            frame = next(image.decode(video=0)).reformat(format="gray")
        # PNG is full range; what the camera gives is not.
        values = set(bytes(memoryview(frame.planes[0]))[:: frame.width // 7])
        return round(16 + max(values) * 219 / 255) if max(values) - min(values) < 6 else None

    def size(self) -> tuple[int, int]:
        """Of the newest picture."""
        with av.open(str(self._newest())) as image:
            return image.streams.video[0].width, image.streams.video[0].height

    def _newest(self) -> Path | None:
        return max(self._shown.glob("*.png"), key=lambda file: file.stat().st_mtime_ns, default=None)

    def forget(self) -> None:
        for file in self._shown.glob("*.png"):
            file.unlink()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("camera")
    camera, shown = Rpicam(folder / "bin"), folder / "shown"
    with pytest.MonkeyPatch.context() as patch, House("hall", "door") as house:
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        (house["hall"].directory / "state").mkdir(mode=0o700)
        settings = f'[media]\ndisplay = "file"\nout_dir = "{shown}"\n'
        (house["hall"].directory / "state" / "config.toml").write_text(settings)
        with Family(house, "hall", settings=DOOR) as family:
            family.rehearse()
            yield Watched(family, camera, shown)


@pytest.fixture
def home(built: Watched) -> Iterator[Watched]:
    """All is well, before and after."""
    built.camera.tell("plain 126")
    built.told("")
    built.forget()
    built.family.forget()
    yield built
    built.family.calm()


def test_a_camera_is_found_and_seen_through(home: Watched) -> None:
    assert {"kind": "camera", "state": "ok", "text": ""} in home.family.door.status()["node"]["devices"]
    home.camera.tell("plain 200")
    home.family.pictures(home.family.press())
    home.shows(200)
    assert "--width 640" in home.camera.runs[-1]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("stall", "the camera gives no pictures"),
        ("die Camera frontend has timed out!", "rpicam-vid ended: Camera frontend has timed out!"),
    ],
)
def test_it_fails_while_somebody_looks_and_comes_back(home: Watched, fault: str, text: str) -> None:
    family = home.family
    family.pictures(family.press())
    home.shows(126)
    family["hall"].ask("answer")
    family.hears("sound", "door")
    home.camera.tell(fault)
    told = home.told(f"no picture: {text}")
    assert f"door has no picture: {text}" in family["hall"].status()["attention"]
    assert told < TOLD_WITHIN
    home.shows(None)
    assert family.door.sees("hall", "in call")
    home.camera.tell("plain 180")
    again = home.told("")
    assert again < SEEN_AGAIN_WITHIN
    home.shows(180)
    assert not family.told("over")
    print(f"\n{fault}: told everywhere after {told:.1f} s, a picture again {again:.1f} s after it could give one")


def test_it_changes_its_size_while_somebody_looks(home: Watched) -> None:
    family = home.family
    family.pictures(family.press())
    home.shows(126)
    home.camera.tell("resize 320 192")
    home.told("no picture: the camera's pictures have changed their size to 320x192")
    home.told("")
    wait_until(lambda: home.size() == (320, 192))
    home.shows(126)


def test_without_a_camera_it_rings_with_sound_and_a_card(home: Watched) -> None:
    family = home.family
    home.camera.tell("none")
    pressed = time.monotonic()
    press = family.press()
    family.hears("visitor", "hall")
    rung = time.monotonic() - pressed
    family.pictures(press)
    home.shows(None)
    home.told("no picture: rpicam-vid ended: no cameras available")
    family["hall"].ask("answer")
    family.hears("sound", "door")
    family.hears("sound", "hall")
    home.camera.tell("plain 160")
    home.told("")
    home.shows(160)
    print(f"\nwithout a camera the screen rang {rung * 1000:.0f} ms after the press")


def test_what_is_dark_is_said_to_be(home: Watched) -> None:
    home.camera.tell("plain 20")
    home.family.pictures(home.family.press())
    for node in ("door", "hall"):
        wait_until(lambda node=node: home.family[node].row("door")["dark"])  # type: ignore[misc]
    home.camera.tell("plain 126")
    wait_until(lambda: not home.family["hall"].row("door")["dark"])
