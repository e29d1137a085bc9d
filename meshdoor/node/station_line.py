"""The one call with a door station, and the media of those who look through it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from meshdoor.errors import EngineError, LocalProtocolError
from meshdoor.media.engine_client import Engine
from meshdoor.media.plans import Gates
from meshdoor.node import media_plan
from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import Desk
from meshdoor.node.media_plan import NOTHING, Place, Streams
from meshdoor.node.relay_plan import able_of
from meshdoor.sdp.negotiation import MediaPlan
from meshdoor.sip.dtmf import RELAY, DtmfInfo
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession

OPEN: Final = Gates(microphone=True, speaker=True, picture=True)
ENGINE_PATIENCE: Final = 5.0  # seconds for a media engine that starts: without one nothing can be sent on
DIGIT: Final = 0.25  # seconds that a digit takes, with the pause behind it


class Wanting(Desk, Protocol):
    """The call service, which may have no engine yet."""

    def want_engine(self) -> None:
        """The media engine is about to be needed."""


@dataclass(slots=True)
class Line:
    """The one call with the station."""

    leg: str
    session: UasSession | UacSession | None = None
    place: Place | None = None
    plan: MediaPlan | None = None
    answer: bytes = b""
    streams: Streams = NOTHING
    accepted: bool = False
    over: bool = False
    silent: dict[str, float] = field(default_factory=dict)  # since when, by medium
    up: asyncio.Event = field(default_factory=asyncio.Event)  # there are media, or it is over

    async def open(self, desk: Wanting, host: str) -> Place:
        """The leg, at the end of an engine that may only start. Raises EngineError, TimeoutError."""
        local = media_plan.local_address(host)
        desk.want_engine()
        async with asyncio.timeout(ENGINE_PATIENCE):
            await desk.engine.wait_ready()
            self.place = Place(local, await desk.engine.open_leg(self.leg, local), host)
        return self.place

    async def start(self, engine: Engine) -> None:
        """Let everything pass, to be sent on. Raises EngineError."""
        await engine.start_leg(self.streams.start(self.leg, OPEN, source=self.leg))

    async def close(self, engine: Engine) -> None:
        """Nothing passes any more."""
        if self.place is not None:
            with suppress(EngineError):  # it died, and the leg with it
                await engine.close_leg(self.leg)

    async def type(self, desk: Desk, digits: str, *, by_info: bool) -> None:
        """Digits for the station. What it does with them cannot be known. Raises EngineError, LocalProtocolError."""
        audio = self.streams.audio
        if self.session is None:
            raise LocalProtocolError("there is no call with it")
        if not by_info and audio is not None and audio.dtmf_payload_type is not None:
            await desk.engine.dtmf(self.leg, digits)
            return
        for digit in digits:
            with desk.endpoint.acting() as now:
                self.session.info(bytes(DtmfInfo(digit)), RELAY, now)
            await asyncio.sleep(DIGIT)

    @property
    def received(self) -> set[str]:
        """The media that come."""
        named = (("audio", self.streams.audio), ("video", self.streams.video))
        return {kind for kind, stream in named if stream is not None and stream.receives}


class Source(Protocol):
    """A station, as those see it who look through it."""

    line: Line | None

    async def bring_up(self) -> bool:
        """Whether there are media of it."""

    def let_go(self) -> None:
        """Nobody looks: a call that was only for that is over."""


class StationMedia(CallMedia):
    """The media of a call through a station: the first brings its media up, the last lets them go."""

    def __init__(self, station: Source, desk: Desk, leg: str, name: str, looking: set[CallMedia]) -> None:
        super().__init__(desk, leg, name)
        self._station = station
        self._looking = looking

    async def open(self, peer: bytes, dtls: bool) -> bool:
        self._looking.add(self)
        if not await self._station.bring_up() or self._station.line is None:
            return False
        self.source, self.able = self._station.line.leg, able_of(self._station.line.streams)
        return await super().open(peer, dtls)

    async def close(self) -> None:
        await super().close()
        self._looking.discard(self)
        self._station.let_go()


def codecs_of(streams: Streams) -> list[str | None]:
    """By name."""
    return [None if stream is None else stream.codec for stream in (streams.audio, streams.video)]
