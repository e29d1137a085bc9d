"""The way of one medium to its peer and back: what a `channel.Channel` speaks over.

`UdpPath` has two sockets of its own, for RTP and RTCP. The peer is where the SDP says until an authenticated packet
comes from elsewhere (symmetric RTP, RFC 4961); in the clear, only the first packet may move it, and only within the
same host. A browser is reached over a `bundle.BundlePath`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from meshdoor.errors import EngineError
from meshdoor.media.datagrams import Datagrams, Outgoing, SocketAddress, bind_pair, socket_address
from meshdoor.media.plans import Address, StreamPlan

MAX_BURST = 64  # datagrams read before others have their turn; ours

Receive = Callable[[bytes, SocketAddress], None]


class Path(Protocol):
    """Who comes and goes through it is up to the channel; keys are not its business."""

    port: int

    @property
    def outgoing(self) -> Outgoing:
        """Where packets leave, once it is aimed."""
        ...

    def aim(self, plan: StreamPlan) -> None:
        """The peer is where this plan says. Raises EngineError when that cannot be reached from here."""
        ...

    def send_rtcp(self, data: bytes) -> None:
        """What cannot be sent is lost: the next one is due soon."""
        ...

    def read(self, receive: Receive | None) -> None:
        """Hand over what comes, or nothing any more."""
        ...

    def authenticated(self, address: SocketAddress) -> None:
        """A packet from there was the peer's."""
        ...

    def on_writable(self, call: Callable[[], None] | None) -> None:
        """Call once when the socket is free again, or not at all."""
        ...

    def close(self) -> None: ...


class UdpPath:
    """Bound when made."""

    def __init__(self, local: str, port: int = 0) -> None:
        """On any ports where `port` is 0. Raises EngineError when the local address cannot be used."""
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp = bind_pair(local, port)
        self.port: int = self._rtp.getsockname()[1]
        self._remote: Address | None = None
        self._datagrams: Datagrams | None = None
        self._rtcp_address: SocketAddress | None = None
        self._secure = self._moved = False
        self._receive: Receive | None = None

    @property
    def outgoing(self) -> Datagrams:
        assert self._datagrams is not None
        return self._datagrams

    def aim(self, plan: StreamPlan) -> None:
        address = self._address(plan.remote)
        self._rtcp_address = self._address(plan.rtcp) if plan.rtcp else None
        self._secure = plan.rx_key is not None
        if self._datagrams is None or self._remote != plan.remote:
            self._datagrams, self._moved = Datagrams(self._rtp, address), False
        self._remote = plan.remote

    def send_rtcp(self, data: bytes) -> None:
        sock = self._rtp if self._rtcp_address is None else self._rtcp
        with suppress(OSError):
            sock.sendto(data, self._rtcp_address or self.outgoing.address)

    def read(self, receive: Receive | None) -> None:
        before, self._receive = self._receive, receive
        if (before is None) == (receive is None):
            return
        for sock in (self._rtp, self._rtcp):
            if receive is not None:
                self._loop.add_reader(sock, self._readable, sock)
            else:
                self._loop.remove_reader(sock)

    def authenticated(self, address: SocketAddress) -> None:
        known = self.outgoing.address
        if address == known:
            return
        if self._secure or (not self._moved and address[0] == known[0]):
            self.outgoing.address, self._moved = address, True

    def on_writable(self, call: Callable[[], None] | None) -> None:
        self._loop.remove_writer(self._rtp)
        if call is not None:
            self._loop.add_writer(self._rtp, self._writable, call)

    def close(self) -> None:
        self.read(None)
        self.on_writable(None)
        self._rtp.close()
        self._rtcp.close()

    def _address(self, remote: Address) -> SocketAddress:
        family, address = socket_address(remote.host, remote.port)
        if family != self._rtp.family:
            raise EngineError(f"{remote.host} is of another address family than this leg")
        return address

    def _writable(self, call: Callable[[], None]) -> None:
        self._loop.remove_writer(self._rtp)
        call()

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(MAX_BURST):
            try:
                data, address = sock.recvfrom(65535)
            except OSError:
                return
            self._take(sock, data, address)
            if self._receive is None:
                return

    def _take(self, sock: socket.socket, data: bytes, address: SocketAddress) -> None:
        """What came to one of the sockets."""
        if self._receive is not None:
            self._receive(data, address)


P = TypeVar("P", bound=Path)


def both(open_: Callable[[], P]) -> tuple[P, P]:
    """The way of sound and that of pictures, or neither. Raises EngineError."""
    sound = open_()
    try:
        return sound, open_()
    except EngineError:
        sound.close()
        raise
