"""One TCP connection that is, or becomes, a link: TLS, then the protocol of links. No task, one timer."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol

from meshdoor.errors import LinkError
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.frames import Hello
from meshdoor.mesh.pins import Pins, SecureStream
from meshdoor.mesh.wire import Event, HelloReceived, LinkConnection, Lost, Phase

HANDSHAKE_DEADLINE = 5.0  # seconds from the connection to the HELLO that makes it a link
MAX_BUFFER = 4 * 2**20  # bytes that a stalled peer may leave in our memory
USER_TIMEOUT = 12000  # ms without an acknowledgement (TCP_USER_TIMEOUT, RFC 5482)
TCP_THIN_LINEAR_TIMEOUTS = 16  # linux/tcp.h: no exponential back-off while little is under way

TCP_RTO_MIN_US, RTO_MIN = 45, 60_000  # linux/tcp.h, since 6.15; microseconds, in place of 200 ms
TCP_DELACK_MAX_US, DELACK_MAX = 46, 10_000  # in place of 40 ms and more

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: drop what the kernel has not sent


class Owner(Protocol):
    """Who decides about connections and hears what comes over links."""

    def jitter(self) -> float:
        """By how much a keep-alive comes early, 0 to 1 (see LinkConnection)."""

    def proven(self, link: Link) -> None:
        """The node that we dialed has shown its key: greet it or abort."""

    def heard(self, link: Link, hello: Hello) -> None:
        """A member that dialed us has greeted: greet it, abort, or leave it waiting."""

    def up(self, link: Link) -> None:
        """Both have greeted."""

    def happened(self, link: Link, event: Event) -> None:
        """Something came over a link that is up."""

    def refused(self, address: Address, why: str) -> None:
        """The other side broke a rule before the link was up."""

    def gone(self, link: Link, reason: str) -> None:
        """It is over; said exactly once."""

    def closed(self, link: Link) -> None:
        """Its socket is closed; the last that is said of it."""


class Link(asyncio.Protocol):
    """A connection to `address`, which must show the key `expected` or, if that is None, any member's."""

    def __init__(
        self, owner: Owner, pins: Pins, stream: SecureStream, address: Address, expected: bytes | None = None
    ) -> None:
        self.address = address
        self.dialed = expected is not None
        self.key = b""
        self.hello: Hello | None = None
        self.since = 0.0
        self.connection = LinkConnection(self.dialed, owner.jitter)
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._pins = pins
        self._stream = stream
        self._expected = expected
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._over = False

    @property
    def is_up(self) -> bool:
        return self.connection.phase is Phase.UP and not self._over

    @property
    def is_pinned(self) -> bool:
        """Is the peer's certificate still one of the home? True while it has not shown any."""
        return not self.key or self._pins.member(self._stream.certificate) == self.key

    def greet(self, hello: Hello) -> None:
        """Agree to this connection as far as it is on us."""
        self.connection.greet(hello, self._loop.time())
        if self.is_up:
            self._rise()
        self.flush()

    def flush(self) -> None:
        """Send what the protocol has to send, and set the timer."""
        while not self._over and (data := self.connection.data_to_send(bulk=not self._paused)):
            self._stream.write(data)
            self._send()
        self._set_timer()

    def close(self, reason: str) -> None:
        """End in order: the peer is told."""
        if not self._over:
            self._stream.close()
            self._send()
            self._finish(reason)

    def abort(self, reason: str) -> None:
        """End now: nothing that is still under way arrives."""
        self._end(reason)
        if self._transport is not None:
            reset(self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _hasten(transport.get_extra_info("socket"))
        self._timer = self._loop.call_later(HANDSHAKE_DEADLINE, self._too_slow)
        if self._over:
            reset(transport)
        elif self.dialed:
            self._stream.start()
            self._send()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._receive(data)
        except LinkError as error:
            self._fail(str(error))
        if self._stream.ended:
            self.close("closed by the other side")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._end("closed by the other side" if error is None else str(error))
        self._transport = None
        self._owner.closed(self)

    def _receive(self, data: bytes) -> None:
        plain = self._stream.receive(data)
        if self._stream.established and not self.key:
            self._prove()
        self._send()
        if not self._over:
            self.connection.receive(plain, self._loop.time())
        while not self._over and (event := self.connection.next_event()) is not None:
            self._happened(event)
        self.flush()

    def _prove(self) -> None:
        """After the handshake: whose certificate is it? The chain alone does not say."""
        key = self._pins.member(self._stream.certificate)
        if key is None:
            raise LinkError("its certificate is not one of this home")
        if key == self._pins.key:
            raise LinkError("it has the very key of this node")
        if self._expected not in (None, key):
            raise LinkError("another member answers there")
        self.key = key
        if self.dialed:
            self._owner.proven(self)

    def _happened(self, event: Event) -> None:
        match event:
            case HelloReceived(hello):
                self.hello = hello
                if self.dialed:
                    self._rise()
                else:
                    self._owner.heard(self, hello)
            case Lost(silent):
                self.abort(f"silent for {silent:.1f} s")
            case _:
                self._owner.happened(self, event)

    def _rise(self) -> None:
        assert self.hello is not None
        if not self.dialed:
            self.address = Address(self.address.host, self.hello.port or self.address.port)
        self.since = self._loop.time()
        self._cancel_timer()
        self._settle()
        self._owner.up(self)

    def _send(self) -> None:
        """Hand encrypted bytes to the kernel, or drop a peer that does not take them."""
        data = self._stream.data_to_send()
        if self._transport is None or not data:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_BUFFER:
            self.abort("it does not read what it is sent")

    def _fail(self, why: str) -> None:
        if not self.is_up:
            self._owner.refused(self.address, why)
        self._send()
        self._finish(why)

    def _finish(self, reason: str) -> None:
        """Close; but do not stay for a peer that takes nothing."""
        self._end(reason)
        if self._transport is None or self._transport.get_write_buffer_size():
            self.abort(reason)
        else:
            self._transport.close()

    def _end(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._cancel_timer()
        self._settle()
        self._owner.gone(self, reason)

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    def _too_slow(self) -> None:
        if not self.is_up:
            self._owner.refused(self.address, f"no link within {HANDSHAKE_DEADLINE:.0f} s")
            self.abort("too slow")

    def _set_timer(self) -> None:
        """Keep a timer that fires at the deadline or before it: a deadline that moves out needs no new one."""
        deadline = None if self._over else self.connection.next_deadline()
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        self._cancel_timer()
        self._timer = self._loop.call_at(deadline, self._handle_timer)

    def _handle_timer(self) -> None:
        self._timer = None
        self.connection.handle_timer(self._loop.time())
        while (event := self.connection.next_event()) is not None:
            self._happened(event)
        self.flush()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _hasten(sock: socket.socket) -> None:
    """What rings now is worthless later. Messages are short: none waits for another, nor twice as long for being lost
    twice. asyncio sets TCP_NODELAY only where the protocol of the socket was named when it was made."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1)
    with suppress(OSError):  # an older kernel
        sock.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MIN_US, RTO_MIN)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_DELACK_MAX_US, DELACK_MAX)


def reset(transport: asyncio.Transport) -> None:
    """Close without a word: no bytes that wait in the kernel are sent any more."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
