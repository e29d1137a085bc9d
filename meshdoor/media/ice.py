"""The way to a browser: candidates, checks, consent (RFC 8445, RFC 7675), by aioice. Loaded by `webrtc` alone."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict, cast

import aioice
from aioice.ice import CandidatePair

from meshdoor.config import IceServer
from meshdoor.media.datagrams import SEND_BUFFER

log = logging.getLogger(__name__)

GATHER_TIMEOUT = 0.3  # s for STUN and TURN servers: who is at home needs none; ours
MAX_WAITING = 64  # datagrams of DTLS that nobody has read; ours
COMPONENT = 1  # RTP, and with it RTCP (RFC 8445 §13)
PORT, TLS_PORT = 3478, 5349  # of STUN and TURN, RFC 8489 §18.6

_SERVER = re.compile(r"(stun|turn|turns):([^:?]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?")


class Servers(TypedDict, total=False):
    stun_server: tuple[str, int]
    turn_server: tuple[str, int]
    turn_username: str
    turn_password: str
    turn_ssl: bool
    turn_transport: str


class Connection(aioice.Connection):
    """At the addresses of this host that are named, whatever others it has."""

    def __init__(self, addresses: Sequence[str], servers: Sequence[IceServer]) -> None:
        super().__init__(ice_controlling=True, **servers_of(servers))
        self.media: Callable[[bytes], None] = lambda data: None
        self.found = asyncio.Event()
        self._addresses = usable(addresses)

    @property
    def beyond_this_host(self) -> bool:
        """Whether others than this host can come here."""
        return not all(ipaddress.ip_address(each).is_loopback for each in self._addresses)

    @property
    def pair(self) -> CandidatePair | None:
        """What packets are sent over."""
        return self._nominated.get(COMPONENT)

    async def gather_candidates(self) -> None:
        self._local_candidates_start = True
        patience = cast(int, GATHER_TIMEOUT)  # asyncio takes fractions, whatever aioice says
        self._local_candidates += await self.get_component_candidates(COMPONENT, self._addresses, patience)
        self._local_candidates_end = True

    def check_complete(self, pair: CandidatePair) -> None:
        super().check_complete(pair)
        if self._nominated:
            self.found.set()

    def data_received(self, data: bytes, component: int) -> None:
        """Media need not wait in the queue of DTLS (RFC 7983 §7), and strangers cannot fill that."""
        first = data[0] if data else 0
        if 128 <= first < 192:
            self.media(data)
        elif 20 <= first < 64 and self._queue.qsize() < MAX_WAITING:
            super().data_received(data, component)


class Relay:
    """Through a TURN server: each packet by itself, wrapped by aioice."""

    def __init__(self, pair: CandidatePair) -> None:
        self._transport = pair.protocol.transport
        self._address = pair.remote_addr

    def send(self, data: bytes | memoryview, size: int) -> int:
        for at in range(0, len(data), size):
            self._transport.sendto(bytes(data[at : at + size]), self._address)
        return len(data)


def duplicate(pair: CandidatePair) -> socket.socket:
    """The socket of a pair, on which asyncio would not let us send many packets in one call."""
    theirs = pair.protocol.transport.get_extra_info("socket")
    ours = socket.socket(fileno=os.dup(theirs.fileno()))
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return ours


def usable(addresses: Iterable[str]) -> list[str]:
    """Not those that need a scope, which candidates cannot tell; that of this host alone only where it has no other."""
    every = [each for each in dict.fromkeys(addresses) if "%" not in each]
    others = [each for each in every if not ipaddress.ip_address(each).is_loopback]
    return others or every


def servers_of(servers: Iterable[IceServer]) -> Servers:
    """The first STUN and the first TURN server that can be used; aioice takes one of each."""
    found: Servers = {}
    for server in servers:
        match = _SERVER.fullmatch(server.url)
        if match is None:
            log.warning("not a STUN or TURN server: %s", server.url)
            continue
        kind, host, port, transport = match.groups()
        address = (host.strip("[]"), int(port or (TLS_PORT if kind == "turns" else PORT)))
        if kind == "stun":
            found.setdefault("stun_server", address)
        elif "turn_server" not in found:
            found["turn_server"], found["turn_ssl"] = address, kind == "turns"
            found["turn_username"], found["turn_password"] = server.username, server.credential
            found["turn_transport"] = transport or ("tcp" if kind == "turns" else "udp")
    return found
