"""Makes legs, each in the way in which its peer can be reached: over sockets of its own, with keys by DTLS, from beyond
a NAT, or over the one transport of a browser."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress

from meshdoor.errors import EngineError
from meshdoor.media import rehearsal
from meshdoor.media.bundle import Bundle
from meshdoor.media.channel import Channel, ChannelOwner
from meshdoor.media.leg import Emit, Leg
from meshdoor.media.messages import OpenLeg
from meshdoor.media.path import Path, UdpPath, both
from meshdoor.media.plans import AUDIO, VIDEO, Address
from meshdoor.media.reports import Seen
from meshdoor.media.studio import NodeStudio
from meshdoor.media.stun_path import StunPath
from meshdoor.media.webrtc_leg import WebrtcLeg

log = logging.getLogger(__name__)


class LegMaker:
    """What it makes belongs to who asked for it. Raises EngineError where an address cannot be used."""

    def __init__(self, studio: NodeStudio, emit: Emit) -> None:
        self._studio = studio
        self._emit = emit
        self._cname = os.urandom(6).hex()  # RFC 7022 §4.2: tells nothing of this host
        self._webrtc: asyncio.Event | None = None  # set when it is loaded

    def load_webrtc(self) -> asyncio.Event:
        """Set when it is loaded, which this begins."""
        if self._webrtc is None:
            loop, loaded = asyncio.get_running_loop(), asyncio.Event()
            self._webrtc = loaded
            rehearsal.load_webrtc(lambda: _tell(loop, loaded.set))
        return self._webrtc

    def now(self, command: OpenLeg) -> Leg | None:
        """None for what takes a while: then `later`."""
        if command.webrtc or command.stun is not None:
            return None
        return self._dtls(command) if command.dtls else self._udp(command)

    async def later(self, command: OpenLeg) -> Leg:
        """Whoever does not wait for it leaves nothing open."""
        return await (self._browser(command) if command.stun is None else self._beyond(command, command.stun))

    def _udp(self, command: OpenLeg) -> Leg:
        ports = iter((command.audio_port, command.video_port))
        return self._leg(command.leg, *both(lambda: UdpPath(command.local, next(ports))))

    def _dtls(self, command: OpenLeg) -> Leg:
        from meshdoor.media.dtls import Certificate
        from meshdoor.media.dtls_leg import DtlsLeg, DtlsPath

        certificate = Certificate()
        paths = both(lambda: DtlsPath(command.local, 0, certificate))
        channels = self._channels(command.leg, *paths)
        return DtlsLeg(command.leg, certificate, paths, channels, (self._studio, self._emit))

    async def _browser(self, command: OpenLeg) -> Leg:
        await self.load_webrtc().wait()
        from meshdoor.media import webrtc

        transport = await webrtc.Transport.open((command.local, *command.addresses), command.ice_servers)
        bundle = Bundle(transport)
        channels = self._channels(command.leg, bundle.audio, bundle.video)
        return WebrtcLeg(command.leg, transport, channels, self._studio, self._emit)

    async def _beyond(self, command: OpenLeg, server: Address) -> Leg:
        """Where nobody says how it looks from outside, it may still be of use."""
        try:
            paths = both(lambda: StunPath(command.local, server))
        except EngineError as error:
            log.warning("leg %s: %s", command.leg, error)
            return self._udp(command)
        try:
            told = await asyncio.gather(*(path.learn() for path in paths), return_exceptions=True)
        except BaseException:
            for path in paths:
                path.close()
            raise
        leg = self._leg(command.leg, *paths)
        seen = tuple(each for each in told if isinstance(each, Seen))
        if len(seen) == len(paths):
            leg.seen = seen
        else:
            log.warning("leg %s: %s", command.leg, next(each for each in told if not isinstance(each, Seen)))
        return leg

    def _leg(self, name: str, sound: Path, pictures: Path) -> Leg:
        return Leg(name, *self._channels(name, sound, pictures), self._studio, self._emit)

    def _channels(self, leg: str, sound: Path, pictures: Path) -> tuple[Channel, Channel]:
        return (
            Channel(ChannelOwner(leg, AUDIO, self._emit), sound, self._studio.audio_ssrc, self._cname),
            Channel(ChannelOwner(leg, VIDEO, self._emit), pictures, self._studio.video_ssrc, self._cname),
        )


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """From a thread into the loop, which may be gone."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
