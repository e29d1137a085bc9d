"""What stands behind one branch of a press at the door: its session and its leg."""

from __future__ import annotations

from dataclasses import dataclass

from meshdoor.errors import EngineError, SdpError
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Gates, LegOpened, LegStatistics
from meshdoor.node import journal, media_plan
from meshdoor.node.media_plan import Streams
from meshdoor.sdp.negotiation import MediaPlan
from meshdoor.sip.uac import UacSession


@dataclass(slots=True)
class Line:
    """Filled in as the branch goes on."""

    leg: str
    giver: bytes = b""  # who hands the visitor over to it
    session: UacSession | None = None
    plan: MediaPlan | None = None
    streams: Streams | None = None
    peer_host: str = ""
    local: str = ""
    opened: LegOpened | None = None
    has_leg: bool = False
    flowing: Streams | None = None
    given_up: bool = False

    def agree(self, body: bytes) -> bool:
        """What the answer makes of our offer; False when it is of no use."""
        assert self.plan is not None
        try:
            self.streams = media_plan.agreed(self.plan, body, self.peer_host)
        except SdpError as error:
            journal.warn("sdp", f"an answer cannot be used: {error}")
            return False
        return True

    async def start(self, engine: Engine, gates: Gates) -> None:
        """Let pass what may, if there is a leg and something is agreed on."""
        if not self.has_leg or self.streams is None:
            return
        before, self.flowing = self.flowing, self.streams
        try:
            if before == self.streams:
                await engine.gate(self.leg, gates)
            else:
                await engine.start_leg(self.streams.start(self.leg, gates))
        except EngineError as error:
            journal.warn("media", f"no picture: {error}")

    async def close(self, engine: Engine) -> LegStatistics | None:
        """Nothing passes any more; what passed, if that is known."""
        if not self.has_leg:
            return None
        self.has_leg = False
        try:
            return await engine.close_leg(self.leg)
        except EngineError:
            return None
