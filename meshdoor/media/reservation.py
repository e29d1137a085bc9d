"""The ports of a leg that no engine has opened yet: a peer can be told of them while the engine still starts."""

from __future__ import annotations

from meshdoor.media.path import UdpPath, both
from meshdoor.media.reports import LegOpened


class Reservation:
    """Nobody else gets them before `free`; what comes meanwhile is lost. `opened` is what an engine is asked for then,
    as if another one had had it (`Engine.open_leg`)."""

    def __init__(self, local: str) -> None:
        """Raises EngineError when the local address cannot be used."""
        self._paths = sound, pictures = both(lambda: UdpPath(local))
        self.opened = LegOpened(sound.port, pictures.port, 0, 0)

    def free(self) -> None:
        for path in self._paths:
            path.close()
