"""A door and a screen with sound cards talk: speech into the microphone of one comes out of the speaker of the other.

The cards are null sinks of a PulseAudio server. These tests measure; a busy machine has several tries at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from meshdoor.media import echo
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import SENDRECV, Address, Gates, StreamPlan
from meshdoor.media.reports import Device, Event, LegOpened
from meshdoor.media.sound import RATE
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, MasterKey
from tests.media import soundhouse
from tests.media.files import in_thread
from tests.media.soundhouse import DOOR_HEARS, DOOR_PLAYS, SCREEN_HEARS, SCREEN_PLAYS, Samples, Server
from tests.patience import until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(bool(soundhouse.MISSING), reason=f"not installed: {', '.join(soundhouse.MISSING)}"),
]

HOST, LEG = "127.0.0.1", "talk"
TALK = Gates(microphone=True, speaker=True)
TRIES = 8
VISITOR = (
    "Good morning, I have a parcel for Miller on the second floor. Can somebody come down and sign for it please? "
    "Otherwise I shall leave it with the neighbours."
)
RESIDENT = (
    "Hello, this is the kitchen speaking. Please put it down by the stairs and close the door behind you. "
    "Thank you very much and have a good day."
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("SDL_AUDIODRIVER", raising=False)
    with soundhouse.important(), soundhouse.server(tmp_path) as made:
        monkeypatch.setenv("PULSE_SERVER", made.environment["PULSE_SERVER"])
        yield made


@dataclass
class Side:
    engine: Engine
    devices: list[Device] = field(default_factory=list)
    opened: LegOpened = field(init=False)

    def state(self, kind: str) -> str:
        told = [device for device in self.devices if device.kind == kind]
        return told[-1].state if told else ""

    @property
    def works(self) -> bool:
        return self.state("microphone") == self.state("speaker") == "ok"

    def text(self, kind: str) -> str:
        return next((device.text for device in reversed(self.devices) if device.kind == kind), "")


@asynccontextmanager
async def side(role: str, name: str, duplex: str) -> AsyncIterator[Side]:
    devices: list[Device] = []

    def told(event: Event) -> None:
        if isinstance(event, Device):
            devices.append(event)

    hello = Hello(role, name, "none", f"sdl:{name}-mic", f"sdl:{name}-speaker", echo=duplex)
    async with Engine(hello, told) as engine:
        await engine.wait_ready()
        made = Side(engine, devices)
        made.opened = await engine.open_leg(LEG, HOST)
        yield made


def audio(peer: LegOpened, tx: MasterKey, rx: MasterKey) -> StreamPlan:
    return StreamPlan(SENDRECV, Address(HOST, peer.audio_port), "OPUS", 96, RATE, tx_key=tx, rx_key=rx)


@asynccontextmanager
async def talk(duplex: str) -> AsyncIterator[tuple[Side, Side]]:
    """They talk, and their cards have begun to move."""
    one, other = MasterKey.generate(AEAD_AES_128_GCM), MasterKey.generate(AEAD_AES_128_GCM)
    async with side("door", "Door", duplex) as door, side("screen", "Screen", duplex) as screen:
        await screen.engine.start_leg(StartLeg(LEG, audio(door.opened, one, other), None, TALK))
        await door.engine.start_leg(StartLeg(LEG, audio(screen.opened, other, one), None, TALK))
        await until(lambda: door.works and screen.works)
        await asyncio.sleep(3.0)
        yield door, screen


async def attempts(measure: Callable[[], Coroutine[Any, Any, list[str]]]) -> None:
    """`measure` returns what is wrong."""
    faults: list[str] = []
    for _ in range(TRIES):
        faults = await measure()
        if not faults:
            return
    pytest.fail("; ".join(faults))


async def test_speech_is_heard_both_ways_at_once(server: Server) -> None:
    visitor = await in_thread(soundhouse.say, VISITOR, server.directory, "en-us")
    resident = await in_thread(soundhouse.say, RESIDENT, server.directory, "en-gb")

    async def measure() -> list[str]:
        async with talk(echo.OFF), server.recording() as heard:
            await asyncio.sleep(0.3)
            await asyncio.gather(server.play(visitor, DOOR_HEARS), server.play(resident, SCREEN_HEARS))
            await asyncio.sleep(0.5)
        faults = []
        for mouth, ear in ((DOOR_HEARS, SCREEN_PLAYS), (SCREEN_HEARS, DOOR_PLAYS)):
            late, alike = await in_thread(soundhouse.lags, heard[mouth], heard[ear])
            figures = f"{mouth}: {1000 * median(late):.0f} ms, correlation {median(alike):.3f}, {soundhouse.load()}"
            print(figures)
            if len(late) < 5 or median(late) > 0.150 or median(alike) < 0.9:
                faults.append(figures)
        return faults

    await attempts(measure)


@pytest.mark.skipif(not echo.is_installed(), reason="the extra aec is not installed")
async def test_an_echo_is_cancelled(server: Server) -> None:
    """The resident speaks; what the door's speaker plays comes into its microphone as loud as it is."""
    resident = await in_thread(soundhouse.say, f"{RESIDENT} {RESIDENT}", server.directory, "en-gb")
    server.echo(DOOR_PLAYS, DOOR_HEARS)

    async def measure() -> list[str]:
        async with talk(echo.AUTO) as (door, screen):
            await until(lambda: "both sides" in door.text("echo") and "cancelled" in screen.text("echo"))
            async with server.recording() as heard:
                await server.play(resident, SCREEN_HEARS)
        began = len(resident) // 2  # it has learnt the room by then
        came = soundhouse.decibels(heard[DOOR_HEARS][began : len(resident)])
        returned = soundhouse.decibels(heard[SCREEN_PLAYS][began : len(resident)])
        figures = f"echo {came:.1f} dBFS, returned {returned:.1f} dBFS: {came - returned:.1f} dB, {soundhouse.load()}"
        print(figures)
        return [] if came > -40 and came - returned >= 25 else [figures]

    await attempts(measure)


