"""The ports of a leg that no engine has opened yet: a peer can be told of them while the engine still starts."""

from __future__ import annotations

import socket

from meshdoor.errors import EngineError
from meshdoor.media.datagrams import bind_pair
from meshdoor.media.reports import LegOpened


class Reservation:
    """Nobody else gets them before `free`; what comes meanwhile is lost. `opened` is what an engine is asked for then,
    as if another one had had it (`Engine.open_leg`)."""

    def __init__(self, local: str) -> None:
        """Raises EngineError when the local address cannot be used."""
        sound = bind_pair(local)
        try:
            pictures = bind_pair(local)
        except EngineError:
            _close(*sound)
            raise
        self._sockets = (*sound, *pictures)
        self.opened = LegOpened(sound[0].getsockname()[1], pictures[0].getsockname()[1], 0, 0)

    def free(self) -> None:
        _close(*self._sockets)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
