"""An RTSP camera: its pictures as they are, its absence in words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from meshdoor.config import MediaConfig
from meshdoor.errors import EngineError
from meshdoor.media import camera as camera_module
from meshdoor.media import card, streams
from meshdoor.media.camera import Camera
from meshdoor.media.encoder import Coded, Picture
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.opening import open_source
from meshdoor.media.plans import VideoFormat
from meshdoor.media.reports import Device, Event
from meshdoor.media.source import LateSource, Source
from meshdoor.media.streams import StreamSource
from meshdoor.rtp.h264_depacketizer import depacketize
from meshdoor.rtp.nal import PPS, SPS, nal_type, split_annex_b
from meshdoor.rtp.packet import RtpPacket
from tests.fakes.rtsp import FakeRtsp, Film, slices_of
from tests.media.files import in_thread
from tests.media.peer import Peer
from tests.patience import wait_for

VIDEO = VideoFormat(320, 192, 30, 300_000)
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def film() -> Film:
    return Film.make()


@contextmanager
def opened(server: FakeRtsp) -> Iterator[Source]:
    source = open_source(server.url, VIDEO)
    try:
        yield source
    finally:
        source.close()


def coded(source: Source, count: int) -> list[Coded]:
    units = [source.read() for _ in range(count)]
    return [unit for unit in units if isinstance(unit, Coded)]


def shown(source: Source, count: int) -> list[int | None]:
    pictures = [source.read() for _ in range(count)]
    return [card.read(picture.frame) for picture in pictures if isinstance(picture, Picture)]


def passes_through(source: Source) -> bool:
    assert isinstance(source, LateSource)
    assert isinstance(source._source, StreamSource)
    return source._source.passes_through


def numbered(film: Film, pictures: Sequence[tuple[bytes, ...]]) -> list[int]:
    """Which picture of the film each of these is, by its slices to the last bit."""
    return [film.slices.index(slices) for slices in pictures]


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"in_band": False},
        {"out_of_band": False},
        {"transport": "UDP"},
        {"user": "me", "password": "secret"},
        {"path": "/Streaming/Channels/101"},
    ],
    ids=["both", "sprop only", "in band only", "UDP", "password", "path"],
)
def test_every_slice_is_what_the_camera_made(film: Film, server: dict[str, Any]) -> None:
    with FakeRtsp(film, **server) as made, opened(made) as source:
        units = coded(source, 40)
        nals = [split_annex_b(unit.data) for unit in units]
        assert numbered(film, [slices_of(each) for each in nals]) == [number % 30 for number in range(40)]
        assert [number for number, unit in enumerate(units) if unit.key] == [0, 15, 30]
        for unit, each in zip(units, nals, strict=True):
            assert {nal_type(nal) for nal in each[:2]} == {SPS, PPS} if unit.key else len(each) == 1
        assert len({unit.timestamp for unit in units}) == 40
        assert passes_through(source)


def test_a_picture_of_several_slices_is_one() -> None:
    film = Film.make(slices=3)
    with FakeRtsp(film) as server, opened(server) as source:
        pictures = [slices_of(split_annex_b(unit.data)) for unit in coded(source, 20)]
        assert {len(slices) for slices in pictures} == {3}
        assert numbered(film, pictures) == list(range(20))


def test_the_first_picture_is_not_waited_for(film: Film) -> None:
    with FakeRtsp(film) as server, opened(server) as source:
        source.read()
        assert server.sent < 20


@pytest.mark.parametrize("server", [{}, {"in_band": False}], ids=["in band", "sprop only"])
def test_joined_in_mid_stream(film: Film, server: dict[str, Any]) -> None:
    with FakeRtsp(film, begin=20, **server) as made, opened(made) as source:
        units = coded(source, 30)
        first = next(number for number, unit in enumerate(units) if unit.key)
        pictures = [slices_of(split_annex_b(unit.data)) for unit in units[first:]]
        assert numbered(film, pictures) == list(range(len(pictures)))


def test_pictures_that_wait_for_later_ones_are_encoded_again() -> None:
    film = Film.make(b_frames=2)
    with FakeRtsp(film) as server, opened(server) as source:
        assert shown(source, 20) == list(range(20))
        assert not passes_through(source)
    with FakeRtsp(film, begin=10) as server, opened(server) as source:
        assert shown(source, 10) == list(range(15, 25))


def test_a_broken_picture_of_a_stream_that_is_encoded_again_is_left_out() -> None:
    film = Film.make(b_frames=2)
    broken = (*film.units[:5], (b"\x41" + b"\xff" * 50,), *film.units[6:])
    with FakeRtsp(replace(film, units=broken)) as server, opened(server) as source:
        assert set(shown(source, 25)) >= set(range(15, 30))


def test_a_stream_without_key_frames_is_encoded_again() -> None:
    """It begins with one, then renews its pictures bit by bit: who joins later could never begin."""
    film = Film.make(frames=60, gop=15, intra_refresh=True)
    with FakeRtsp(film) as server, opened(server) as source:
        items = [source.read() for _ in range(50)]
        pictures = [item for item in items if isinstance(item, Picture)]
        assert len(pictures) > 20
        assert card.read(pictures[-1].frame) is not None
        assert not passes_through(source)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("rtsp://me:wrong-word@{host}/", "401 Unauthorized"),
        ("rtsp://me:s3cret@{host}/nowhere", "404 Not Found"),
        ("rtsp://{host}/user=me_password=s3cret_channel=1", "401 Unauthorized"),
        ("rtsp://{host}/live?pwd=s3cret", "401 Unauthorized"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    film: Film, caplog: pytest.LogCaptureFixture, url: str, why: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeRtsp(film, user="me", password="s3cret") as server:
        host = f"{HOST}:{server.port}"
        source = open_source(url.format(host=host), VIDEO)
        with pytest.raises(EngineError, match=why) as caught:
            source.read()
        source.close()
    told = str(caught.value)
    assert f"rtsp://{host}/" in told
    for secret in ("s3cret", "wrong-word"):
        assert secret not in told + repr(caught.value) + caplog.text


def test_no_repr_tells_the_password() -> None:
    url = "rtsp://me:s3cret@10.0.0.9/"
    assert "s3cret" not in repr(Hello("door", camera=url)) + repr(MediaConfig(camera=url))


def test_who_begins_to_look_at_a_camera_that_is_open_sees_a_picture_at_once() -> None:
    film = Film.make(frames=60, gop=60)
    given: list[Coded] = []
    with FakeRtsp(film) as server:
        camera = Camera(
            lambda pause: open_source(server.url, VIDEO, pause),
            VIDEO,
            lambda codec, unit: given.append(unit),
            lambda device: None,
        )
        camera.warm(True)
        wait_for(lambda: server.sent > 20)
        assert given == []
        camera.want("H264", True)
        wait_for(lambda: len(given) > 20)
        assert server.sent < 60
        pictures = [slices_of(split_annex_b(unit.data)) for unit in given]
        assert numbered(film, pictures) == list(range(len(pictures)))
        camera.want("H264", False)
        before = server.sent
        wait_for(lambda: server.sent > before + 3)
        given.clear()
        camera.want("H264", True)
        wait_for(lambda: len(given) > 3)
        assert given[0].key
        camera.close()


def test_a_card_says_that_a_camera_takes_long_to_open(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "PATIENCE", 0.05)
    monkeypatch.setattr(camera_module, "NO_PICTURE_INTERVAL", 0.02)
    given: list[Coded] = []
    told: list[Device] = []
    with FakeRtsp(film, silent=True) as server:
        camera = Camera(
            lambda pause: open_source(server.url, VIDEO, pause),
            VIDEO,
            lambda codec, unit: given.append(unit),
            told.append,
        )
        camera.want("H264", True)
        wait_for(lambda: len(given) > 2)
        assert not given[0].passed_through
        assert told == []
        server.silent = False
        wait_for(lambda: given[-1].passed_through)
        assert told == [Device("camera", "ok")]
        first = next(unit for unit in given if unit.passed_through)
        assert first.key
        monkeypatch.setattr(camera_module, "STALL", 0.1)
        server.silent = True
        wait_for(lambda: told[-1].state == "failed")
        camera.close()


@asynccontextmanager
async def engine_with(camera: str) -> AsyncIterator[tuple[Engine, list[Event]]]:
    events: list[Event] = []
    async with Engine(Hello("door", camera=camera, video=VIDEO), events.append) as engine:
        await engine.wait_ready()
        yield engine, events


@asynccontextmanager
async def serving(server: FakeRtsp) -> AsyncIterator[FakeRtsp]:
    await in_thread(server.start)
    try:
        yield server
    finally:
        await in_thread(server.stop)


async def watch(engine: Engine, name: str, screen: Peer) -> None:
    await engine.open_leg(name, HOST)
    await engine.start_leg(StartLeg(name, video=screen.plan()))


def received(packets: list[RtpPacket]) -> list[tuple[bytes, ...]]:
    """The slices of each picture that came whole."""
    pictures = [list(group) for _, group in groupby(packets, lambda packet: packet.timestamp)]
    return [slices_of(split_annex_b(depacketize(each).data)) for each in pictures if each[-1].marker]


async def test_an_engine_gives_every_screen_the_cameras_own_slices(film: Film) -> None:
    async with serving(FakeRtsp(film)) as server, engine_with(server.url) as (engine, events):
        first, second = Peer(), Peer()
        await watch(engine, "b0", first)
        await first.until_shown(20)
        pictures = numbered(film, received(first.packets))
        assert pictures == [number % 30 for number in range(len(pictures))]
        assert first.numbers == [number % 30 for number in range(len(first.numbers))]
        before = {packet.timestamp for packet in first.packets}
        await watch(engine, "b1", second)
        await second.until_shown(1)
        assert second.packets[0].timestamp in before  # it did not wait for another key frame
        assert second.numbers[0] in (0, 15)
        assert set(numbered(film, received(second.packets))) <= set(range(30))
        assert (await engine.statistics()).encode_time == 0.0
        assert server.requests.count("PLAY") == 1
        assert [event for event in events if isinstance(event, Device)] == [Device("camera", "ok")]
        first.close()
        second.close()


async def test_a_camera_that_dies_and_comes_back(film: Film) -> None:
    def devices() -> list[str]:
        return [event.state for event in events if isinstance(event, Device)]

    async with serving(FakeRtsp(film)) as server, engine_with(server.url) as (engine, events):
        screen = Peer()
        await watch(engine, "b0", screen)
        await screen.until_shown(5)
        await in_thread(server.stop)
        await screen.until(lambda: screen.numbers[-1] is None)  # the card that says so
        await asyncio.sleep(0.1)
        await in_thread(server.start)
        seen = len(screen.numbers)
        await screen.until(lambda: any(number is not None for number in screen.numbers[seen:]))
        await screen.until_shown(len(screen.numbers) + 20)
        assert devices() == ["ok", "failed", "ok"]
        assert screen.numbers[-1] is not None
        assert server.requests.count("PLAY") == 2
        screen.close()


async def test_who_joins_while_there_is_no_camera_sees_that(film: Film) -> None:
    async with engine_with("rtsp://me:s3cret@127.0.0.1:9/") as (engine, events):
        screen = Peer()
        await watch(engine, "b0", screen)
        await screen.until_shown(2)
        assert set(screen.numbers) == {None}
        (device,) = (event for event in events if isinstance(event, Device))
        assert (device.kind, device.state) == ("camera", "failed")
        assert "rtsp://127.0.0.1:9/: Connection refused" in device.text
        screen.close()


def test_a_stream_whose_key_frames_are_rare_is_encoded_again_from_the_second_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who joins it would wait too long. Nothing is lost at the change. To a machine that stood still the period looked
    shorter: there it is one of the next."""
    monkeypatch.setattr(streams, "MAX_LIVE_PERIOD", 0.4)
    film = Film.make(frames=150, gop=30)
    items: list[Coded | Picture] = []
    with FakeRtsp(film) as server:
        source = open_source(server.url, VIDEO)
        while sum(isinstance(item, Picture) for item in items) < 10:
            items.append(source.read())
        source.close()
    coded = sum(isinstance(item, Coded) for item in items)
    numbers = [card.read(item.frame) for item in items if isinstance(item, Picture)]
    assert coded in (30, 60, 90, 120)
    assert numbers == list(range(coded, coded + 10))
