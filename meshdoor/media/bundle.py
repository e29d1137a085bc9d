"""Sound and pictures of one peer over one transport (RFC 9143, RFC 5761): which channel a packet is for.

The transport (`webrtc.Transport`) has the way and the keys. Media are told apart by their payload types; what RTCP says
is for both, and each channel takes from it what is about its own source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meshdoor.media.datagrams import Outgoing, SocketAddress
from meshdoor.media.path import Receive
from meshdoor.media.plans import AUDIO, VIDEO, StreamPlan
from meshdoor.rtp.packet import is_rtcp

MINIMUM = 12  # bytes: an RTP header
NOWHERE: SocketAddress = ("", 0)  # addresses are the business of ICE


class Transport(Outgoing, Protocol):
    """What the paths of a bundle share."""

    received: Callable[[bytes], None]

    @property
    def port(self) -> int: ...

    def on_writable(self, call: Callable[[], None] | None) -> None: ...


class Bundle:
    """Takes what the transport receives to the path that it is for."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.audio, self.video = BundlePath(self, AUDIO), BundlePath(self, VIDEO)
        self._waiting: dict[str, Callable[[], None]] = {}
        transport.received = self._received

    def wait(self, media: str, call: Callable[[], None] | None) -> None:
        """Call when the socket is free; both media may wait for it."""
        self._waiting.pop(media, None)
        if call is not None:
            self._waiting[media] = call
        self.transport.on_writable(self._writable if self._waiting else None)

    def _writable(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call()

    def _received(self, data: bytes) -> None:
        if len(data) < MINIMUM:
            return
        if is_rtcp(data):
            self.audio.take(data)
            self.video.take(data)
        elif data[1] & 0x7F == self.video.payload_type:
            self.video.take(data)
        else:
            self.audio.take(data)


class BundlePath:
    """See `path.Path`."""

    def __init__(self, bundle: Bundle, media: str) -> None:
        self.port = bundle.transport.port
        self.payload_type: int | None = None
        self._bundle = bundle
        self._media = media
        self._receive: Receive | None = None

    @property
    def outgoing(self) -> Outgoing:
        return self._bundle.transport

    def aim(self, plan: StreamPlan) -> None:
        """Where to is found by ICE."""
        self.payload_type = plan.payload_type

    def send_rtcp(self, data: bytes) -> None:
        self._bundle.transport.send(data, len(data))

    def read(self, receive: Receive | None) -> None:
        self._receive = receive

    def authenticated(self, address: SocketAddress) -> None:
        """ICE knows where the peer is."""

    def on_writable(self, call: Callable[[], None] | None) -> None:
        self._bundle.wait(self._media, call)

    def close(self) -> None:
        """The transport is closed by the leg."""
        self.on_writable(None)

    def take(self, data: bytes) -> None:
        if self._receive is not None:
            self._receive(data, NOWHERE)
