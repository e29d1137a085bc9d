"""SIP by multicast DNS beside our own announcement: devices of others, our SIP service, the name of this host.

python-zeroconf does not do these: it has no instances with dots in their names, which SIP URIs are full of. What passes
the gate and speaks of them is read here as well; the rest is not looked at.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from meshdoor.errors import AnnouncementError
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.dns import PTR, Message, Question, Record
from meshdoor.mesh.hostname import HostName, label_of
from meshdoor.mesh.outsiders import SIP_UDP, TYPES, Outsider, Outsiders
from meshdoor.mesh.responder import Responder
from meshdoor.mesh.sip_service import SipService

LOOK = 10.0  # seconds between two looks at what is missing or expires
LOOK_SOON = 0.3  # seconds, after something new was heard
ECHO = 0.5  # seconds within which what we have sent ourselves comes back
ASKED = tuple(Question(kind, PTR) for kind in TYPES if kind != SIP_UDP)
OTHER_RESPONDER = Path("/run/avahi-daemon/socket")  # it answers for the name of this host, and better

Send = Callable[[bytes, Address | None], None]
_uniform = random.SystemRandom().uniform


class Sideline:
    """`send(data, to)` sends a datagram, to the group where `to` is None. Close it for the goodbye.

    `claims` says whether the name of this host is to be claimed.
    """

    def __init__(self, send: Send, *, claims: bool) -> None:
        self._send = send
        self._claims = claims
        self._loop = asyncio.get_running_loop()
        self._outsiders = Outsiders()
        self._responder = Responder(_uniform)
        self._records: tuple[Record, ...] = ()
        self._hostname: HostName | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._queried = self._overheard = float("-inf")
        self._look_at = self._loop.time() + LOOK_SOON
        self._schedule()

    def close(self) -> None:
        """Withdraw what was published. Nothing is sent after that."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._responder.publish((), self._loop.time())
        self._flush()

    def outsiders(self) -> tuple[Outsider, ...]:
        """SIP devices that announce themselves."""
        return self._outsiders.found(self._loop.time())

    def advertise(self, service: SipService | None, hosts: Iterable[str]) -> None:
        """Publish this service from now on, and claim the name of this host for its addresses; or neither."""
        now = self._loop.time()
        self._records = () if service is None else service.records()
        if service is None:
            self._hostname = None
        elif self._hostname is None and self._claims:
            label = label_of(socket.gethostname())
            self._hostname = HostName(label, _uniform, now) if label else None
        if self._hostname is not None:
            self._hostname.addresses_changed(hosts)
        self._work()

    def query(self) -> None:
        """Ask for devices of others; `_sip._udp` is asked for with the nodes. Where somebody else has asked since the
        last time, all have heard the answers (RFC 6762 §7.3)."""
        now = self._loop.time()
        if self._overheard <= self._queried + ECHO:
            self._send(bytes(Message(ASKED)), None)
        self._queried = now

    def received(self, data: bytes, source: Address) -> None:
        """A datagram that passed the gate."""
        if not self._concerns_us(data.lower()):
            return
        try:
            message = Message.parse(data)
        except AnnouncementError:
            return
        now = self._loop.time()
        if not message.response and not message.records and set(ASKED) <= set(message.questions):
            self._overheard = now
        self._outsiders.received(message, source.host, now)
        self._responder.received(message, source, now)
        if self._hostname is not None:
            self._hostname.received(message, now)
        self._look_at = min(self._look_at, now + LOOK_SOON)
        self._work()

    def _concerns_us(self, data: bytes) -> bool:
        if b"_sipuri" in data or (b"_sip" in data and b"meshdoor-" not in data):
            return True
        own = [self._hostname.name[0]] if self._hostname is not None else []
        return any(bytes((len(label),)) + label in data for label in (*own, *self._outsiders.hosts()))

    def _work(self) -> None:
        if self._closed:
            return
        now = self._loop.time()
        if self._hostname is not None:
            self._hostname.handle_timer(now)
        self._responder.handle_timer(now)
        self._responder.publish((*self._records, *(self._hostname.records if self._hostname else ())), now)
        if now >= self._look_at:
            self._look_at = now + LOOK
            wanted = self._outsiders.wanted(now)
            if wanted:
                self._send(bytes(Message(wanted)), None)
        self._flush()
        self._schedule()

    def _flush(self) -> None:
        probe = self._hostname.take_probe() if self._hostname is not None else None
        if probe is not None:
            self._send(bytes(probe), None)
        for message, to in self._responder.take():
            self._send(bytes(message), to)

    def _schedule(self) -> None:
        deadlines = [self._look_at, self._responder.next_deadline()]
        if self._hostname is not None:
            deadlines.append(self._hostname.next_deadline())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(min(when for when in deadlines if when is not None), self._work)


def send_on(transport: asyncio.DatagramTransport, data: bytes, to: tuple[str, int]) -> None:
    """Send; an interface that just went away is no error."""
    with suppress(OSError):
        transport.sendto(data, to)
