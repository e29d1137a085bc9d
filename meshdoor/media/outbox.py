"""What an engine says to its node, which may have much else to do."""

from __future__ import annotations

import asyncio
import socket
from collections import deque

MAX_WAITING = 4096  # messages; ours


class Outbox:
    """Datagrams that wait until the other end reads. One that never does loses the oldest of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: socket.socket) -> None:
        self._loop = loop
        self._port = port
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)

    def send(self, data: bytes) -> None:
        """Does not wait."""
        if not self._waiting and self._sent(data):
            return
        if not self._waiting:
            self._loop.add_writer(self._port, self._go_on)
        self._waiting.append(data)

    def close(self) -> None:
        """What waits still is not sent."""
        self._waiting.clear()
        self._loop.remove_writer(self._port)

    def _go_on(self) -> None:
        while self._waiting and self._sent(self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            self._loop.remove_writer(self._port)

    def _sent(self, data: bytes) -> bool:
        """Also what nobody is there any more to read."""
        try:
            self._port.send(data)
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        return True
