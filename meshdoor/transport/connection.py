"""One TCP or TLS connection that carries SIP (RFC 3261 §18.3, RFC 5626 §3.5.1). No task, one timer."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Protocol

from meshdoor.errors import LinkError, SipError
from meshdoor.mesh.connection import reset
from meshdoor.mesh.pins import SecureStream
from meshdoor.sip.flow import Flow
from meshdoor.sip.framer import PONG, Broken, Framer, KeepAlive
from meshdoor.transport.addresses import from_kernel
from meshdoor.transport.base import Address

# Seconds.
HANDSHAKE_DEADLINE: Final = 5.0  # of TLS
MESSAGE_DEADLINE: Final = 10.0  # from a message's first byte to its last, and to a stranger's first message
IDLE: Final = 180.0  # RFC 5626 §4.4.1 pings every 95 to 120 s
LINGER: Final = 2.0  # for the other side to read the last answer

AT_ONCE: Final = 32  # messages taken in one turn of the loop
MAX_BACKLOG: Final = 2**18  # bytes that a peer may leave unread
USER_TIMEOUT: Final = 30000  # ms without an acknowledgement (TCP_USER_TIMEOUT, RFC 5482)


class Owner(Protocol):
    """The transport that a connection belongs to."""

    def made(self, connection: Connection) -> str:
        """It is connected: why it may not stay, or ""."""

    def allows(self, connection: Connection) -> bool:
        """Whether one more message may come from there now."""

    def received(self, connection: Connection, message: bytes) -> None:
        """A message."""

    def broken(self, connection: Connection, data: bytes, error: SipError) -> None:
        """The stream cannot be cut any further; the connection closes after this."""

    def in_use(self, connection: Connection) -> bool:
        """Whether it must be kept although it is silent."""

    def gone(self, connection: Connection, why: str) -> None:
        """It is of no use any more; said once. `why` is "" where nobody did anything wrong."""

    def closed(self, connection: Connection) -> None:
        """Its socket is closed; the last that is said of it."""


class Connection(asyncio.Protocol):
    """`number` names it in flows; `initiator` is who dials and therefore is not the one who must answer pings.

    `opened` becomes True when messages can be sent, False if that never comes about.
    """

    def __init__(self, owner: Owner, number: str, stream: SecureStream | None, initiator: bool) -> None:
        self.number = number
        self.initiator = initiator
        self.local: Address = ("", 0)
        self.remote: Address = ("", 0)
        self.flows: set[Flow] = set()
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._stream = stream
        self._framer = Framer(initiator)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = self._loop.time() + HANDSHAKE_DEADLINE
        self._begun: float | None = None  # when the message began that is not complete
        self._over = False

    @property
    def usable(self) -> bool:
        """Whether messages can be sent."""
        return not self._over and self.opened.done()

    @property
    def certificate(self) -> bytes:
        """That of the other side (DER), as far as it was verified; empty if there is none."""
        return (self._stream.certificate if self._stream is not None else None) or b""

    def send(self, message: bytes) -> bool:
        """Send a message; False if that cannot be. What fails later is told of the flows."""
        if not self.usable:
            return False
        self._write(message)
        return True

    def close(self) -> None:
        """End in order, and let the other side read what was sent."""
        if self._over:
            return
        self._end("")
        self._say_goodbye()
        if self._transport is not None and not self._transport.is_closing():
            # Closing with unread bytes would reset the connection under our last answer.
            self._transport.write_eof()
            self._timer = self._loop.call_later(LINGER, self._reset)

    def cut(self, why: str) -> None:
        """End now, for what the other side did or did not do."""
        self._end(why)
        self._reset()

    def drop(self) -> None:
        """End now, because we stop: what the kernel took is still delivered."""
        if not self._over:
            self._end("")
            self._say_goodbye()
        self._cancel_timer()
        if self._transport is not None and not self._transport.get_write_buffer_size():
            self._transport.close()
        else:
            self._reset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if name and own:
            self.remote, self.local = from_kernel(name), from_kernel(own)
        sock = transport.get_extra_info("socket")
        # asyncio does this only where the protocol of the socket was named when it was made.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        why = self._owner.made(self)
        if why:
            self.cut(why)
        elif self._stream is None:
            self._rise()
        elif self.initiator:
            self._stream.start()
            self._flush()
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return  # lingering
        try:
            plain = data if self._stream is None else self._decrypt(self._stream, data)
        except LinkError as error:
            self._flush()
            self.cut(str(error))
            return
        self._framer.receive(plain)
        self._drain()
        if self._stream is not None and self._stream.ended:
            self.close()

    def eof_received(self) -> None:
        """The socket closes by itself after this."""

    def connection_lost(self, error: Exception | None) -> None:
        self._end("")
        self._cancel_timer()
        self._transport = None
        self._owner.closed(self)

    def _decrypt(self, stream: SecureStream, data: bytes) -> bytes:
        plain = stream.receive(data)
        self._flush()
        if stream.established and not self.opened.done():
            self._rise()
        return plain

    def _rise(self) -> None:
        self._deadline = self._loop.time() + (IDLE if self.initiator else MESSAGE_DEADLINE)
        self.opened.set_result(True)

    def _drain(self) -> None:
        """Take what is complete; the rest of a flood in the next turn."""
        for _ in range(AT_ONCE):
            event = None if self._over else self._framer.next_event()
            if event is None:
                self._drained()
                return
            self._happened(event)
        if self._transport is not None:
            self._transport.pause_reading()
        self._loop.call_soon(self._drain)

    def _drained(self) -> None:
        if self._over or self._transport is None:
            return
        self._transport.resume_reading()
        if not self._framer.unfinished:
            self._begun = None
        elif self._begun is None:
            self._begun = self._loop.time()
        self._set_timer()

    def _happened(self, event: bytes | KeepAlive | Broken) -> None:
        self._begun = None
        self._deadline = self._loop.time() + IDLE
        if not self._owner.allows(self):
            self.cut("too many messages")
        elif isinstance(event, bytes):
            self._owner.received(self, event)
        elif event is KeepAlive.PING:
            self._write(PONG)
        elif isinstance(event, Broken):
            self._owner.broken(self, event.data, event.error)
            self.close()

    def _write(self, data: bytes) -> None:
        if self._stream is None:
            self._to_kernel(data)
        else:
            self._stream.write(data)
            self._flush()

    def _flush(self) -> None:
        if self._stream is not None:
            self._to_kernel(self._stream.data_to_send())

    def _to_kernel(self, data: bytes) -> None:
        if self._transport is None or not data:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_BACKLOG:
            self.cut("it does not read what it is sent")

    def _say_goodbye(self) -> None:
        if self._stream is not None and self._stream.established:
            self._stream.close()
            self._flush()

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = True
        self._cancel_timer()
        if not self.opened.done():
            self.opened.set_result(False)
        self._owner.gone(self, why)

    def _reset(self) -> None:
        self._cancel_timer()
        if self._transport is not None:
            reset(self._transport)

    def _next_deadline(self) -> float:
        return self._deadline if self._begun is None else min(self._deadline, self._begun + MESSAGE_DEADLINE)

    def _set_timer(self) -> None:
        deadline = self._next_deadline()
        if self._over or (self._timer is not None and self._timer.when() <= deadline):
            return
        self._cancel_timer()
        self._timer = self._loop.call_at(deadline, self._handle_timer)

    def _handle_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now < self._next_deadline():
            self._set_timer()
        elif self._begun is not None:
            self.cut("a message that does not end")
        elif not self.opened.done():
            self.cut("no TLS handshake")
        elif self._owner.in_use(self):
            self._deadline = now + IDLE
            self._set_timer()
        else:
            self.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
