"""Encoded, encrypted, lost, mixed up, decrypted, decoded: the numbers on the cards are right."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import video_receiver
from meshdoor.media.analysis import frame_number
from meshdoor.media.outlet import KeyFrameRequests
from meshdoor.media.reports import FirstPicture, PictureLost
from meshdoor.media.video_receiver import VideoReceiver
from meshdoor.rtp.packet import RtpPacket
from tests.media.files import in_thread
from tests.media.film import Door, Screen
from tests.patience import until


@pytest.fixture
async def screen() -> AsyncIterator[Screen]:
    made = Screen()
    yield made
    await made.close()


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_pictures_come_through(codec: str) -> None:
    door, screen, began = Door(codec), Screen(codec), asyncio.get_running_loop().time()
    for _ in range(8):
        screen.receive(door.picture())
    await screen.until_shown(8)
    await until(lambda: screen.receiver.pictures_shown == 8)
    assert screen.wall.shown == list(range(1, 9))
    (first,) = screen.events
    assert isinstance(first, FirstPicture)
    assert (first.leg, first.width, first.height, first.frame_number) == ("b1", 320, 192, 1)
    assert began <= first.at <= asyncio.get_running_loop().time()
    assert (screen.key_frames_requested, screen.receiver.pictures_lost) == (0, 0)
    await screen.close()


async def test_order_and_repetition_do_not_matter(screen: Screen) -> None:
    door, chance = Door(), random.Random(5)
    screen.receive(door.picture())
    for _ in range(10):
        datagrams = door.picture() + door.picture()
        mixed = datagrams + chance.choices(datagrams, k=2)
        chance.shuffle(mixed)
        screen.receive(mixed)
    await screen.until_shown(21)
    assert screen.wall.shown == list(range(1, 22))
    assert screen.refused == 20
    assert not screen.key_frames_requested


async def test_a_lost_picture_is_followed_by_a_key_frame(screen: Screen) -> None:
    door = Door()
    screen.receive(door.picture())
    door.picture()
    screen.receive(door.picture())
    await until(lambda: screen.key_frames_requested)
    screen.receive(door.picture())
    screen.receive(door.picture(key=True))
    screen.receive(door.picture())
    await screen.until_shown(6)
    assert screen.wall.shown == [1, 5, 6]
    assert screen.key_frames_requested == 1
    assert screen.receiver.pictures_lost == 2


async def test_where_nack_is_offered_nothing_is_lost() -> None:
    door, screen = Door(), Screen(feedback=("nack",))
    screen.receiver.measured(0.01)
    screen.receive(door.picture())
    lost = door.picture()
    screen.receive(door.picture())
    await until(lambda: screen.missing)
    assert len(screen.missing) == len(lost)
    screen.receive(lost)
    await screen.until_shown(3)
    assert screen.wall.shown == [1, 2, 3]
    assert not screen.key_frames_requested
    await screen.close()


async def test_five_in_a_hundred_lost() -> None:
    door, screen, chance = Door(), Screen(), random.Random(11)
    requests, asked = KeyFrameRequests(), 0
    loop = asyncio.get_running_loop()
    for _ in range(100):
        began = loop.time()
        while asked < screen.key_frames_requested:
            asked += 1
            requests.request()
        datagrams = door.picture(key=requests.take(began))
        screen.receive([data for data in datagrams if chance.random() >= 0.05])
        await asyncio.sleep(max(0.0, began + 1 / 60 - loop.time()))
    screen.receive(door.picture(key=True))
    await screen.until_shown(door.number)
    shown = [number for number in screen.wall.shown if number is not None]
    assert shown == sorted(set(shown))
    assert len(shown) == len(screen.wall.shown)
    assert screen.receiver.pictures_lost > 0
    assert max(later - earlier for earlier, later in pairwise(shown)) < 90
    await screen.close()


async def test_what_cannot_be_decoded_is_survived(screen: Screen) -> None:
    door = Door()
    screen.receive(door.picture())
    await screen.until_shown(1)
    screen.receive(door.packets([b"\x65\x88" + b"\x5a" * 900], 9000))
    await until(lambda: screen.key_frames_requested)
    screen.receive(door.picture())
    screen.receive(door.picture(key=True))
    await screen.until_shown(3)
    assert screen.wall.shown == [1, 3]


async def test_junk_of_all_kinds_is_survived(screen: Screen) -> None:
    door, chance = Door(), random.Random(2)
    for length in (0, 1, 2, 3, 5, 30, 300, 1200):
        screen.receive(door.packets([chance.randbytes(length)], chance.randrange(1 << 32)))
        screen.receive([chance.randbytes(length)])
    screen.receive(door.picture(key=True))
    await screen.until_shown(1)


async def test_another_source_takes_over(screen: Screen) -> None:
    first, second = Door(), Door(ssrc=8, size=(160, 96))
    screen.receive(first.picture())
    second.number = 40
    for _ in range(3):
        screen.receive(second.picture())
    await screen.until_shown(43)
    assert screen.wall.shown == [1, 41, 42, 43]


async def test_pictures_that_stop_are_told(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_receiver, "LOST_AFTER", 0.1)
    door = Door()
    screen.receive(door.picture())
    await until(lambda: len(screen.events) == 2)
    screen.receive(door.picture())
    await until(lambda: len(screen.events) == 3)
    told = [type(event) for event in screen.events]
    assert told == [FirstPicture, PictureLost, FirstPicture]
    again = screen.events[2]
    assert isinstance(again, FirstPicture)
    assert again.frame_number == 2


async def test_a_shut_gate(screen: Screen) -> None:
    door = Door()
    screen.receive(door.picture())
    await screen.until_shown(1)
    screen.receiver.gate(False)
    await until(lambda: screen.wall.hidden)
    screen.receive(door.picture())
    screen.receiver.gate(True)
    screen.receiver.gate(True)
    screen.receive(door.picture())
    assert screen.key_frames_requested == 1
    screen.receive(door.picture(key=True))
    await screen.until_shown(4)
    assert screen.wall.shown == [1, 4]
    screen.wall.hidden = 0


async def test_packets_of_another_codec_are_left_alone(screen: Screen) -> None:
    screen.receiver.receive(RtpPacket(34, 1, 0, 7, b"\x41\x80"), 0.0)
    assert not screen.key_frames_requested


async def test_a_picture_as_a_file(screen: Screen, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no picture"):
        screen.receiver.snapshot(tmp_path / "a.png")
    screen.receive(Door().picture())
    await until(lambda: screen.receiver.pictures_shown)
    screen.receiver.snapshot(tmp_path / "a.png")
    await until((tmp_path / "a.png").exists)
    assert await in_thread(frame_number, tmp_path / "a.png") == 1


async def test_a_codec_that_is_not_known(screen: Screen) -> None:
    with pytest.raises(EngineError, match="H266"):
        Screen("H266")
    assert isinstance(screen.receiver, VideoReceiver)
