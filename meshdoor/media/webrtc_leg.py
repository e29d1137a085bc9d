"""A leg to a browser: its media wait until there is a way and there are keys, and are gone with it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from meshdoor.errors import EngineError
from meshdoor.media.channel import Channel
from meshdoor.media.leg import Emit, Leg, Studio
from meshdoor.media.messages import StartLeg
from meshdoor.media.plans import Gates, IceRemote, StreamPlan
from meshdoor.media.reports import LegFailed, LegOpened, LegStatistics

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from meshdoor.media.webrtc import Keys, Transport


class WebrtcLeg(Leg):
    """`aclose` follows `close`."""

    def __init__(
        self, name: str, transport: Transport, channels: tuple[Channel, Channel], studio: Studio, emit: Emit
    ) -> None:
        super().__init__(name, *channels, studio, emit)
        self._transport = transport
        self._start: StartLeg | None = None
        self._keys: Keys | None = None
        self._connecting: asyncio.Task[None] | None = None
        transport.lost = self._lost

    @property
    def opened(self) -> LegOpened:
        return replace(super().opened, ice=self._transport.description)

    def start(self, start: StartLeg) -> None:
        """The first time, it looks for the browser."""
        self._start = start
        if self._keys is not None:
            super().start(_keyed(start, self._keys))
        elif self._connecting is None:
            if start.ice is None:
                raise EngineError("a browser is found only by what it says of ICE")
            self._connecting = asyncio.get_running_loop().create_task(self._connect(start.ice))

    def gate(self, gates: Gates) -> None:
        if self._start is not None:
            self._start = replace(self._start, gates=gates)
        super().gate(gates)

    def close(self) -> LegStatistics:
        last = super().close()
        self._keys = None
        if self._connecting is not None:
            self._connecting.cancel()
        return last

    async def aclose(self) -> None:
        """Gives the sockets back."""
        if self._connecting is not None:
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self._transport.aclose()

    async def _connect(self, remote: IceRemote) -> None:
        try:
            self._keys = await self._transport.connect(remote)
            assert self._start is not None
            self.start(self._start)
        except EngineError as error:
            self._lost(str(error))
        except Exception as error:
            log.exception("no way to the browser of %s", self.name)
            self._lost(f"{type(error).__name__}: {error}")

    def _lost(self, reason: str) -> None:
        self._emit(LegFailed(self.name, reason))


def _keyed(start: StartLeg, keys: Keys) -> StartLeg:
    """The plans under the keys of DTLS, which both media share: their sources differ, so no packet is encrypted as
    another one was."""
    return replace(start, audio=_with(start.audio, keys), video=_with(start.video, keys))


def _with(plan: StreamPlan | None, keys: Keys) -> StreamPlan | None:
    return None if plan is None else replace(plan, tx_key=keys[0], rx_key=keys[1], rtcp=None)
