"""A door and a screen, each with a media engine of its own, talk over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from meshdoor.media.analysis import frame_number, frame_numbers, heard
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.plans import AUDIO, RECVONLY, SENDONLY, SENDRECV, Address, Gates, StreamPlan, VideoFormat
from meshdoor.media.reports import (
    DtmfReceived,
    Event,
    FirstPacketSent,
    FirstPicture,
    FirstSound,
    LegOpened,
    StreamStatistics,
)
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, MasterKey, Suite
from tests.media.files import in_thread
from tests.patience import PATIENCE, until

HOST = "127.0.0.1"
LEG = "b1"
DOOR_TONE, SCREEN_TONE = 500, 900
DTMF = 101
TALK = Gates(microphone=True, speaker=True)
FPS = 30

E = TypeVar("E", bound=Event)


@dataclass
class Side:
    """One engine with a leg to the other, and what it told."""

    engine: Engine
    out: Path
    events: list[Event] = field(default_factory=list)
    opened: LegOpened = field(init=False)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def hears_packets(self, least: int) -> StreamStatistics:
        """What it counts of the sound of its leg, once so many packets came."""
        async with asyncio.timeout(PATIENCE):
            while True:
                (leg,) = (await self.engine.statistics()).legs
                if leg.audio.packets_received >= least:
                    return leg.audio
                await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Keys:
    """Each direction of each medium has a key of its own."""

    to_screen: MasterKey
    to_door: MasterKey

    @classmethod
    def of(cls, suite: Suite) -> Keys:
        return cls(MasterKey.generate(suite), MasterKey.generate(suite))


@asynccontextmanager
async def side(hello: Hello, out: Path) -> AsyncIterator[Side]:
    events: list[Event] = []
    async with Engine(replace(hello, out_dir=str(out)), events.append) as engine:
        await engine.wait_ready()
        made = Side(engine, out, events)
        made.opened = await engine.open_leg(LEG, HOST)
        yield made


@asynccontextmanager
async def house(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    picture = VideoFormat(640, 368, FPS, 800_000)
    door = Hello("door", "Front", microphone=f"tone:{DOOR_TONE}", speaker="file", video=picture)
    screen = Hello("screen", "Hall", "none", f"tone:{SCREEN_TONE}", "file", "file")
    async with side(door, tmp_path / "door") as one, side(screen, tmp_path / "screen") as other:
        yield one, other


def audio(peer: LegOpened, tx: MasterKey, rx: MasterKey, codec: str) -> StreamPlan:
    rate = 48_000 if codec == "OPUS" else 8000
    kind = {"OPUS": 96, "PCMU": 0, "PCMA": 8, "G722": 9}[codec]
    return StreamPlan(
        SENDRECV,
        Address(HOST, peer.audio_port),
        codec,
        kind,
        rate,
        dtmf_payload_type=DTMF,
        dtmf_clock_rate=rate,
        tx_key=tx,
        rx_key=rx,
    )


def video(direction: str, peer: LegOpened, key: MasterKey, codec: str) -> StreamPlan:
    return StreamPlan(
        direction,
        Address(HOST, peer.video_port),
        codec,
        97,
        90_000,
        tx_key=key,
        rx_key=key,
        feedback=("nack", "nack pli"),
    )


async def early_media(door: Side, screen: Side, suite: Suite, codecs: tuple[str, str]) -> None:
    """Pictures and the door's sound flow; the screen is silent."""
    sound, pictures = Keys.of(suite), (Keys.of(suite), codecs[1])
    door_audio = audio(screen.opened, sound.to_screen, sound.to_door, codecs[0])
    screen_audio = audio(door.opened, sound.to_door, sound.to_screen, codecs[0])
    keys, codec = pictures
    screen_video = replace(video(RECVONLY, door.opened, keys.to_door, codec), rx_key=keys.to_screen)
    door_video = replace(video(SENDONLY, screen.opened, keys.to_screen, codec), rx_key=keys.to_door)
    await screen.engine.start_leg(StartLeg(LEG, screen_audio, screen_video, Gates(speaker=True)))
    await door.engine.start_leg(StartLeg(LEG, door_audio, door_video, Gates(microphone=True)))


def check_files(path: Path, first: int) -> None:
    """What each heard, and that the pictures went on from the first one."""
    assert heard(path / "screen" / "heard.wav") == DOOR_TONE
    assert heard(path / "door" / "heard.wav") == SCREEN_TONE
    numbers = [number for number in frame_numbers(path / "screen", LEG) if number is not None]
    assert numbers[0] == first
    final = frame_number(path / "screen" / f"{LEG}-last.png")
    assert final is not None, sorted(path.rglob("*"))
    assert final >= numbers[-1]
    assert frame_number(path / "seen.png") is not None


@pytest.mark.parametrize(
    ("suite", "codecs"),
    [(AEAD_AES_128_GCM, ("OPUS", "H264")), (AES_CM_128_HMAC_SHA1_80, ("PCMA", "VP8"))],
    ids=["GCM-Opus-H264", "CM-PCMA-VP8"],
)
async def test_a_press_an_answer_and_a_talk(tmp_path: Path, suite: Suite, codecs: tuple[str, str]) -> None:
    async with house(tmp_path) as (door, screen):
        await early_media(door, screen, suite, codecs)
        await until(lambda: screen.told(FirstPicture) and screen.told(FirstSound))
        (first,) = screen.told(FirstPicture)
        assert (first.width, first.height) == (640, 368)
        assert first.frame_number is not None
        assert -1 <= first.at * FPS - first.frame_number < 5 * FPS

        # Before the answer: not one packet of sound from the screen, whatever the door would do with it.
        heard = await screen.hears_packets(15)
        assert heard.packets_sent == 0
        assert not any(event.media == AUDIO for event in screen.told(FirstPacketSent))
        assert (await door.hears_packets(0)).packets_received == 0

        await asyncio.gather(screen.engine.gate(LEG, TALK), door.engine.gate(LEG, TALK))
        await until(lambda: door.told(FirstSound))
        await screen.engine.dtmf(LEG, "1#")
        await until(lambda: len(door.told(DtmfReceived)) == 2)
        assert [event.digit for event in door.told(DtmfReceived)] == ["1", "#"]
        await door.hears_packets(60)
        await screen.engine.snapshot(str(tmp_path / "seen.png"), LEG)
        last = await screen.engine.close_leg(LEG)
        await door.engine.close_leg(LEG)
        assert last.video.pictures_shown > 10
        assert last.video.packets_lost == last.video.pictures_lost == 0
    await in_thread(check_files, tmp_path, first.frame_number)


async def test_what_was_seen_and_heard_outlives_an_end(tmp_path: Path) -> None:
    async with house(tmp_path) as (door, screen):
        await early_media(door, screen, AEAD_AES_128_GCM, ("G722", "H264"))
        await until(lambda: screen.told(FirstPicture) and screen.told(FirstSound))
        await asyncio.sleep(0.5)
    # The engines were told to end in the middle of it all.
    assert await in_thread(heard, tmp_path / "screen" / "heard.wav") == DOOR_TONE
    assert await in_thread(frame_number, tmp_path / "screen" / f"{LEG}-last.png") is not None