async def test_two_echoing_rooms_howl_without_anything_against_it(server: Server) -> None:
    """Else the next test would prove nothing."""
    loudness = await loudness_after_a_word(server, echo.OFF)
    assert max(loudness) > -30


async def test_half_duplex_does_not_howl(server: Server) -> None:
    loudness = await loudness_after_a_word(server, echo.HALF_DUPLEX)
    assert max(loudness) < -55


async def test_a_microphone_that_is_unplugged_and_a_server_that_is_restarted(server: Server) -> None:
    """The call goes on, and the sound comes back."""
    word = await in_thread(soundhouse.say, "Hello, it is me.", server.directory)

    async def passes() -> bool:
        async with server.recording() as heard:
            await server.play(word, DOOR_HEARS)
            await asyncio.sleep(0.5)
        return soundhouse.decibels(heard[SCREEN_PLAYS]) > -50

    async with talk(echo.OFF) as (door, screen):
        assert await passes()
        await in_thread(server.unplug, "Door-mic")
        await until(lambda: door.state("microphone") == "failed")
        assert not await passes()
        await in_thread(server.plug, "Door-mic")
        await until(lambda: door.works and screen.works)
        assert await passes()
        await in_thread(server.stop)
        await until(lambda: door.state("microphone") == door.state("speaker") == "failed")
        await in_thread(server.start)
        await until(lambda: door.works and screen.works)
        await asyncio.sleep(2.0)
        assert await passes()


async def loudness_after_a_word(server: Server, duplex: str) -> list[float]:
    """At both speakers, from one second after the last word for two seconds (dBFS); both rooms echo at full volume."""
    word = await in_thread(soundhouse.say, "Hello, who is there?", server.directory)
    server.echo(DOOR_PLAYS, DOOR_HEARS)
    server.echo(SCREEN_PLAYS, SCREEN_HEARS)
    async with talk(duplex), server.recording() as heard:
        await server.play(word, SCREEN_HEARS)
        await asyncio.sleep(3.5)
    assert soundhouse.decibels(heard[DOOR_PLAYS]) > -60, "nothing was heard at all"
    end = last_word(heard[DOOR_PLAYS], word)
    loudness = [soundhouse.decibels(heard[ear][end + RATE : end + 3 * RATE]) for ear in (DOOR_PLAYS, SCREEN_PLAYS)]
    print(duplex, loudness, soundhouse.load())
    return loudness


def last_word(heard: Samples, word: Samples) -> int:
    """Where it ends."""
    return int(np.argmax(np.abs(heard) > 1000)) + len(word)
