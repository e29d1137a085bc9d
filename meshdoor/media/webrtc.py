"""The way to a browser: ICE (RFC 8445) finds it, DTLS (RFC 5764) gives the keys. The only importer of aiortc.

Only these two are aiortc's. What flows is ours: the same packets as for every other peer, encrypted under the keys of
this one and sent by `datagrams`, since aiortc's senders cost ten times as much and its receivers stall on a loss.
Loading it takes a second on a Pi, so it is done beforehand, in a thread (`rehearsal`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from aioice import Candidate
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
from meshdoor.media.datagrams import Datagrams, Outgoing
from meshdoor.media.ice import Connection, Relay, duplicate
from meshdoor.media.plans import IceDescription, IceRemote
from meshdoor.media.suites import CM, GCM, suites
from meshdoor.rtp.srtp_keys import SUITES, MasterKey

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0  # s: a phone that rings looks for its way while it rings; ours
EXPORTER = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
HASH = "sha-256"

_PROFILES = {GCM: SRTP_AEAD_AES_128_GCM, CM: SRTP_AES128_CM_SHA1_80}

Keys = tuple[MasterKey, MasterKey]  # for what is sent, for what is received



class Transport:
    """One browser's. `open`, then `connect` with what the browser says; `aclose` ends it.

    `received` gets SRTP and SRTCP as they come. `lost` is told once when the way is lost after it was found."""

    def __init__(self, connection: Connection, certificate: RTCCertificate) -> None:
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
        connection = Connection(addresses, tuple(servers))
        try:
            await connection.gather_candidates()
            if not connection.local_candidates:
                raise EngineError(f"cannot use {', '.join(addresses)}")
        except BaseException:
            await connection.close()
            raise
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
            self._outgoing = Relay(pair)
        else:
            self._socket = duplicate(pair)
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


def rehearse() -> None:
    """Two ends in this host find each other: what the first browser would otherwise wait for. Not in a loop."""
    try:
        asyncio.run(_rehearsal())
    except EngineError as error:
        log.warning("the rehearsal of WebRTC failed: %s", error)


async def _rehearsal() -> None:
    ends = [await Transport.open(["127.0.0.1"]) for _ in range(2)]
    try:
        said = [end.description for end in ends]
        told = [IceRemote(each.ufrag, each.password, each.fingerprint, each.candidates, False, False) for each in said]
        one, other = replace(told[1], controlling=True), replace(told[0], client=True)
        await asyncio.gather(ends[0].connect(one), ends[1].connect(other))
    finally:
        for end in ends:
            await end.aclose()


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


async def _quiet(work: Coroutine[Any, Any, None]) -> None:
    """What fails shows in what was not found."""
    with suppress(ConnectionError, OSError, ValueError):
        await work
