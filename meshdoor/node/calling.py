"""What doors and screens share when they call: the stack, the media engine, the peers, and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from meshdoor.calls.clients import Client, Keying
from meshdoor.config import IceServer
from meshdoor.errors import EngineError
from meshdoor.media.engine_client import Engine
from meshdoor.media.plans import Address
from meshdoor.media.reports import LegOpened
from meshdoor.mesh.wire import KEEP_ALIVE
from meshdoor.sip.flow import Target
from meshdoor.transport.endpoint import SipEndpoint

FAST = 0.5  # seconds between keep-alives while somebody rings or talks: a loss shows within three
CROWD = 16  # devices that are rung at that pace; of more, each gets fewer
ENGINE_PATIENCE = 2.0  # seconds to wait for a media engine that starts, before it rings without a picture
RETURN = 2.0  # seconds in which the link of who talks may come back


def pace(rung: int) -> float:
    """Seconds between keep-alives with each of so many devices that are rung."""
    return FAST * max(1.0, rung / CROWD)


def read_pace(text: str | None) -> float:
    """The pace that a door asks for in its INVITE, which is never faster than a call's nor slower than at rest."""
    try:
        return min(max(FAST, float(text or FAST)), KEEP_ALIVE)
    except ValueError:
        return FAST


@dataclass(frozen=True, slots=True)
class Findable:
    """How browsers find this node: its own addresses, and the servers that help those who are not at home."""

    addresses: tuple[str, ...] = ()
    servers: tuple[IceServer, ...] = ()


class Desk(Protocol):
    """The call service, as seen by what carries out presses and calls."""

    @property
    def endpoint(self) -> SipEndpoint:
        """The one user agent of this node."""

    @property
    def engine(self) -> Engine:
        """The media engine."""

    def now(self) -> float:
        """The event loop's clock, in seconds."""

    def target(self, key: bytes) -> Target | None:
        """A request to a member over its link; None while there is none."""

    def address(self, key: bytes) -> str:
        """The host at the other end of the link to a member; empty while there is none."""

    def is_browser(self, key: bytes) -> bool:
        """Does this member take WebRTC, rather than SDES?"""

    def client(self, key: bytes) -> Client | None:
        """How this member wants its media, if it is a SIP client."""

    def findable(self) -> Findable:
        """How browsers find this node now."""

    def hurry(self, key: bytes, interval: float | None) -> None:
        """Notice sooner when the link to a member is lost."""

    def note(self, key: bytes, note: dict[str, Any]) -> None:
        """Send a note over the link to a member, if there is one."""

    def name_of(self, key: bytes) -> str:
        """What people call a member."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside; it is cancelled when the node stops."""

    def publish(self, event: dict[str, Any]) -> None:
        """Tell who listens (`meshdoor events`, the ledger, the screen)."""

    def leave_call(self) -> None:
        """Hang up the conversation that is no visitor's."""

    def busy_changed(self) -> None:
        """Look again whether this node rings or talks."""


async def engine_is_there(desk: Desk) -> bool:
    """Whether it is, in a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ENGINE_PATIENCE):
            await desk.engine.wait_ready()
    return desk.engine.is_ready


async def open_leg(desk: Desk, leg: str, local: str, dtls: bool, client: Client | None = None) -> LegOpened:
    """A leg from the address `local`. `dtls`: keys are made by DTLS, as all browsers want it, and as a client may have
    offered; a browser may find other addresses of this node. Raises EngineError.

    An engine that starts is waited for a little; one that is there and has much to do, for as long as it takes.
    """
    if not await engine_is_there(desk):
        raise EngineError("the media engine is not there yet")
    if client is not None and (dtls or client.keying is Keying.DTLS):
        return await desk.engine.open_dtls(leg, local)
    if client is not None and client.stun is not None:
        return await desk.engine.open_beyond(leg, local, Address(*client.stun))
    if not dtls:
        return await desk.engine.open_leg(leg, local)
    findable = desk.findable()
    return await desk.engine.open_webrtc(leg, findable.addresses or (local,), findable.servers)
