"""The WebSockets of attached phones as a SIP transport (RFC 7118): one message a frame, a flow for each phone.

The flow of a phone is named by its key, and stays the same when the phone connects again: a dialog outlives that. Who
holds the sockets (`meshdoor.web`) answers keep-alives and never waits: a phone that takes nothing is cut there.
"""

from __future__ import annotations

from collections.abc import Callable

from meshdoor.calls.hosts import host_of
from meshdoor.calls.policy import PHONE, member_of
from meshdoor.errors import RemoteProtocolError
from meshdoor.sip.flow import SECURE_PORT, Flow
from meshdoor.sip.message import MAX_MESSAGE
from meshdoor.transport.base import Sink

Send = Callable[[str], None]


class WebSocketTransport:
    """Give it what phones send (`received`), whoever comes (`attach`) and goes (`detach`)."""

    names = frozenset({PHONE})

    def __init__(self, own_key: bytes) -> None:
        self._own_key = own_key
        self._phones: dict[bytes, Send] = {}
        self._sink: Sink | None = None

    def open(self, sink: Sink) -> None:
        self._sink = sink

    def send(self, flow: Flow, data: bytes) -> bool:
        send = self._phones.get(member_of(flow) or b"")
        if send is None:
            return False
        send(data.decode(errors="replace"))
        return True

    async def aclose(self) -> None:
        self._sink = None
        self._phones.clear()

    def flow(self, key: bytes) -> Flow:
        """The flow of a phone."""
        return phone_flow(self._own_key, key)

    def attach(self, key: bytes, send: Send) -> None:
        """From now on this is the way to the phone."""
        self._phones[key] = send

    def detach(self, key: bytes) -> None:
        """There is no way to the phone any more."""
        if self._phones.pop(key, None) is not None and self._sink is not None:
            self._sink.failed(self.flow(key))

    def received(self, key: bytes, text: str) -> None:
        """A frame of a phone that is attached. Raises RemoteProtocolError for one that no phone sends."""
        data = message_in(text)
        if data and self._sink is not None:
            self._sink.received(data, self.flow(key))


def message_in(text: str) -> bytes:
    """The message that a frame carries; empty for a keep-alive. Raises RemoteProtocolError for what is too large."""
    data = text.encode(errors="replace")
    if len(data) > MAX_MESSAGE:
        raise RemoteProtocolError(f"a message of {len(data)} bytes is too large")
    return data if data.strip(b"\r\n") else b""


def phone_flow(own_key: bytes, key: bytes) -> Flow:
    """The flow from a node to a phone that is attached to it."""
    return Flow(PHONE, (host_of(own_key), SECURE_PORT), (host_of(key), SECURE_PORT), key.hex())
