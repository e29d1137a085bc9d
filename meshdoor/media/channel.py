"""One medium of one leg on the network: SRTP both ways and RTCP, over a `path.Path` to the peer.

Sound or pictures of the peer go to the `Receiver`, what the peer says about ours to the `Sender`. Packets that do not
authenticate are counted and dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from meshdoor.errors import EngineError, RtpError
from meshdoor.media.datagrams import SocketAddress
from meshdoor.media.path import Path as Way
from meshdoor.media.plans import StreamPlan
from meshdoor.media.reports import Event, FirstPacketSent, RtpSilence, StreamStatistics
from meshdoor.media.sink import Sink, SinkOwner
from meshdoor.rtp.packet import RtpPacket, is_rtcp
from meshdoor.rtp.session import Collided, KeyFrameRequested, Left, Measured, PacketsRequested, RtcpSession
from meshdoor.rtp.srtp import Protector, Unprotector, protector, unprotector
from meshdoor.rtp.srtp_keys import MasterKey

SILENCE = 3.0  # s; ours
FIRST = 10.0  # s, before the first packet: the peer's media engine may still start; ours

Sent = asyncio.Future[None]


class Sender(Protocol):
    """What brings the packets of a channel: a sink at an outlet."""

    def gate(self, open_: bool) -> None:
        """Whether anything may leave. A sender begins shut."""
        ...

    def key_frame_requested(self, now: float) -> None: ...

    def packets_requested(self, numbers: tuple[int, ...], now: float) -> None: ...

    def dtmf(self, digits: str) -> Sent:
        """Sends digits by `Channel.dtmf`: done when they have left, cancelled when they never will. Raises EngineError
        when that cannot be."""
        ...

    def close(self) -> None: ...


class Receiver(Protocol):
    """What takes the packets of a channel: in the clear, each once, from one authenticated peer. It has its own timers,
    and asks for pictures and packets by `Channel.request_key_frame` and `Channel.request_packets`."""

    pictures_shown: int
    pictures_lost: int

    def receive(self, packet: RtpPacket, now: float) -> None: ...

    def gate(self, open_: bool) -> None:
        """Whether what comes is heard or shown. A receiver begins shut."""
        ...

    def measured(self, round_trip: float) -> None:
        """The round-trip time to the peer, s."""
        ...

    def snapshot(self, path: Path) -> None:
        """Writes the last picture. Raises EngineError when there is none."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChannelOwner:
    """Of which leg and medium a channel is, and who hears of it."""

    leg: str
    media: str
    emit: Callable[[Event], None]


