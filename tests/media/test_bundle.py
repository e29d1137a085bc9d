"""Which channel a packet of a browser is for, and who waits for its socket."""

from __future__ import annotations

from collections.abc import Callable

from meshdoor.media.bundle import NOWHERE, Bundle
from meshdoor.media.datagrams import SocketAddress
from meshdoor.media.plans import Address, StreamPlan
from meshdoor.rtp.packet import RtpPacket
from meshdoor.rtp.session import RtcpSession

SOUND = bytes(RtpPacket(111, 1, 0, 5, b"sound"))
PICTURES = bytes(RtpPacket(96, 1, 0, 6, b"pictures"))
REPORT = RtcpSession(5, "cname", 90_000).picture_loss()
PLAN = StreamPlan("sendrecv", Address("127.0.0.1", 9), "H264", 96, 90_000)


class Wire:
    """A transport whose socket is what the test says."""

    port = 4000

    def __init__(self) -> None:
        self.received: Callable[[bytes], None] = lambda data: None
        self.waiting: Callable[[], None] | None = None
        self.sent: list[tuple[bytes, int]] = []

    def send(self, data: bytes | memoryview, size: int) -> int:
        self.sent.append((bytes(data), size))
        return len(data)

    def on_writable(self, call: Callable[[], None] | None) -> None:
        self.waiting = call


class Ends:
    """What came to the sound and to the pictures."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.bundle = Bundle(self.wire)
        self.heard: list[bytes] = []
        self.seen: list[bytes] = []
        self.bundle.video.aim(PLAN)
        self.bundle.audio.read(self._hear)
        self.bundle.video.read(self._see)

    def _hear(self, data: bytes, address: SocketAddress) -> None:
        assert address == NOWHERE
        self.heard.append(data)

    def _see(self, data: bytes, address: SocketAddress) -> None:
        self.seen.append(data)


def test_each_packet_is_for_one_and_reports_are_for_both() -> None:
    ends = Ends()
    for data in (SOUND, PICTURES, REPORT, b"\x80"):
        ends.wire.received(data)
    assert ends.heard == [SOUND, REPORT]
    assert ends.seen == [PICTURES, REPORT]


def test_who_does_not_read_misses_what_comes() -> None:
    ends = Ends()
    ends.bundle.audio.read(None)
    ends.wire.received(SOUND)
    assert ends.heard == []


def test_both_send_over_one_port() -> None:
    ends = Ends()
    ends.bundle.audio.send_rtcp(REPORT)
    ends.bundle.video.authenticated(NOWHERE)
    assert ends.wire.sent == [(REPORT, len(REPORT))]
    assert ends.bundle.audio.outgoing is ends.bundle.video.outgoing
    assert ends.bundle.audio.port == ends.bundle.video.port == 4000


def test_both_may_wait_for_the_socket() -> None:
    ends, called = Ends(), list[str]()
    ends.bundle.audio.on_writable(lambda: called.append("sound"))
    ends.bundle.video.on_writable(lambda: called.append("pictures"))
    assert ends.wire.waiting is not None
    ends.wire.waiting()
    assert called == ["sound", "pictures"]
    ends.bundle.audio.on_writable(lambda: called.append("never"))
    ends.bundle.audio.close()
    assert ends.wire.waiting is None
