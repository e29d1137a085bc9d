from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshdoor.media import echo, sound_desk, swresample
from meshdoor.media.floor import peak
from meshdoor.media.messages import Chime, Hello, Hush, Ring, Sounds
from meshdoor.media.microphone import SilentMicrophone, ToneMicrophone
from meshdoor.media.reports import Device
from meshdoor.media.sound import PIECE, RATE
from meshdoor.media.sound_desk import SoundDesk
from meshdoor.media.speaker import header
from tests.media.sound_cards import FakeCard, FakeDriver
from tests.patience import until


class Room:
    """A desk whose cards are objects that play at the pace of the loop."""

    def __init__(self, hello: Hello) -> None:
        self.devices: list[Device] = []
        self.desk = SoundDesk(hello, None, self.devices.append)

    def told(self, kind: str) -> list[tuple[str, str]]:
        return [(device.state, device.text) for device in self.devices if device.kind == kind]


class LiveCard(FakeCard):
    """Plays all that it gets at once."""

    def queued(self) -> int:
        pending, self.pending = self.pending, 720
        return min(pending, 800)


class LiveDriver(FakeDriver):
    kind = LiveCard


@pytest.fixture(autouse=True)
def libraries() -> None:
    """They are looked for once, when an engine begins; nothing flows yet."""
    swresample.library()
    echo.is_installed()


@asynccontextmanager
async def room(hello: Hello) -> AsyncIterator[Room]:
    made = Room(hello)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.desk._cards.close)
        made.desk.close()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    made = LiveDriver("", "a card")
    monkeypatch.setattr(sound_desk, "SdlDriver", lambda: made)
    return made


def found(monkeypatch: pytest.MonkeyPatch, *, microphone: bool, speaker: bool) -> None:
    monkeypatch.setattr(sound_desk, "is_likely", lambda capture: microphone if capture else speaker)


AUTO = Hello("screen", "Hall", "none", "auto", "auto")


async def test_where_there_is_no_sound_card_something_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, microphone=False, speaker=False)
    async with room(AUTO) as here:
        assert here.told("microphone") == [("stand-in", "a tone: there is no sound card")]
        assert here.told("speaker") == [("stand-in", "silence: there is no sound card")]
        assert isinstance(here.desk.microphone, ToneMicrophone)
        assert here.told("echo") == []


async def test_a_screen_without_a_microphone_sends_no_tone(
    monkeypatch: pytest.MonkeyPatch, driver: FakeDriver
) -> None:
    found(monkeypatch, microphone=False, speaker=True)
    async with room(AUTO) as here:
        assert isinstance(here.desk.microphone, SilentMicrophone)
        assert here.told("microphone") == [("failed", "there is a speaker, but no microphone")]


async def test_a_device_that_cannot_be_had_is_told_of() -> None:
    async with room(Hello("screen", "Hall", "none", "/nowhere.wav", "gramophone")) as here:
        assert [state for state, _ in here.told("microphone") + here.told("speaker")] == ["failed", "failed"]
        assert here.desk.microphone is None


@pytest.mark.parametrize(("wish", "word"), [("half-duplex", "half duplex"), ("off", "off")])
async def test_what_is_done_against_echo_is_told(driver: FakeDriver, wish: str, word: str) -> None:
    async with room(Hello("screen", "Hall", "none", "sdl", "sdl", echo=wish)) as here:
        ((state, text),) = here.told("echo")
        assert state == "ok"
        assert text.startswith(word)


@pytest.mark.skipif(not echo.is_installed(), reason="the extra aec is not installed")
async def test_echo_cancellation_is_loaded_in_the_background(driver: FakeDriver) -> None:
    async with room(Hello("screen", "Hall", "none", "sdl", "sdl")) as here:
        assert here.desk.talk.duplex.name == "half-duplex"
        await until(lambda: here.desk.talk.duplex.name == "aec")
        assert here.desk.playout.duplex is here.desk.talk.duplex
        assert here.told("echo")[-1] == ("ok", echo.DESCRIBED["aec"])


async def test_it_rings_as_loud_as_it_is_told(driver: FakeDriver) -> None:
    async with room(Hello("screen", "Hall", "none", "silence", "sdl:a card")) as here:
        here.desk.handle(Sounds(0.7, ("marimba",)))
        here.desk.handle(Ring("marimba", 0.4))
        await until(lambda: driver.cards and len(driver.card.wrote) > 10 * PIECE)
        assert any(driver.card.wrote[4 * PIECE :])
        assert 0.4 in driver.card.volumes
        here.desk.handle(Hush())
        await until(lambda: driver.card.closed)
        assert here.told("speaker")[0] == ("ok", "a card")


async def test_a_short_sound(driver: FakeDriver) -> None:
    async with room(Hello("screen", "Hall", "none", "silence", "sdl:a card")) as here:
        here.desk.handle(Chime("knock", 0.5))
        await until(lambda: driver.cards and driver.card.closed)
        assert len(driver.card.wrote) > 10 * PIECE


async def test_what_is_silenced_before_it_is_made_does_not_ring(driver: FakeDriver) -> None:
    async with room(Hello("screen", "Hall", "none", "silence", "sdl:a card")) as here:
        here.desk.handle(Ring("gong"))
        here.desk.handle(Hush())
        await until(lambda: "gong" in here.desk._tones)
        assert not here.desk.playout.metronome.running


async def test_a_sound_file_that_is_gone_rings_all_the_same(driver: FakeDriver, tmp_path: Path) -> None:
    async with room(Hello("screen", "Hall", "none", "silence", "sdl:a card")) as here:
        here.desk.handle(Ring(str(tmp_path / "dog.wav")))
        await until(lambda: driver.cards and len(driver.card.wrote) > 10 * PIECE)
        assert here.told("tone")[0][0] == "failed"


async def test_a_sound_file_of_ones_own(driver: FakeDriver, tmp_path: Path) -> None:
    path = tmp_path / "dog.wav"
    path.write_bytes(header(2 * RATE) + b"\0\x20" * RATE)
    async with room(Hello("screen", "Hall", "none", "silence", "sdl:a card")) as here:
        here.desk.handle(Ring(str(path)))
        await until(lambda: driver.cards and peak(driver.card.wrote) > 7000)
