"""UDP sockets of media: pairs of ports, and runs of datagrams sent in one call."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Protocol

from meshdoor.errors import EngineError

SOL_UDP = socket.IPPROTO_UDP
UDP_SEGMENT = 103  # linux/udp.h: the size of each datagram but the last of what one call sends (since 4.18)
BIND_TRIES = 64
SEND_BUFFER = 1 << 20  # bytes; the kernel counts a datagram as about twice its size

# What a kernel or a driver answers that cannot cut; also what is larger than the path takes.
_CANNOT_CUT = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP}
_SIZE = struct.Struct("=H")

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def socket_address(host: str, port: int) -> tuple[socket.AddressFamily, SocketAddress]:
    """Of a numeric host; names are not looked up. Raises EngineError."""
    try:
        if not 0 <= port <= 65535:
            raise OSError
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        raise EngineError(f"{host!r} port {port} is no address") from None
    family, *_, address = found[0]
    return family, address  # type: ignore[return-value]


def bind_pair(local: str, port: int = 0) -> tuple[socket.socket, socket.socket]:
    """Sockets on an even port and the one above it, for RTP and RTCP (RFC 3550 §11); on `port` unless it is 0."""
    if port:
        rtp = _bound(local, port)
        try:
            return rtp, _bound(local, port + 1)
        except EngineError:
            rtp.close()
            raise
    for _ in range(BIND_TRIES):
        rtp = _bound(local, 0)
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            try:
                return rtp, _bound(local, port + 1)
            except EngineError:
                pass
        rtp.close()
    raise EngineError(f"no two ports in a row are free on {local}")


def _bound(local: str, port: int) -> socket.socket:
    family, address = socket_address(local, port)
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise EngineError(f"cannot use {local}: {error.strerror}") from None
    return bound


class Outgoing(Protocol):
    """What a sink sends through."""

    def send(self, data: bytes | memoryview, size: int) -> int:
        """Sends `data` as datagrams of `size` bytes (the last may be shorter). How many bytes of it left: fewer than
        all, and a multiple of `size`, when the socket is full. Raises OSError."""
        ...


class Datagrams:
    """Sends through one socket, several datagrams in one call as long as the kernel takes that."""

    def __init__(self, sock: socket.socket, address: SocketAddress) -> None:
        self.address = address
        self.segmented = True
        self._socket = sock

    def send(self, data: bytes | memoryview, size: int) -> int:
        """See `Outgoing`."""
        if not self.segmented or len(data) <= size:
            return self._send_each(data, size)
        try:
            control = ((SOL_UDP, UDP_SEGMENT, _SIZE.pack(size)),)
            return self._socket.sendmsg((data,), control, 0, self.address)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _CANNOT_CUT:
                raise
            self.segmented = False
            return self._send_each(data, size)

    def _send_each(self, data: bytes | memoryview, size: int) -> int:
        for at in range(0, len(data), size):
            try:
                self._socket.sendto(data[at : at + size], self.address)
            except BlockingIOError:
                return at
        return len(data)
