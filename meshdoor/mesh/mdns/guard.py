"""The gate in front of the responder: each datagram passes here before zeroconf parses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from meshdoor.mesh.gate import Gate

Addr = tuple[str | Any, ...]


class Guard(asyncio.DatagramProtocol):
    """Stands in for zeroconf's own protocol on one transport; `source` is where the datagram at work came from."""

    def __init__(self, inner: asyncio.DatagramProtocol, gate: Gate, entered: Callable[[str, bool], None]) -> None:
        self._inner = inner
        self._gate = gate
        self._entered = entered
        self._now = asyncio.get_running_loop().time

    def datagram_received(self, data: bytes, addr: Addr) -> None:
        """Pass on what the gate admits."""
        host = str(addr[0]).removeprefix("::ffff:")
        admitted = self._gate.admits(data, host, self._now())
        self._entered(host, admitted)
        if admitted:
            self._inner.datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Zeroconf logs it."""
        self._inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed."""
        self._inner.connection_lost(exc)
