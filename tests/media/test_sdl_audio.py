from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import sdl
from meshdoor.media.sdl_audio import SdlDriver, Way, is_likely
from tests.patience import wait_for

ENVIRONMENT = ("SDL_AUDIODRIVER", "PULSE_SERVER", "XDG_RUNTIME_DIR")


@pytest.fixture
def driver() -> Iterator[SdlDriver]:
    """SDL's dummy driver, which plays to nobody and hears silence, at the pace of real cards."""
    try:
        sdl.library()
    except EngineError as error:
        pytest.skip(str(error))
    made = SdlDriver()
    yield made
    made.close()


def test_what_there_is(driver: SdlDriver) -> None:
    assert driver.server() == "dummy"
    assert driver.names(capture=False)
    assert driver.names(capture=True)


@pytest.mark.parametrize("capture", [True, False])
def test_a_card_by_a_part_of_its_name(driver: SdlDriver, capture: bool) -> None:
    name = driver.names(capture)[0]
    card = driver.open(Way(capture, name[1:-1].upper()))
    assert card.name == name
    assert card.alive()
    card.close()
    assert not card.alive()


def test_the_card_that_the_system_prefers(driver: SdlDriver) -> None:
    card = driver.open(Way(capture=False))
    assert "dummy" in card.name
    card.close()


def test_what_is_played_and_captured(driver: SdlDriver) -> None:
    speaker, microphone = driver.open(Way(capture=False)), driver.open(Way(capture=True))
    speaker.write(b"\1\2" * 4800)
    wait_for(lambda: speaker.queued() < 4800)
    speaker.write(b"\1\2" * 48000, 0.5)
    speaker.clear()
    assert speaker.queued() < 4800
    wait_for(lambda: bool(microphone.queued()))
    assert microphone.read()
    for card in (speaker, microphone):
        card.close()
    speaker.write(b"\1\2")
    assert (speaker.queued(), microphone.read()) == (0, b"")


def test_a_card_that_is_not_there_and_those_that_are(driver: SdlDriver) -> None:
    with pytest.raises(EngineError, match=f"no microphone 'Blue'; there are: {driver.names(capture=True)[0]}"):
        driver.open(Way(True, "Blue"))


def test_it_begins_anew(driver: SdlDriver) -> None:
    driver.names(capture=True)
    driver.restart()
    assert driver.names(capture=True)


def test_a_driver_that_sdl_does_not_know(monkeypatch: pytest.MonkeyPatch, driver: SdlDriver) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "gramophone")
    with pytest.raises(EngineError, match="SDL's audio does not begin"):
        driver.names(capture=True)


@pytest.mark.parametrize(
    ("path", "capture", "likely"),
    [
        (None, True, False),
        ("run/user/1000/pulse/native", True, True),
        ("run/user/1000/pipewire-0", False, True),
        ("dev/snd/pcmC0D0c", True, True),
        ("dev/snd/pcmC0D0c", False, False),
        ("dev/snd/pcmC0D0p", False, True),
    ],
)
def test_whether_it_is_worth_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, capture: bool, likely: bool
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    if path is not None:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    assert is_likely(capture, tmp_path) is likely


def test_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/somewhere")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    assert not is_likely(True, tmp_path)
    monkeypatch.setenv("SDL_AUDIODRIVER", "alsa")
    assert is_likely(True, tmp_path)
    monkeypatch.delenv("SDL_AUDIODRIVER")
    assert is_likely(True, tmp_path)


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    words = "import sys, meshdoor.media.engine; sys.exit('sdl2' in sys.modules or 'livekit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
