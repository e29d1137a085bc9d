"""The mDNS service of a node: one announcement, and callbacks for what others announce."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from secrets import SystemRandom
from types import TracebackType
from typing import Self, cast

from zeroconf import IPVersion, ServiceInfo, Zeroconf, current_time_millis
from zeroconf._dns import DNSQuestion
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncZeroconf

from meshdoor.mesh.alarms import bare
from meshdoor.mesh.announcement import Address, Announcement
from meshdoor.mesh.gate import Gate
from meshdoor.mesh.interfaces import Interface
from meshdoor.mesh.mdns import sideline
from meshdoor.mesh.mdns.browser import Browser
from meshdoor.mesh.mdns.guard import Guard
from meshdoor.mesh.mdns.records import ANY, IN, PTR, TYPE, instance_of, service_info
from meshdoor.mesh.mdns.sideline import Sideline, send_on
from meshdoor.mesh.outsiders import Outsider
from meshdoor.mesh.responder import MDNS_PORT
from meshdoor.mesh.sip_service import SipService
from meshdoor.ratelimit import LogLimiter

QUERY = 0  # flags, RFC 1035 §4.1.1
GROUP4, GROUP6 = "224.0.0.251", "ff02::fb"
IP_MULTICAST_ALL = 49  # ip(7)
IPV6_MULTICAST_ALL = 29  # linux/in6.h
TABLE_FULL = (errno.EINVAL, errno.ENOBUFS)  # arp(7): more neighbours than gc_thresh3; one table for all namespaces

FIRST_QUERY = (0.02, 0.12)  # seconds, RFC 6762 §5.2
LONGEST_INTERVAL = 300.0  # seconds between two queries for the type; they double from one second up to here
REFRESH_INTERVAL = 10.0  # seconds between two looks at what expires
ASK_DELAY = (0.02, 0.12)  # seconds in which questions are gathered
ASK_AT_ONCE = 8  # instances in one query
HEAL = (1.0, 60.0)  # seconds between two repairs of our own announcement, at first and at last
REPEAT = 1.0  # seconds between an announcement and its repetition (RFC 6762 §8.3)
RETRY = (1.0, 30.0)  # seconds until an interface that did not take its socket is tried again

logger = logging.getLogger(__name__)
_random = SystemRandom()


class Mdns:
    """Use it as `async with`; then `announce`. Callbacks come in the event loop and must not block.

    `saw(announcement, source)`: a node is there, or says something new; `source` is the host it came from.
    Our own announcement is told as well. `lost(instance)`: it said goodbye, or was not heard for two minutes.
    """

    def __init__(
        self,
        saw: Callable[[Announcement, str], None],
        lost: Callable[[str], None],
        interfaces: Sequence[Interface] = (),
        gate: Gate | None = None,
    ) -> None:
        self._saw = saw
        self._lost = lost
        self._interfaces = tuple(interfaces)
        self._gate = gate or Gate()
        self._own: Announcement | None = None
        self._info: ServiceInfo | None = None
        self._members: frozenset[str] = frozenset()
        self._announcing: asyncio.Future[None] | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._query_interval = 1.0
        self._healed, self._heal_interval = float("-inf"), HEAL[0]
        self._log = LogLimiter()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._zeroconf = AsyncZeroconf(interfaces=_choices(self._interfaces), ip_version=_version())
        await self._zc.async_wait_for_start()
        self._browser = Browser(self._zc, self._heard, self._unheard, self._ask_soon)
        self._zc.async_add_listener(self._browser, None)
        claims = not await asyncio.to_thread(sideline.OTHER_RESPONDER.exists)
        self._sideline = Sideline(self._send, claims=claims)
        self._adopt()
        self._later("query", _random.uniform(*FIRST_QUERY), self._query)
        self._later("refresh", _random.uniform(0, REFRESH_INTERVAL), self._refresh)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._sideline.close()
        await _cancelled(self._retrying)
        await _cancelled(self._announcing)
        if self._info is not None:
            goodbye = await self._zeroconf.async_unregister_service(self._info)
            await goodbye  # without this it is never sent
        await self._zeroconf.async_close()

    @property
    def refused(self) -> int:
        """How many datagrams the gate kept out."""
        return self._gate.refused

    async def announce(self, announcement: Announcement) -> None:
        """Announce this node, or announce it anew where it says something else than before."""
        if announcement == self._own:
            return
        await _cancelled(self._announcing)  # its repetitions would say the old again
        info = service_info(announcement)
        first = self._info is None
        self._own, self._info = announcement, info
        self._protect()
        if first:
            sent = await self._zeroconf.async_register_service(info, cooperating_responders=True)
        else:
            sent = await self._zeroconf.async_update_service(info)
        self._announcing = asyncio.ensure_future(sent)

    def advertise(self, service: SipService | None, hosts: Iterable[str]) -> None:
        """Announce this node to SIP clients of others as well, and answer for the name of this host; or neither."""
        self._sideline.advertise(service, hosts)

    def outsiders(self) -> tuple[Outsider, ...]:
        """SIP devices of others that announce themselves."""
        return self._sideline.outsiders()

    def members(self, instances: Iterable[str], hosts: Iterable[str]) -> None:
        """The instances of the members, and the hosts at which some are linked: no flood displaces them."""
        self._members = frozenset(instances)
        self._gate.trust(hosts)
        self._protect()

    async def interfaces_changed(self, interfaces: Sequence[Interface]) -> None:
        """Use these from now on; a new one hears our announcement, and is asked for others at once."""
        self._interfaces = tuple(interfaces)
        await _cancelled(self._retrying)
        if not await self._update_interfaces():
            self._retrying = asyncio.create_task(self._retry())

    @property
    def _zc(self) -> Zeroconf:
        return self._zeroconf.zeroconf

    async def _update_interfaces(self) -> bool:
        """True if each interface got its sockets. One whose address is not settled yet does not."""
        choices = _choices(self._interfaces)
        await self._zeroconf.async_update_interfaces(interfaces=choices)
        self._adopt()
        self._query_interval = 1.0
        self._later("query", _random.uniform(*FIRST_QUERY), self._query)
        return len(self._zc.engine.senders) >= len(choices)

    async def _retry(self) -> None:
        interval = RETRY[0]
        while True:
            await asyncio.sleep(interval)
            if await self._update_interfaces():
                return
            interval = min(RETRY[1], interval * 2)

    def _adopt(self) -> None:
        """Put the gate before every socket, and let none hear the multicast of interfaces that are not ours."""
        for reader in self._zc.engine.readers:
            inner = reader.transport.get_protocol()
            if isinstance(inner, Guard):
                continue
            inner = cast(asyncio.DatagramProtocol, inner)
            guard = Guard(inner, self._gate, self._entered, self._unsent, self._sideline.received)
            reader.transport.set_protocol(guard)
            with suppress(OSError):
                reader.sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            with suppress(OSError):
                reader.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
        self._browser.use_loopback = any(interface.is_loopback for interface in self._interfaces)
        networks = [network for interface in self._interfaces for network in interface.networks]
        hosts = [host for interface in self._interfaces for host in interface.addresses]
        self._gate.on_link(networks, hosts)

    def _protect(self) -> None:
        own = {self._own.instance} if self._own else set()
        self._browser.protect(self._members | own)

    def _entered(self, host: str, admitted: bool) -> None:
        self._browser.source = host
        if not admitted and self._log.admit(host, self._loop.time()) is not None:
            logger.warning("mDNS: %s sends more than the network needs; ignoring the rest", host)

    def _unsent(self, error: Exception) -> None:
        """The kernel took no datagram. Linux says EINVAL when its neighbour table is full (neigh_forced_gc)."""
        code = error.errno if isinstance(error, OSError) else None
        if self._log.admit(("unsent", code), self._loop.time()) is not None:
            full = "; its neighbour table may be full: sysctl net.ipv6.neigh.default.gc_thresh3"
            logger.warning("mDNS: the system sends nothing: %s%s", error, full if code in TABLE_FULL else "")

    def _heard(self, announcement: Announcement, source: str) -> None:
        own = self._own
        if own is not None and announcement.instance == own.instance and not _same(announcement, own):
            self._heal()
        self._saw(announcement, source)

    def _unheard(self, instance: str) -> None:
        if self._own is not None and instance == self._own.instance:
            if self._browser.goodbye:
                self._heal()
        else:
            self._lost(instance)

    def _heal(self) -> None:
        """Somebody withdrew or changed our announcement: say it again, but do not quarrel with a clone."""
        now = self._loop.time()
        if now - self._healed > 2 * HEAL[1]:
            self._heal_interval = HEAL[0]
        when = max(now, self._healed + self._heal_interval)
        if "heal" not in self._timers:
            self._later("heal", when - now, self._say_again)

    def _say_again(self) -> None:
        del self._timers["heal"]
        self._healed = self._loop.time()
        self._heal_interval = min(HEAL[1], self._heal_interval * 2)
        self._broadcast()
        self._later("repeat", REPEAT, self._broadcast)  # some take the first for a duplicate of what we said before

    def _broadcast(self) -> None:
        if self._info is not None:
            self._zc.async_send(self._zc.generate_service_broadcast(self._info, None))

    def _query(self) -> None:
        """Who is there? Listing those that we know (RFC 6762 §5.2, §7.1)."""
        out = DNSOutgoing(QUERY)
        out.add_question(DNSQuestion(TYPE, PTR, IN))
        now = current_time_millis()
        for pointer in self._browser.known_pointers():
            out.add_answer_at_time(pointer, now)
        self._zc.async_send(out)
        self._sideline.query()
        self._later("query", self._query_interval * _random.uniform(0.9, 1.1), self._query)
        self._query_interval = min(LONGEST_INTERVAL, self._query_interval * 2)

    def _refresh(self) -> None:
        self._browser.refresh()
        self._later("refresh", REFRESH_INTERVAL, self._refresh)

    def _ask_soon(self) -> None:
        if "ask" not in self._timers:
            self._later("ask", _random.uniform(*ASK_DELAY), self._ask)

    def _ask(self) -> None:
        del self._timers["ask"]
        labels = self._browser.take_wanted(ASK_AT_ONCE)
        if not labels:  # the answers came meanwhile
            return
        out = DNSOutgoing(QUERY)
        for label in labels:
            out.add_question(DNSQuestion(instance_of(label), ANY, IN))
        self._zc.async_send(out)
        if self._browser.wanted:
            self._ask_soon()

    def _send(self, data: bytes, to: Address | None) -> None:
        """To the group, on all interfaces; or to one IPv4 address."""
        senders = self._zc.engine.senders
        if to is not None:
            for sender in [each for each in senders if not each.is_ipv6 and ":" not in to.host][:1]:
                send_on(sender.transport, data, to)
            return
        for sender in senders:
            send_on(sender.transport, data, (GROUP6 if sender.is_ipv6 else GROUP4, MDNS_PORT))

    def _later(self, name: str, interval: float, call: Callable[[], None]) -> None:
        before = self._timers.pop(name, None)
        if before is not None:
            before.cancel()
        self._timers[name] = self._loop.call_later(interval, call)


def _choices(interfaces: Sequence[Interface]) -> list[str | int | tuple[tuple[str, int, int], int]]:
    """One IPv4 and one IPv6 address of each interface, link-local if there is one."""
    found: list[str | int | tuple[tuple[str, int, int], int]] = []
    for interface in interfaces:
        found += interface.ipv4[:1]
        if not interface.is_loopback:
            link_local = [host for host in interface.ipv6 if "%" in host]
            found += [bare(host) for host in (link_local or interface.ipv6)[:1]]
    return found


def _version() -> IPVersion:
    return IPVersion.All if socket.has_dualstack_ipv6() else IPVersion.V4Only


def _same(heard: Announcement, own: Announcement) -> bool:
    return (
        heard.to_txt() == own.to_txt()
        and heard.sip == own.sip
        and set(map(bare, heard.addresses)) <= set(map(bare, own.addresses))
    )


async def _cancelled(task: asyncio.Future[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
