"""The one call with a door station, and the media of those who look through it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from meshdoor.node.call_media import CallMedia
from meshdoor.node.calling import Desk
from meshdoor.node.media_plan import NOTHING, Place, Streams
from meshdoor.node.relay_plan import able_of
from meshdoor.sdp.negotiation import MediaPlan
from meshdoor.sip.uac import UacSession
from meshdoor.sip.uas import UasSession


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

    async def open(self, peer: bytes, browser: bool) -> bool:
        self._looking.add(self)
        if not await self._station.bring_up() or self._station.line is None:
            return False
        self.source, self.able = self._station.line.leg, able_of(self._station.line.streams)
        return await super().open(peer, browser)

    async def close(self) -> None:
        await super().close()
        self._looking.discard(self)
        self._station.let_go()


def codecs_of(streams: Streams) -> list[str | None]:
    """By name."""
    return [None if stream is None else stream.codec for stream in (streams.audio, streams.video)]
