"""The way to a browser: ICE (RFC 8445) finds it, DTLS (RFC 5764) gives the keys. The only importer of aiortc.

Only these two are aiortc's. What flows is ours: the same packets as for every other peer, encrypted under the keys of
this one and sent by `datagrams`, since aiortc's senders cost ten times as much and its receivers stall on a loss.
Loading it takes a second on a Pi, so it is done beforehand, in a thread (`rehearsal`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import re
import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypedDict, cast

from aioice import Candidate, Connection
from aioice.ice import CandidatePair
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    State,
)

from meshdoor.config import IceServer
from meshdoor.errors import EngineError
from meshdoor.media.datagrams import SEND_BUFFER, Datagrams, Outgoing
from meshdoor.media.messages import IceDescription, IceRemote
from meshdoor.media.suites import CM, GCM, suites
from meshdoor.rtp.srtp_keys import SUITES, MasterKey

log = logging.getLogger(__name__)

# All ours, in seconds.
CONNECT_TIMEOUT = 20.0  # a phone that rings looks for its way while it rings
GATHER_TIMEOUT = 0.3  # for STUN and TURN servers: who is at home needs none
EXPORTER = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
COMPONENT = 1  # RTP, and with it RTCP (RFC 8445 §13)
HASH = "sha-256"
PORT, TLS_PORT = 3478, 5349  # of STUN and TURN, RFC 8489 §18.6

_PROFILES = {GCM: SRTP_AEAD_AES_128_GCM, CM: SRTP_AES128_CM_SHA1_80}
_SERVER = re.compile(r"(stun|turn|turns):([^:?]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?")

Keys = tuple[MasterKey, MasterKey]  # for what is sent, for what is received


def rehearse() -> None:
    """Does once what the first browser would otherwise wait for."""
    RTCCertificate.generateCertificate()._create_ssl_context([_PROFILES[name] for name in suites()])


class Transport:
    """One browser's. `open`, then `connect` with what the browser says; `aclose` ends it.

    `received` gets SRTP and SRTCP as they come. `lost` is told once when the way is lost after it was found."""

    def __init__(self, connection: _Connection, certificate: RTCCertificate) -> None:
        self.received: Callable[[bytes], None] = lambda data: None
        self.lost: Callable[[str], None] = lambda reason: None
        self._connection = connection
        self._certificate = certificate
        self._dtls = _Dtls(cast(RTCIceTransport, _Ice(connection)), [certificate])
        self._pair: CandidatePair | None = None
        self._socket: socket.socket | None = None
        self._outgoing: Outgoing | None = None
        self._writer: Callable[[], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        connection.media = self._receive

    @classmethod
    async def open(cls, addresses: Sequence[str], servers: Iterable[IceServer] = ()) -> Transport:
        """To be found at these addresses of this host. Raises EngineError when it can be found nowhere."""
        connection = _Connection(addresses, tuple(servers))
        await connection.gather_candidates()
        if not connection.local_candidates:
            await connection.close()
            raise EngineError(f"cannot use {', '.join(addresses)}")
        return cls(connection, RTCCertificate.generateCertificate())

    @property
    def port(self) -> int:
        """Of the first candidate."""
        return self._connection.local_candidates[0].port if self._connection.local_candidates else 0

    @property
    def description(self) -> IceDescription:
        connection = self._connection
        (fingerprint,) = (each for each in self._certificate.getFingerprints() if each.algorithm == HASH)
        return IceDescription(
            connection.local_username,
            connection.local_password,
            f"{fingerprint.algorithm} {fingerprint.value}",
            tuple(candidate.to_sdp() for candidate in connection.local_candidates),
        )

    async def connect(self, remote: IceRemote) -> Keys:
        """Find a way and agree on keys. Raises EngineError."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._find(remote)
                return await self._agree(remote)
        except (ConnectionError, TimeoutError):
            raise EngineError("there is no way to this phone") from None

    def send(self, data: bytes | memoryview, size: int) -> int:
        """See `datagrams.Outgoing`."""
        pair = self._connection.pair
        if pair is not self._pair:
            self._choose(pair)
        return len(data) if self._outgoing is None else self._outgoing.send(data, size)

    def on_writable(self, call: Callable[[], None] | None) -> None:
        """Call once when the socket is free again, or not at all."""
        self._writer = call
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_writer(self._socket)
            if call is not None:
                loop.add_writer(self._socket, self._writable)

    async def aclose(self) -> None:
        self._closed = True
        self._choose(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dtls.stop()
        await self._connection.close()

    async def _find(self, remote: IceRemote) -> None:
        """The first way that is found will do. Checks of the browser itself show where it is: names that hide its
        addresses are looked up beside."""
        connection = self._connection
        connection.ice_controlling = remote.controlling
        connection.remote_username, connection.remote_password = remote.ufrag, remote.password
        connection.remote_is_lite = remote.lite
        for line in remote.candidates:
            candidate = Candidate.from_sdp(line)
            if not candidate.host.endswith(".local"):
                await connection.add_remote_candidate(candidate)
            elif connection.beyond_this_host:
                self._spawn(connection.add_remote_candidate(candidate))
        found = asyncio.ensure_future(connection.found.wait())
        search = self._spawn(connection.connect())
        try:
            await asyncio.wait({found, search}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            found.cancel()
        if connection.pair is None:
            raise ConnectionError

    async def _agree(self, remote: IceRemote) -> Keys:
        algorithm, _, value = remote.fingerprint.partition(" ")
        self._dtls._set_role("client" if remote.client else "server")
        await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))
        if self._dtls.keys is None or self._dtls.state != "connected":
            raise EngineError("this phone does not have the certificate that it named, or no cipher of ours")
        self._dtls.on("statechange", self._changed)
        return self._dtls.keys

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_quiet(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _choose(self, pair: CandidatePair | None) -> None:
        """Send over this pair from now on: ICE may have found a better one."""
        self._pair, writer = pair, self._writer
        if self._socket is not None:
            self.on_writable(None)
            self._socket.close()
            self._socket = self._outgoing = None
        if pair is None:
            return
        if pair.local_candidate.type == "relay":
            self._outgoing = _Relay(pair)
        else:
            self._socket = _duplicate(pair)
            self._outgoing = Datagrams(self._socket, pair.remote_addr)
        self.on_writable(writer)

    def _writable(self) -> None:
        call = self._writer
        self.on_writable(None)
        if call is not None:
            call()

    def _receive(self, data: bytes) -> None:
        if self._dtls.keys is not None:
            self.received(data)

    def _changed(self) -> None:
        if not self._closed and self._dtls.state in {"closed", "failed"}:
            self._closed = True
            self.lost("the phone is gone")


class _Servers(TypedDict, total=False):
    stun_server: tuple[str, int]
    turn_server: tuple[str, int]
    turn_username: str
    turn_password: str
    turn_ssl: bool
    turn_transport: str


class _Connection(Connection):
    """At the addresses of this host that are named, whatever others it has."""

    def __init__(self, addresses: Sequence[str], servers: Sequence[IceServer]) -> None:
        super().__init__(ice_controlling=True, **_of(servers))
        self.media: Callable[[bytes], None] = lambda data: None
        self.found = asyncio.Event()
        self._addresses = _usable(addresses)

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
        """Media need not wait in the queue of DTLS (RFC 7983 §7)."""
        if data and 128 <= data[0] < 192:
            self.media(data)
        else:
            super().data_received(data, component)


class _Ice:
    """What the DTLS of aiortc asks of its ICE."""

    role = "controlling"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _recv(self) -> bytes:
        return await self._connection.recv()

    async def _send(self, data: bytes) -> None:
        await self._connection.send(data)


class _Dtls(RTCDtlsTransport):
    """Stops where the keys are known: sessions of libsrtp are not made."""

    def __init__(self, transport: RTCIceTransport, certificates: list[RTCCertificate]) -> None:
        super().__init__(transport, certificates)
        self.keys: Keys | None = None
        self._srtp_profiles = [_PROFILES[name] for name in suites()]

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        chosen = self._ssl.get_selected_srtp_profile()
        suite = next((SUITES[name] for name, known in _PROFILES.items() if known.openssl_profile == chosen), None)
        if suite is None:
            self._set_state(State.FAILED)
            return
        material = self._ssl.export_keying_material(EXPORTER, suite.material_length)
        client, server = MasterKey.pair(suite, material)
        self.keys = (client, server) if self._role == "client" else (server, client)


class _Relay:
    """Through a TURN server: each packet by itself, wrapped by aioice."""

    def __init__(self, pair: CandidatePair) -> None:
        self._transport = pair.protocol.transport
        self._address = pair.remote_addr

    def send(self, data: bytes | memoryview, size: int) -> int:
        for at in range(0, len(data), size):
            self._transport.sendto(bytes(data[at : at + size]), self._address)
        return len(data)


def _duplicate(pair: CandidatePair) -> socket.socket:
    """The socket of a pair, on which asyncio would not let us send many packets in one call."""
    theirs = pair.protocol.transport.get_extra_info("socket")
    ours = socket.socket(fileno=os.dup(theirs.fileno()))
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return ours


def _usable(addresses: Iterable[str]) -> list[str]:
    """Not those that need a scope, which candidates cannot tell; that of this host alone only where it has no other."""
    every = [each for each in dict.fromkeys(addresses) if "%" not in each]
    others = [each for each in every if not ipaddress.ip_address(each).is_loopback]
    return others or every


def _of(servers: Iterable[IceServer]) -> _Servers:
    """The first STUN and the first TURN server that can be used; aioice takes one of each."""
    found: _Servers = {}
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


async def _quiet(work: Coroutine[Any, Any, None]) -> None:
    """What fails shows in what was not found."""
    with suppress(ConnectionError, OSError, ValueError):
        await work
