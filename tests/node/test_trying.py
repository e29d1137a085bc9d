"""Trying devices while no node runs."""

from __future__ import annotations

import wave
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from meshdoor.config import Config, LockConfig, MediaConfig
from meshdoor.errors import EngineError, Refused, UserError
from meshdoor.media import cameras
from meshdoor.media.card import Card
from meshdoor.media.sdl_audio import SdlDriver
from meshdoor.node import trying
from meshdoor.settings.devices import DevicesConfig
from tests.fakes.wires import Wires

BELL, LOCK, BUTTON = 27, 23, 17
WIRED = Config(
    devices=DevicesConfig(buttons=("gpio:17",), bell="gpio:27"), lock=LockConfig("Gate", 0.1, relay="gpio:23")
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "TRY", 0.1)
    monkeypatch.setattr(trying, "SECONDS", 0.3)


@pytest.fixture
def wires(tmp_path: Path) -> Iterator[Wires]:
    made = Wires(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("what", "gpio"), [("bell", BELL), ("lock", LOCK)])
def test_a_relay_is_on_for_a_while(wires: Wires, what: str, gpio: int) -> None:
    assert "0" in trying.wired(WIRED, what, print, wires.command)
    first, (begin, _), (end, _) = wires.changes(gpio)
    assert not first[1]
    assert end - begin >= 0.09


def test_a_button_that_is_pressed(wires: Wires) -> None:
    def press(_: str) -> None:
        wires.drive(BUTTON, False)

    assert trying.wired(WIRED, "button", press, wires.command) == "the button was pressed"


def test_a_button_that_is_not(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "BUTTON", 0.05)
    with pytest.raises(Refused, match="nobody pressed"):
        trying.wired(WIRED, "button", print, wires.command)


@pytest.mark.parametrize("what", ["button", "bell", "light", "lock"])
def test_what_is_not_wired_is_said(what: str, wires: Wires) -> None:
    with pytest.raises(UserError, match=what):
        trying.wired(Config(), what, print, wires.command)


@pytest.mark.parametrize("what", ["button", "bell", "lock"])
def test_where_there_are_no_pins_it_is_said(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "BEGIN", 5.0)
    with pytest.raises(Refused, match="no GPIO pins"):
        trying.wired(WIRED, what, print)


def test_a_camera_gives_a_picture(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with av.open(str(film), "w") as file:
        track = file.add_stream("mpeg4", rate=30)
        track.width, track.height = 320, 192
        for number in range(60):
            file.mux(track.encode(Card(320, 192).draw(number, "12:00")))
        file.mux(track.encode())
    text = trying.camera(Config(media=MediaConfig(camera=str(film))), tmp_path / "still.jpg")
    with av.open(str(tmp_path / "still.jpg")) as still:
        frame = next(still.decode(video=0))
    assert text.startswith("320x192, ")
    assert (frame.width, frame.height) == (320, 192)


@pytest.mark.parametrize("camera", ["auto", "none", "/nowhere/film.mp4", "/dev/video99"])
def test_a_camera_that_is_not_there_is_said(camera: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "found", tuple)
    with pytest.raises(Refused, match="camera"):
        trying.camera(Config(media=MediaConfig(camera=camera)), tmp_path / "still.jpg")


class SoundCard:
    """A sound card that hears what it is given."""

    name = "Card"

    def __init__(self, sound: bytes) -> None:
        self.sound = sound
        self.written = b""
        self.closed = False

    def read(self) -> bytes:
        sound, self.sound = self.sound, b""
        return sound

    def write(self, samples: bytes) -> None:
        self.written += samples

    def queued(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


def use(card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SdlDriver, "open", lambda self, way: card)


def test_a_microphone_is_recorded_and_told_how_loud_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = SoundCard(array("h", [16384, -16384] * 100).tobytes())
    use(card, monkeypatch)
    told = list[str]()
    text = trying.microphone(Config(), tmp_path / "mic.wav", told.append)
    assert text.startswith("loudest -6 dB, on average -6 dB; ")
    with wave.open(str(tmp_path / "mic.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (48000, 200)
    assert "Card: speak" in told[0]
    assert card.closed


def test_a_microphone_that_is_muted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(SoundCard(bytes(200)), monkeypatch)
    assert trying.microphone(Config(), tmp_path / "mic.wav", print).startswith("silence: is it muted?")


def test_a_microphone_that_gives_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(SoundCard(b""), monkeypatch)
    with pytest.raises(Refused, match="no sound at all"):
        trying.microphone(Config(), tmp_path / "mic.wav", print)


def test_a_speaker_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SoundCard(b"")
    use(card, monkeypatch)
    assert "was played" in trying.speaker(Config(), print)
    assert len(card.written) > 48000
    assert card.closed


def test_a_speaker_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: SdlDriver, way: Any) -> None:
        raise EngineError("there is no speaker")

    monkeypatch.setattr(SdlDriver, "open", fail)
    with pytest.raises(Refused, match="there is no speaker"):
        trying.speaker(Config(), print)
