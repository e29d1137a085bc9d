"""The media of one call that is no press: its leg, what was offered and agreed on, and what may pass of it."""

from __future__ import annotations

import asyncio

from meshdoor.calls.clients import Client
from meshdoor.calls.orders import Gates
from meshdoor.errors import EngineError, SdpError
from meshdoor.media import plans
from meshdoor.node import journal, media_plan
from meshdoor.node.calling import Desk, open_leg
from meshdoor.node.media_plan import NOTHING, Place, Streams, Wish
from meshdoor.sdp.negotiation import MediaPlan

PATIENCE = 10.0  # seconds: unlike a press, a call without a media engine is no call, so it waits for one


class CallMedia:
    """One leg of the media engine. Nothing flows before `let` says what may pass."""

    def __init__(self, desk: Desk, leg: str, name: str) -> None:
        self.leg = leg
        self._desk = desk
        self._name = name
        self._place: Place | None = None
        self._client: Client | None = None
        self._plan: MediaPlan | None = None  # what we offered last
        self._streams = NOTHING
        self._gates: plans.Gates | None = None
        self.able = media_plan.ABLE
        self.source = ""  # the leg whose media are sent on, if not this node's own
        self._flowing: tuple[Streams, plans.Gates | None] = (NOTHING, None)

    @property
    def streams(self) -> Streams:
        """Audio and video as they were agreed on last."""
        return self._streams

    async def open(self, peer: bytes, dtls: bool) -> bool:
        """Open the leg towards a member, with keys by DTLS if it is a browser or has offered that; False, and it is
        said in the log, when that cannot be."""
        host, engine, client = self._desk.address(peer), self._desk.engine, self._desk.client(peer)
        try:
            local = media_plan.local_address(host)
            async with asyncio.timeout(PATIENCE):
                await engine.wait_ready()
                opened = await open_leg(self._desk, self.leg, local, dtls, client)
        except (EngineError, TimeoutError, OSError) as error:
            journal.warn("media", f"no call with {self._name}: {error}")
            return False
        self._place = Place(local, opened, host)
        self._client = client
        if client is not None:
            fits = media_plan.able_for(client)
            self.able = fits if self.able is media_plan.ABLE else self.able._replace(plain=fits.plain)
        return True

    def offer(self, wish: Wish) -> bytes:
        """The first offer of a call of ours, whose leg is open."""
        assert self._place is not None
        self._plan = media_plan.offer(self._place.local, self._place.opened, wish, self._client)
        return media_plan.offer_body(self._plan)

    def offer_again(self, wish: Wish, before: bytes) -> bytes:
        """Another offer, after our description `before`."""
        self._plan = media_plan.offer_again(before, wish)
        return media_plan.offer_body(self._plan)

    def agree(self, body: bytes) -> bool:
        """What the answer makes of our last offer; False, and it is said in the log, when it is of no use."""
        try:
            if self._plan is None or self._place is None:
                raise SdpError("nothing was offered")
            self._streams = media_plan.agreed(self._plan, body, self._place.peer)
        except SdpError as error:
            journal.warn("sdp", f"an answer of {self._name} cannot be used: {error}")
            return False
        return True

    def answer(self, offer: bytes, wish: Wish, before: bytes = b"") -> tuple[bytes, Streams]:
        """The answer to an offer, and what it makes of the streams: `take` them when it is sent. Raises SdpError."""
        if self._place is None:
            raise SdpError("there is no leg")
        return media_plan.answer(offer, self._place, wish, before, self.able)

    def take(self, streams: Streams) -> None:
        """What was agreed on by an answer of ours."""
        self._streams = streams
        self._desk.spawn(self._flow())

    def let(self, gates: Gates) -> None:
        """This may pass from now on."""
        self._gates = plans.Gates(gates.microphone, gates.speaker, gates.picture)
        self._desk.spawn(self._flow())

    def lost(self) -> None:
        """The engine died, and the leg with it."""
        self._place = None

    async def close(self) -> None:
        """Nothing passes any more."""
        place, self._place = self._place, None
        if place is None:
            return
        try:
            await self._desk.engine.close_leg(self.leg)
        except EngineError:
            return  # it died, and the leg with it

    async def _flow(self) -> None:
        if self._place is None or self._gates is None or self._streams == NOTHING:
            return
        before, self._flowing = self._flowing, (self._streams, self._gates)
        try:
            if before[0] != self._streams:
                await self._desk.engine.start_leg(self._streams.start(self.leg, self._gates, self.source))
            elif before[1] != self._gates:
                await self._desk.engine.gate(self.leg, self._gates)
        except EngineError as error:
            journal.warn("media", f"nothing passes between here and {self._name}: {error}")