class Channel:
    """Speaks from `start` on; `close` ends it, and its path."""

    def __init__(
        self, owner: ChannelOwner, path: Way, ssrc: int, cname: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.owner = owner
        self.ssrc = ssrc
        self.plan: StreamPlan | None = None
        self.sink: Sink | None = None
        self.clock = clock
        self._cname = cname
        self._path = path
        self._session = RtcpSession(ssrc, cname, 90_000)
        self.judge: Callable[[Measured, float], None] | None = None  # told of each report of the peer
        self.sender: Sender | None = None
        self.receiver: Receiver | None = None
        self._protector: Protector = protector(None)
        self._unprotector: Unprotector = unprotector(None)
        self._rtcp: tuple[Protector, Unprotector] | None = None  # where RTCP has keys of its own
        self._reading = False
        self._heard = self._started = 0.0
        self._silent = False
        self._patience = FIRST
        self._refused = self._key_frames_requested = 0
        self._measured = Measured(None, 0.0, 0, 0.0)

    @property
    def port(self) -> int:
        return self._path.port

    def start(self, plan: StreamPlan) -> None:
        """Takes a plan, the first or another. The ends are attached anew after it."""
        self._detach()
        self._path.aim(plan)
        before, self.plan = self.plan, plan
        number = self.sink.next_number if self.sink and before and before.tx_key == plan.tx_key else None
        self._change_keys(before, plan)
        if before is None or before.clock_rate != plan.clock_rate:
            self._session = RtcpSession(self.ssrc, self._cname, plan.clock_rate)
        self.sink = self._make_sink(plan, number)
        self._started = self._heard = self.clock()
        self._reading = True
        self._path.read(self._arrived)

    def key_rtcp(self, sending: MasterKey, receiving: MasterKey) -> None:
        """RTCP has keys of its own, once (RFC 5764 §4.1)."""
        if self._rtcp is None:
            self._rtcp = protector(sending), unprotector(receiving)

    def follows(self, plan: StreamPlan) -> bool:
        """Whether it speaks by this plan now."""
        return self._reading and self.plan == plan

    def attach(self, sender: Sender | None, receiver: Receiver | None) -> None:
        self.sender, self.receiver = sender, receiver

    def gate(self, sending: bool, receiving: bool) -> None:
        if self.sender is not None:
            self.sender.gate(sending)
        if self.receiver is not None:
            self.receiver.gate(receiving)

    def stop(self) -> None:
        """No media until the next `start`; the ports stay."""
        self._say_goodbye()
        self._detach()
        self._reading = False
        self._path.read(None)

    def close(self) -> None:
        self.stop()
        self._path.close()

    def tick(self, now: float) -> None:
        """Sends the report that is due, and tells of silence."""
        if not self._reading:
            return
        report = self._session.take_report(now)
        if report is not None:
            self._send_rtcp(report)
        expected = self.plan is not None and self.plan.receives
        if expected and not self._silent and now - self._heard >= self._patience:
            self._silent = True
            self.owner.emit(RtpSilence(self.owner.leg, self.owner.media, now - self._heard))

    def request_key_frame(self) -> None:
        """PLI, or FIR to a peer that only knows that."""
        feedback = self.plan.feedback if self.plan is not None else ()
        if "nack pli" not in feedback and "ccm fir" in feedback:
            self._send_rtcp(self._session.full_intra_request())
        else:
            self._send_rtcp(self._session.picture_loss())

    def request_packets(self, numbers: tuple[int, ...]) -> None:
        """NACK."""
        self._send_rtcp(self._session.nack(numbers))

    def dtmf(self, payload: bytes, timestamp: int, marker: bool) -> None:
        """One telephone-event packet. Raises EngineError when the peer takes none."""
        if self.plan is None or self.plan.dtmf_payload_type is None or self.sink is None:
            raise EngineError("this peer takes no digits")
        self.sink.insert(payload, self.plan.dtmf_payload_type, timestamp, marker)

    def statistics(self) -> StreamStatistics:
        source, measured = self._session.source, self._measured
        counters = self.sink.counters if self.sink is not None else None
        return StreamStatistics(
            packets_sent=counters.packets_sent if counters else 0,
            octets_sent=counters.octets_sent if counters else 0,
            packets_dropped=counters.packets_dropped if counters else 0,
            packets_resent=counters.packets_resent if counters else 0,
            level=counters.level if counters else 0,
            send_errors=counters.send_errors if counters else 0,
            key_frames_requested=self._key_frames_requested,
            packets_received=source.received if source else 0,
            packets_lost=source.lost if source else 0,
            packets_refused=self._refused,
            jitter=source.jitter / self.plan.clock_rate if source and self.plan else 0.0,
            pictures_shown=self.receiver.pictures_shown if self.receiver else 0,
            pictures_lost=self.receiver.pictures_lost if self.receiver else 0,
            remote_lost=measured.cumulative_lost,
            remote_fraction_lost=measured.fraction_lost,
            remote_jitter=measured.jitter,
            round_trip=measured.round_trip,
        )

    def _change_keys(self, before: StreamPlan | None, plan: StreamPlan) -> None:
        """The same key goes on with the same object: its indices must never begin again."""
        if before is None or before.tx_key != plan.tx_key:
            self._protector = protector(plan.tx_key)
        if before is None or before.rx_key != plan.rx_key:
            self._unprotector = unprotector(plan.rx_key)

    def _make_sink(self, plan: StreamPlan, number: int | None) -> Sink:
        owner = SinkOwner(self._first_sent, self._blocked, self._want_key_frame)
        sink = Sink(self._path.outgoing, self._protector, plan.payload_type, self._session, owner, number)
        sink.open = False
        if self.sink is not None:
            sink.counters, sink.fresh = self.sink.counters, self.sink.fresh
        return sink

    def _first_sent(self) -> None:
        self.owner.emit(FirstPacketSent(self.owner.leg, self.owner.media, self.clock()))

    def _blocked(self) -> None:
        self._path.on_writable(self._writable)

    def _writable(self) -> None:
        if self.sink is not None:
            self.sink.flush()

    def _want_key_frame(self) -> None:
        if self.sender is not None:
            self.sender.key_frame_requested(self.clock())

    def _detach(self) -> None:
        for end in (self.sender, self.receiver):
            if end is not None:
                end.close()
        self.sender = self.receiver = None
        self._path.on_writable(None)

    def _say_goodbye(self) -> None:
        if self._reading and self._session.next_deadline() is not None:
            self._send_rtcp(self._session.goodbye(self.clock()))

    def _send_rtcp(self, compound: bytes) -> None:
        if self._reading:
            protect = self._protector if self._rtcp is None else self._rtcp[0]
            self._path.send_rtcp(protect.protect_rtcp(compound))

    def _arrived(self, data: bytes, address: SocketAddress) -> None:
        try:
            self._receive(data, address, self.clock())
        except RtpError:
            self._refused += 1

    def _receive(self, data: bytes, address: SocketAddress, now: float) -> None:
        if is_rtcp(data):
            unprotect = self._unprotector if self._rtcp is None else self._rtcp[1]
            self._session.receive_rtcp(unprotect.unprotect_rtcp(data), now)
            self._hears(now)
            self._handle_feedback(now)
            return
        packet = RtpPacket.parse(self._unprotector.unprotect(data))
        self._session.received(packet, now)
        self._path.authenticated(address)
        self._hears(now)
        if self.receiver is not None:
            self.receiver.receive(packet, now)

    def _hears(self, now: float) -> None:
        self._heard, self._silent, self._patience = now, False, SILENCE

    def _handle_feedback(self, now: float) -> None:
        while (event := self._session.next_event()) is not None:
            match event:
                case KeyFrameRequested():
                    self._key_frames_requested += 1
                    self._want_key_frame()
                case PacketsRequested(numbers) if self.sender is not None:
                    self.sender.packets_requested(numbers, now)
                case Measured():
                    self._measured = event
                    if self.judge is not None:
                        self.judge(event, now)
                    if self.receiver is not None and event.round_trip is not None:
                        self.receiver.measured(event.round_trip)
                case PacketsRequested() | Left() | Collided():
                    pass
