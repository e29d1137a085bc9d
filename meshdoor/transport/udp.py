"""SIP over UDP (RFC 3261 §18, RFC 3581).

What a stranger gets back is bounded twice. The stack answers what it refuses in no more bytes than the
request had, or not at all (`sip.inbound.fit`). And whatever the stack wants, here every response is paid
from the account of its host (`Credit`), into which only bytes that came from that host go: a response that
is not covered is dropped, be it the tenth repetition of a 200. So over any time, to any host, the bytes of
responses are at most the bytes of datagrams that bore its address. A client whose short REGISTER is not as
large as the challenge gets it half a second later: it repeats its request, which pays for the rest (RFC 3261
§17.1.2.2). Free of this are requests, which are our own doing, and responses to a host that is no forged
address (`Sink.proven`): it is in an answered session with us, so tags sent to it came back, or a person said
who is there, or a secret.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Sequence
from typing import Final

from meshdoor.errors import ConfigError
from meshdoor.ratelimit import KeyedRateLimit, RateLimit
from meshdoor.sip.flow import Flow
from meshdoor.transport.addresses import UNSPECIFIED, family_of, from_kernel, to_kernel, towards
from meshdoor.transport.base import Address, Sink
from meshdoor.transport.credit import Credit

AT_ONCE: Final = 32  # datagrams taken in one turn of the loop
PER_HOST: Final = (100.0, 500.0)  # messages a second and at once, of hosts that are not proven
FROM_ALL: Final = (1000.0, 4000.0)
LARGEST: Final = 65535

IP_PKTINFO: Final = 8  # Linux ip(7); `socket` names it from Python 3.14 on
_INFO4: Final = struct.Struct("=i4s4s")  # in_pktinfo: interface, local address, destination
_INFO6: Final = struct.Struct("=16si")  # in6_pktinfo
_ANCILLARY: Final = socket.CMSG_SPACE(_INFO6.size)


class UdpTransport:
    """One socket for each address family. It answers from the address that was asked, and drops multicast."""

    names = frozenset({"UDP"})

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {sock.family: sock for sock in sockets}
        self._sink: Sink | None = None
        self._credit = Credit()
        self._per_host = KeyedRateLimit(*PER_HOST)
        self._from_all = RateLimit(*FROM_ALL)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(next(iter(self._sockets.values())).getsockname()[1])

    def open(self, sink: Sink) -> None:
        self._sink = sink
        for sock in self._sockets.values():
            _ask_for_destination(sock)
            asyncio.get_running_loop().add_reader(sock, self._readable, sock)

    async def aclose(self) -> None:
        for sock in self._sockets.values():
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def flow(self, remote: Address) -> Flow:
        """A flow to a numeric address. OSError if there is no way."""
        return Flow("UDP", (towards(remote), self.port), remote)

    def send(self, flow: Flow, data: bytes) -> bool:
        sock = self._sockets.get(family_of(flow.remote[0]))
        if sock is None:
            return False
        if data.startswith(b"SIP/") and not self._covered(flow, len(data)):
            return True  # for the stack it is lost, as datagrams are
        try:
            _send(sock, flow, data)
        except (BlockingIOError, InterruptedError):
            return True  # the same
        except OSError:
            return False
        return True

    def _covered(self, flow: Flow, size: int) -> bool:
        host = flow.remote[0]
        assert self._sink is not None
        if self._credit.spend(host, size) or self._sink.proven(flow):
            return True
        self._sink.refused(host, "it would get more than it sent")
        return False

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                data, ancillary, _, source = sock.recvmsg(LARGEST, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error of something sent earlier
            self._received(sock, data, ancillary, from_kernel(source))
            if sock.fileno() < 0:
                return  # closed by what the message led to

    def _received(
        self, sock: socket.socket, data: bytes, ancillary: list[tuple[int, int, bytes]], source: Address
    ) -> None:
        assert self._sink is not None
        local = _destination(ancillary)
        if local is None or not data.strip(b"\r\n\0"):
            return  # to a group, or one of the empty keep-alives of old phones
        flow, now = Flow("UDP", (local, sock.getsockname()[1]), source), asyncio.get_running_loop().time()
        seldom = self._per_host.allow(source[0], now) or self._sink.proven(flow)
        if not (seldom and self._from_all.allow(now)):
            self._sink.refused(source[0], "too many messages")
            return
        self._credit.earn(source[0], len(data))
        self._sink.received(data, flow)


def bind(port: int, hosts: Sequence[str] = ("::", "")) -> list[socket.socket]:
    """UDP sockets, all on one port; 0 picks one. ConfigError when it is taken.

    The hosts are numeric; "::" is all of IPv6 and "" all of IPv4. One of an address family that this
    kernel does not have is left out.
    """
    sockets: list[socket.socket] = []
    for host in hosts:
        try:
            sockets.append(_bind(host, sockets[0].getsockname()[1] if sockets else port))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue
            for sock in sockets:
                sock.close()
            raise ConfigError(f"cannot use UDP port {port}: {error.strerror}", "choose another [sip] port") from None
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(family_of(host), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if sock.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _ask_for_destination(sock: socket.socket) -> None:
    if sock.family is socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def _destination(ancillary: list[tuple[int, int, bytes]]) -> str | None:
    """The address of ours that a datagram came to; None if it came to a group or to everybody."""
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            _, local, destination = _INFO4.unpack(value)
            return socket.inet_ntop(socket.AF_INET, local) if local == destination else None
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return _scoped(*_INFO6.unpack(value))
    return None


def _scoped(address: bytes, interface: int) -> str | None:
    if address[0] == 0xFF:
        return None
    return from_kernel((socket.inet_ntop(socket.AF_INET6, address), 0, 0, interface if address[0] == 0xFE else 0))[0]


def _send(sock: socket.socket, flow: Flow, data: bytes) -> None:
    """From the flow's own local address where that is still ours, else from whichever the kernel picks."""
    target = to_kernel(flow.remote)
    if flow.local[0] not in UNSPECIFIED:
        try:
            sock.sendmsg([data], [_source(sock, flow.local[0])], 0, target)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError:
            pass
        else:
            return
    sock.sendto(data, target)


def _source(sock: socket.socket, local: str) -> tuple[int, int, bytes]:
    bare, _, scope = local.partition("%")
    packed = socket.inet_pton(sock.family, bare)
    if sock.family is socket.AF_INET6:
        interface = socket.if_nametoindex(scope) if scope else 0
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _INFO6.pack(packed, interface)
    return socket.IPPROTO_IP, IP_PKTINFO, _INFO4.pack(0, packed, bytes(4))
