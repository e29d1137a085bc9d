"""The mesh link as a SIP transport: its flows are named by the key that the other end has proven.

A flow of a member is always the same, whatever addresses its links had, so a dialog outlives a
reconnection. In Via and Contact stands its host (`calls.hosts`).
"""

from __future__ import annotations

from collections.abc import Callable

from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import LINK, member_of
from meshdoor.errors import LocalProtocolError
from meshdoor.sip.flow import SECURE_PORT, Flow, Target
from meshdoor.sip.uri import SipUri
from meshdoor.transport.base import Sink

SendSip = Callable[[bytes, bytes], bool]


class LinkTransport:
    """Give it what links receive (`received`) and which of them went down (`lost`); `send` is `Links.send_sip`."""

    names = frozenset({LINK})

    def __init__(self, own_key: bytes, send: SendSip) -> None:
        self._own_key = own_key
        self._send = send
        self._sink: Sink | None = None

    def open(self, sink: Sink) -> None:
        self._sink = sink

    def send(self, flow: Flow, data: bytes) -> bool:
        key = member_of(flow)
        try:
            return key is not None and self._send(key, data)
        except LocalProtocolError:
            return False  # larger than any frame of a link

    async def aclose(self) -> None:
        self._sink = None

    def flow(self, key: bytes) -> Flow:
        """The flow of a member."""
        return link_flow(self._own_key, key)

    def target(self, key: bytes, user: str) -> Target:
        """A request for `user` at a member."""
        return Target(SipUri("sip", user, None, host_of(key)), self.flow(key))

    def received(self, key: bytes, message: bytes) -> None:
        """A link brought a SIP message."""
        if self._sink is not None:
            self._sink.received(message, self.flow(key))

    def lost(self, key: bytes) -> None:
        """The link with this member is down."""
        if self._sink is not None:
            self._sink.failed(self.flow(key))


def link_flow(own_key: bytes, key: bytes) -> Flow:
    """The flow from one member to another."""
    return Flow(LINK, (host_of(own_key), SECURE_PORT), (host_of(key), SECURE_PORT), key.hex())

