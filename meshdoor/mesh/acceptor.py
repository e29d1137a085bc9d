"""Listening sockets, and the connections that come in at them."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

from meshdoor.errors import ConfigError
from meshdoor.mesh.presence import Presence

BACKLOG = 64
AT_ONCE = 16  # connections taken in one turn of the loop
PAUSE = 1.0  # seconds to wait when the system is out of sockets or memory

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Entrance:
    """Hands over each connection to some sockets, which are its own from `open` on, and the address it comes from.

    asyncio's own server loses a connection that it takes in the moment it is closed (3.11: an assertion fails).
    """

    def __init__(self, take_in: Callable[[socket.socket, str], None]) -> None:
        self._take_in = take_in
        self._sockets: list[socket.socket] = []
        self._pauses: set[asyncio.TimerHandle] = set()

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Start to accept."""
        for sock in sockets:
            sock.setblocking(False)
            self._sockets.append(sock)
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def close(self) -> None:
        """Stop; what was handed over is not its own any more."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()
        for pause in self._pauses:
            pause.cancel()

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, source = sock.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(sock)
                return
            connection.setblocking(False)
            self._take_in(connection, source[0])

    def _pause(self, sock: socket.socket) -> None:
        """The connection stays in the backlog, so the socket stays readable: do not spin."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        self._pauses.add(loop.call_later(PAUSE, loop.add_reader, sock, self._accept, sock))


class Acceptor(Entrance):
    """Makes a protocol for each connection. What is being taken in when it is closed goes on, and is in `present`."""

    def __init__(self, present: Presence, make: Callable[[], asyncio.Protocol]) -> None:
        super().__init__(self._begin)
        self._present = present
        self._make = make

    def _begin(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._make, connection))
        self._present.enter(task)
        task.add_done_callback(self._present.leave)


def listen(port: int, hosts: Sequence[str] = ("::", "")) -> list[socket.socket]:
    """Listening sockets, all on one port; 0 picks one. Raises ConfigError when it is taken.

    The hosts are numeric; "::" is all of IPv6 and "" all of IPv4. One of an address family that this
    kernel does not have is left out.
    """
    sockets: list[socket.socket] = []
    for host in hosts:
        try:
            sockets.append(_listen(host, sockets[0].getsockname()[1] if sockets else port))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue
            for sock in sockets:
                sock.close()
            raise ConfigError(
                f"cannot listen on port {port}: {error.strerror}", "another node may be running; or choose --port"
            ) from None
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
