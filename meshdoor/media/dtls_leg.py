"""A leg to a SIP client that makes its keys by DTLS, without ICE: an association for each medium, on its own sockets.

Where RTCP has a port of its own, it has an association of its own as well (RFC 5764 §4.1).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from meshdoor.errors import EngineError
from meshdoor.media.channel import Channel
from meshdoor.media.datagrams import SocketAddress
from meshdoor.media.dtls import FIRST_BYTES, Association, Certificate, Keys
from meshdoor.media.leg import Emit, Leg, Studio
from meshdoor.media.messages import StartLeg
from meshdoor.media.path import Receive, UdpPath
from meshdoor.media.plans import Gates, StreamPlan
from meshdoor.media.reports import LegFailed, LegOpened, LegStatistics


class DtlsPath(UdpPath):
    """A `UdpPath` whose first packets make keys. `keyed` is told when there are some, `failed` why there are none."""

    def __init__(self, local: str, port: int, certificate: Certificate) -> None:
        super().__init__(local, port)
        self.keys: Keys | None = None
        self.rtcp_keys: Keys | None = None
        self.keyed: Callable[[], None] = _nobody
        self.failed: Callable[[str], None] = lambda reason: None
        self._certificate = certificate
        self._associations: dict[socket.socket, tuple[Association, SocketAddress]] = {}
        self._media: Receive | None = None

    def agree(self, plan: StreamPlan) -> None:
        """Make keys with the peer of this plan, once. Raises EngineError when it cannot be reached from here."""
        if self._associations or plan.dtls is None:
            return
        self.aim(plan)
        self._begin(self._rtp, self.outgoing.address, plan)
        if self._rtcp_address is not None:
            self._begin(self._rtcp, self._rtcp_address, plan)
        super().read(self._not_told)
        self._flush()

    def read(self, receive: Receive | None) -> None:
        """The sockets are read from the first handshake to the end, whoever listens."""
        self._media = receive

    def tick(self) -> None:
        """Send again what was lost."""
        for association, _ in self._associations.values():
            association.tick()
        self._flush()

    def close(self) -> None:
        for association, _ in self._associations.values():
            association.close()
        self._flush()
        super().read(None)
        super().close()

    def _begin(self, sock: socket.socket, address: SocketAddress, plan: StreamPlan) -> None:
        assert plan.dtls is not None
        self._associations[sock] = Association(self._certificate, plan.dtls.fingerprint, plan.dtls.client), address

    def _take(self, sock: socket.socket, data: bytes, address: SocketAddress) -> None:
        if not data or data[0] not in FIRST_BYTES:
            if self._media is not None:
                self._media(data, address)
            return
        association, peer = self._associations[sock]
        if address[0] != peer[0]:
            return
        had = association.keys
        try:
            association.receive(data)
        except EngineError as error:
            self.failed(str(error))
        self._flush()
        if association.keys is not had:
            self._learn()

    def _learn(self) -> None:
        self.keys = self._keys_of(self._rtp)
        self.rtcp_keys = self._keys_of(self._rtcp)
        self.keyed()

    def _keys_of(self, sock: socket.socket) -> Keys | None:
        found = self._associations.get(sock)
        return None if found is None else found[0].keys

    def _flush(self) -> None:
        for sock, (association, address) in self._associations.items():
            for datagram in association.data_to_send():
                try:
                    sock.sendto(datagram, address)
                except OSError:
                    break  # it is sent again

    def _not_told(self, data: bytes, address: SocketAddress) -> None:
        """`_take` sees everything."""


class DtlsLeg(Leg):
    """Each medium flows as soon as there are keys for it."""

    def __init__(
        self,
        name: str,
        certificate: Certificate,
        paths: tuple[DtlsPath, DtlsPath],
        channels: tuple[Channel, Channel],
        ends: tuple[Studio, Emit],
    ) -> None:
        super().__init__(name, *channels, *ends)
        self._certificate = certificate
        self._paths = paths
        self._start: StartLeg | None = None
        self._lost = False
        for path in paths:
            path.keyed = self._keyed
            path.failed = self._failed

    @property
    def opened(self) -> LegOpened:
        return replace(super().opened, fingerprint=self._certificate.fingerprint)

    def start(self, start: StartLeg) -> None:
        self._start = start
        for path, plan in zip(self._paths, (start.audio, start.video), strict=True):
            if plan is not None:
                path.agree(plan)
        self._keyed()

    def gate(self, gates: Gates) -> None:
        if self._start is not None:
            self._start = replace(self._start, gates=gates)
        super().gate(gates)

    def tick(self, now: float) -> None:
        super().tick(now)
        for path in self._paths:
            path.tick()

    def close(self) -> LegStatistics:
        self._start = None
        return super().close()

    def _keyed(self) -> None:
        start, (sound, pictures) = self._start, self._paths
        if start is None:
            return
        super().start(replace(start, audio=_with(start.audio, sound), video=_with(start.video, pictures)))
        for channel, path in ((self.audio, sound), (self.video, pictures)):
            if path.rtcp_keys is not None:
                channel.key_rtcp(*path.rtcp_keys)

    def _failed(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._emit(LegFailed(self.name, reason))


def _with(plan: StreamPlan | None, path: DtlsPath) -> StreamPlan | None:
    """The plan under the keys that there are; None as long as there are none."""
    if plan is None or path.keys is None:
        return None
    return replace(plan, tx_key=path.keys[0], rx_key=path.keys[1])


def _nobody() -> None:
    """Nobody waits for keys."""
