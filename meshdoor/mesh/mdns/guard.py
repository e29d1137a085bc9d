"""The gate in front of the responder: each datagram passes here before zeroconf parses it.

Errors of sending end here as well: zeroconf would log each as a warning with a traceback, though no code is at fault
when a cable is out or the kernel's neighbour table is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from meshdoor.mesh.announcement import Address
from meshdoor.mesh.gate import Gate

Addr = tuple[str | Any, ...]


class Guard(asyncio.DatagramProtocol):
    """Stands in for zeroconf's own protocol on one transport.

    `entered(host, admitted)` is told before each datagram is at work, `failed(error)` when one could not be sent.
    What was admitted is given to `also(data, source)` as well.
    """

    def __init__(
        self,
        inner: asyncio.DatagramProtocol,
        gate: Gate,
        entered: Callable[[str, bool], None],
        failed: Callable[[Exception], None],
        also: Callable[[bytes, Address], None],
    ) -> None:
        self._inner = inner
        self._gate = gate
        self._entered = entered
        self._failed = failed
        self._also = also
        self._now = asyncio.get_running_loop().time

    def datagram_received(self, data: bytes, addr: Addr) -> None:
        """Pass on what the gate admits."""
        host = str(addr[0]).removeprefix("::ffff:")
        admitted = self._gate.admits(data, host, self._now())
        self._entered(host, admitted)
        if admitted:
            self._inner.datagram_received(data, addr)
            self._also(data, Address(host, int(addr[1])))

    def error_received(self, exc: Exception) -> None:
        """What was to be sent is lost; mDNS says everything again in time."""
        self._failed(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed."""
        self._inner.connection_lost(exc)
