"""A door station, a node that sends its media on, and two screens, each with a media engine of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.analysis import heard
from meshdoor.media.channel import Channel, ChannelOwner
from meshdoor.media.messages import Hello, StartLeg
from meshdoor.media.path import UdpPath
from meshdoor.media.plans import INACTIVE, RECVONLY, SENDONLY, SENDRECV, Address, Gates, StreamPlan, VideoFormat
from meshdoor.media.relay import PictureRelay, Relay
from meshdoor.media.reports import DtmfReceived, FirstPicture, FirstSound, LegOpened
from meshdoor.rtp.srtp import AEAD_AES_128_GCM, MasterKey
from tests.media.files import in_thread
from tests.media.test_two_engines import Side, side
from tests.patience import until

HOST = "127.0.0.1"
TONES = {"station": 500, "one": 900, "two": 1300}
SHOWN, TALK = Gates(microphone=True), Gates(microphone=True, speaker=True)


@dataclass(frozen=True)
class Wire:
    """The keys of one leg of the node and the other end; None in the clear."""

    out: MasterKey | None = None
    back: MasterKey | None = None

    @classmethod
    def secret(cls) -> Wire:
        return cls(MasterKey.generate(AEAD_AES_128_GCM), MasterKey.generate(AEAD_AES_128_GCM))

    @property
    def turned(self) -> Wire:
        return Wire(self.back, self.out)


def plans(peer: LegOpened, wire: Wire, video: str, codec: str = "PCMU") -> tuple[StreamPlan, StreamPlan]:
    rate, kind = (48_000, 111) if codec == "OPUS" else (8000, 0)
    sound = StreamPlan(SENDRECV, Address(HOST, peer.audio_port), codec, kind, rate, tx_key=wire.out, rx_key=wire.back)
    pictures = replace(
        sound, direction=video, remote=Address(HOST, peer.video_port), codec="H264", payload_type=97, clock_rate=90_000
    )
    return replace(sound, dtmf_payload_type=101, dtmf_clock_rate=rate), pictures


@asynccontextmanager
async def house(tmp_path: Path) -> AsyncIterator[tuple[Side, Side, Side, Side]]:
    picture = VideoFormat(640, 368, 15, 800_000)
    hello = Hello("screen", "Hall", "none", "silence", "file", "file")
    station = replace(hello, role="door", camera="card", microphone=f"tone:{TONES['station']}", video=picture)
    async with (
        side(station, tmp_path / "station") as door,
        side(hello, tmp_path / "node") as node,
        side(replace(hello, microphone=f"tone:{TONES['one']}"), tmp_path / "one") as one,
        side(replace(hello, microphone=f"tone:{TONES['two']}"), tmp_path / "two") as two,
    ):
        yield door, node, one, two


async def look(node: Side, screen: Side, branch: str) -> None:
    """The screen sees and hears the station through the node."""
    wire, opened = Wire.secret(), await node.engine.open_leg(branch, HOST)
    sound, pictures = plans(opened, wire.turned, RECVONLY)
    await screen.engine.start_leg(StartLeg("b1", sound, pictures, Gates(speaker=True)))
    sound, pictures = plans(screen.opened, wire, SENDONLY)
    await node.engine.start_leg(StartLeg(branch, sound, pictures, SHOWN, source="b1"))


async def ring(door: Side, node: Side) -> None:
    """The station, which speaks in the clear, is a source."""
    sound, pictures = plans(node.opened, Wire(), SENDONLY)
    await door.engine.start_leg(StartLeg("b1", sound, pictures, TALK))
    sound, pictures = plans(door.opened, Wire(), RECVONLY)
    await node.engine.start_leg(StartLeg("b1", sound, pictures, TALK, source="b1"))


async def test_all_see_and_hear_a_station_and_one_talks(tmp_path: Path) -> None:
    async with house(tmp_path) as (door, node, one, two):
        await ring(door, node)
        await look(node, one, "b2")
        await until(lambda: one.told(FirstPicture) and one.told(FirstSound))
        await look(node, two, "b3")
        await until(lambda: two.told(FirstPicture) and two.told(FirstSound))
        for screen in (one, two):
            (first,) = screen.told(FirstPicture)
            assert (first.width, first.height) == (640, 368)
            assert first.frame_number is not None

        # One of them answers; the other may say what it likes.
        await asyncio.gather(one.engine.gate("b1", TALK), two.engine.gate("b1", TALK), node.engine.gate("b2", TALK))
        await until(lambda: door.told(FirstSound))
        await one.engine.dtmf("b1", "7")
        await until(lambda: node.told(DtmfReceived))
        assert node.told(DtmfReceived) == [DtmfReceived("b2", "7")]
        await node.engine.dtmf("b1", "0#")
        await until(lambda: len(door.told(DtmfReceived)) == 2)
        assert [event.digit for event in door.told(DtmfReceived)] == ["0", "#"]
        await asyncio.sleep(0.6)
        await node.engine.snapshot(str(tmp_path / "seen.png"), "b1")

        statistics = {each.leg: each for each in (await node.engine.statistics()).legs}
        assert statistics["b1"].video.packets_received > 10
        assert statistics["b1"].video.packets_sent == 0
        assert statistics["b2"].video.pictures_lost == 0
        for screen in (one, two):
            last = await screen.engine.close_leg("b1")
            assert last.video.pictures_shown > 5
            assert last.video.packets_lost == last.video.pictures_lost == 0
            assert last.audio.packets_lost == 0
        for leg in ("b1", "b2", "b3"):
            await node.engine.close_leg(leg)
        await door.engine.close_leg("b1")
    for name in ("one", "two"):
        assert await in_thread(heard, tmp_path / name / "heard.wav") == TONES["station"]
    assert await in_thread(heard, tmp_path / "station" / "heard.wav") == TONES["one"]
    assert (tmp_path / "seen.png").is_file()


async def test_a_station_may_be_asked_for_digits_before_anybody_talks(tmp_path: Path) -> None:
    async with house(tmp_path) as (door, node, *_):
        await ring(door, node)
        await node.engine.dtmf("b1", "1")
        await until(lambda: door.told(DtmfReceived))
        assert door.told(DtmfReceived) == [DtmfReceived("b1", "1")]


async def test_there_is_no_branch_without_a_source(tmp_path: Path) -> None:
    async with side(Hello("screen", "Hall", "none"), tmp_path) as node:
        with pytest.raises(EngineError, match="b9 is no source"):
            await node.engine.start_leg(StartLeg("b1", source="b9"))


def channel() -> Channel:
    return Channel(ChannelOwner("b1", "video", lambda event: None), UdpPath(HOST), 1, "cname")


async def test_what_does_not_agree_is_not_there() -> None:
    relay = Relay((1, 2), lambda: 0.0)
    nowhere = LegOpened(9, 9, 0, 0)
    sound, pictures = plans(nowhere, Wire(), INACTIVE)
    other, _ = plans(nowhere, Wire(), INACTIVE, "OPUS")
    made = channel()
    made.start(sound)
    try:
        assert relay.branch.audio_sender(made, sound) is None
        assert relay.branch.video_sender(made, pictures) is None
        out, back = relay.hear(sound)
        assert relay.hear(sound) == (out, back)
        assert relay.branch.audio_receiver("b1", made, other, lambda event: None) is None
        assert relay.branch.video_receiver("b1", made, pictures, lambda event: None) is None
        assert relay.source.video_sender(made, pictures) is None
        with pytest.raises(EngineError, match="AV1"):
            relay.see(replace(pictures, codec="AV1"))
        seen = relay.see(pictures)
        assert relay.branch.video_sender(made, replace(pictures, codec="VP8")) is None
        assert relay.see(replace(pictures, codec="VP8")) is not seen
        for each in (
            relay.source.audio_sender(made, sound),
            relay.source.audio_receiver("b1", made, sound, lambda event: None),
        ):
            assert each is not None
            each.close()
    finally:
        made.close()


@pytest.mark.parametrize(
    "fmtp", ["", "packetization-mode=1;sprop-parameter-sets=Z0LAHw==,aM4xUg==", "sprop-parameter-sets=?"]
)
async def test_key_frames_are_asked_for_now_and_then(fmtp: str) -> None:
    now = 5.0
    asked: list[str] = []

    class Station:
        def __init__(self) -> None:
            self.clock: Callable[[], float] = lambda: now

        def request_key_frame(self) -> None:
            asked.append("PLI")

        def request_packets(self, numbers: tuple[int, ...]) -> None:
            asked.append("NACK")

    plan = replace(plans(LegOpened(9, 9, 0, 0), Wire(), RECVONLY)[1], fmtp=fmtp)
    pictures = Relay((1, 2), lambda: now).see(plan)
    receiver = PictureRelay(pictures, Station(), plan)
    with pytest.raises(EngineError, match="no picture"):
        receiver.snapshot(Path("x"))
    pictures.want_key_frame()
    pictures.want_key_frame()
    now += 0.31
    pictures.want_key_frame()
    assert asked == ["PLI", "PLI"]
    pictures.push(b"\0\0\0\1\x65\x88" + bytes(40), 90_000, True)
    pictures.push(b"\0\0\0\1\x41\x88" + bytes(40), 89_000, False)
    assert pictures.last_key is not None
    payloads = [
        payload
        for unit in pictures.stream.outlet.history.since_key_frame()
        for group in unit.groups
        for payload in group.payloads
    ]
    assert any(b"\x67\x42\xc0\x1f" in payload for payload in payloads) is (len(fmtp) > 40)
    receiver.close()
    now += 1
    pictures.want_key_frame()
    assert len(asked) == 2
