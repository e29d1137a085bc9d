"""A leg to a browser whose transport is what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from meshdoor.errors import EngineError
from meshdoor.media.bundle import Bundle
from meshdoor.media.channel import Channel, ChannelOwner
from meshdoor.media.leg import Studio
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import AUDIO, VIDEO, Address, Gates, IceDescription, IceRemote, StreamPlan
from meshdoor.media.reports import Event, LegFailed
from meshdoor.media.webrtc import Keys, Transport
from meshdoor.media.webrtc_leg import WebrtcLeg
from meshdoor.rtp.srtp_keys import AEAD_AES_128_GCM, MasterKey
from tests.media.test_bundle import Wire
from tests.media.test_channel import End
from tests.patience import until

REMOTE = IceRemote("ufrag", "p" * 22, "sha-256 AB", (), controlling=True, client=False)
PLAN = StreamPlan("sendonly", Address("0.0.0.0", 9), "H264", 96, 90_000)
KEYS = MasterKey.generate(AEAD_AES_128_GCM), MasterKey.generate(AEAD_AES_128_GCM)


class Way(Wire):
    """`connect` does what `outcome` says, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: Callable[[str], None] = lambda reason: None
        self.description = IceDescription("ours", "q" * 22, "sha-256 CD", ())
        self.may = asyncio.Event()
        self.outcome: Keys | Exception = KEYS
        self.closed = False

    async def connect(self, remote: IceRemote) -> Keys:
        await self.may.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def aclose(self) -> None:
        self.closed = True


class Devices:
    """A studio with a camera alone."""

    def __init__(self) -> None:
        self.sender = End()

    def video_sender(self, channel: Channel, plan: StreamPlan) -> End:
        return self.sender


class Rig:
    def __init__(self) -> None:
        self.way, self.devices = Way(), Devices()
        self.events: list[Event] = []
        bundle = Bundle(self.way)
        channels = (
            Channel(ChannelOwner("b1", AUDIO, self.events.append), bundle.audio, 6, "cname"),
            Channel(ChannelOwner("b1", VIDEO, self.events.append), bundle.video, 7, "cname"),
        )
        studio, transport = cast(Studio, self.devices), cast(Transport, self.way)
        self.leg = WebrtcLeg("b1", transport, channels, studio, self.events.append)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.leg.close()
    await made.leg.aclose()
    assert made.way.closed


async def test_nothing_flows_before_there_are_keys(rig: Rig) -> None:
    assert rig.leg.opened.ice == rig.way.description
    rig.leg.start(StartLeg("b1", video=PLAN, ice=REMOTE))
    rig.leg.gate(Gates(picture=False))
    rig.leg.start(StartLeg("b1", video=PLAN, gates=Gates(picture=False), ice=REMOTE))
    await asyncio.sleep(0)
    assert rig.devices.sender.log == []
    rig.way.may.set()
    await until(lambda: rig.devices.sender.log)
    assert rig.devices.sender.log == [False]
    assert rig.leg.video.plan is not None
    assert (rig.leg.video.plan.tx_key, rig.leg.video.plan.rx_key) == KEYS
    rig.leg.gate(Gates(picture=True))
    assert rig.devices.sender.log == [False, True]


@pytest.mark.parametrize(
    ("outcome", "reason"), [(EngineError("no way"), "no way"), (ValueError("oh"), "ValueError: oh")]
)
async def test_a_way_that_is_not_found_is_told(rig: Rig, outcome: Exception, reason: str) -> None:
    rig.way.outcome = outcome
    rig.way.may.set()
    rig.leg.start(StartLeg("b1", video=PLAN, ice=REMOTE))
    await until(lambda: rig.events)
    assert rig.events == [LegFailed("b1", reason)]


async def test_a_way_that_is_lost_is_told(rig: Rig) -> None:
    rig.way.lost("the phone is gone")
    assert rig.events == [LegFailed("b1", "the phone is gone")]


async def test_a_gate_before_the_start_is_not_kept(rig: Rig) -> None:
    rig.leg.gate(Gates(picture=False))
    with pytest.raises(EngineError, match="by what it says of ICE"):
        rig.leg.start(StartLeg("b1", video=PLAN))
