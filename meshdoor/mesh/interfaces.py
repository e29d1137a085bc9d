"""The network interfaces of this host, and when they change. The only importer of netifaces."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from fnmatch import fnmatch

import netifaces

# Those of containers, virtual machines and tunnels: no intercom is behind them.
IGNORED = ("docker*", "br-*", "veth*", "virbr*", "vnet*", "cni*", "lxc*", "tun*", "tap*", "wg*", "zt*")

POLL_INTERVAL = 2.0  # seconds, where the kernel tells no news
SETTLING = 0.05  # seconds: one change comes as several messages

SIOCGIFFLAGS = 0x8913  # netdevice(7)
IFF_UP = 0x1
IFF_RUNNING = 0x40  # there is a carrier
RTMGRP = 0x1 | 0x10 | 0x100  # rtnetlink(7): RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up. IPv6 link-local addresses carry their scope; `networks` are those on the link."""

    name: str
    index: int
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, IPv4 first."""
        return self.ipv4 + self.ipv6

    @property
    def is_loopback(self) -> bool:
        """Nobody but this host is behind it."""
        return all(ipaddress.ip_address(address).is_loopback for address in self.addresses)


def snapshot(allowed: Sequence[str] = (), ignored: Sequence[str] = IGNORED) -> tuple[Interface, ...]:
    """The interfaces that are up, have a carrier and a usable address.

    `allowed` names the only ones to use; without it all are, but loopback and those that match `ignored`.
    """
    found = [_interface(name) for name in netifaces.interfaces() if _wanted(name, allowed, ignored)]
    usable = [interface for interface in found if interface is not None and interface.addresses]
    return tuple(interface for interface in usable if allowed or not interface.is_loopback)


async def changes(
    take: Callable[[], tuple[Interface, ...]] = snapshot,
) -> AsyncGenerator[tuple[Interface, ...], None]:
    """What `take` finds now, and then whenever it finds something else. Close it with `aclosing`."""
    news = _rtnetlink()
    with closing(news) if news else nullcontext():
        current = take()
        yield current
        while True:
            await (_told(news) if news else asyncio.sleep(POLL_INTERVAL))
            found = take()
            if found != current:
                current = found
                yield current


def _wanted(name: str, allowed: Sequence[str], ignored: Sequence[str]) -> bool:
    return name in allowed if allowed else not any(fnmatch(name, pattern) for pattern in ignored)


def _interface(name: str) -> Interface | None:
    try:
        if not _is_up(name):
            return None
        index = socket.if_nametoindex(name)
        families = netifaces.ifaddresses(name)
    except (OSError, ValueError):  # it vanished meanwhile
        return None
    ipv4 = [(entry["addr"], entry.get("netmask", "32")) for entry in families.get(netifaces.AF_INET, ())]
    ipv6 = [(entry["addr"], entry.get("netmask", "/128")) for entry in families.get(netifaces.AF_INET6, ())]
    usable = [(address, mask.rpartition("/")[2]) for address, mask in ipv6 if _is_settled(address, index)]
    networks = {str(_network(address, mask)) for address, mask in [*ipv4, *usable]}
    return Interface(
        name, index, tuple(a for a, _ in ipv4), tuple(a for a, _ in usable), tuple(sorted(networks))
    )


def _network(address: str, mask: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(f"{address.partition('%')[0]}/{mask}", strict=False)


def _is_up(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        reply = fcntl.ioctl(asked, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
    flags: int = struct.unpack_from("H", reply, 16)[0]
    return flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING


def _is_settled(address: str, index: int) -> bool:
    """False while duplicate address detection goes on (RFC 4862 §5.4): nothing can be bound to it yet."""
    host, _, scope = address.partition("%")
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as tried:
            tried.bind((host, 0, 0, index if scope else 0))
    except OSError:
        return False
    return True


def _rtnetlink() -> socket.socket | None:
    """A socket that becomes readable when links or addresses change; None where there is none to be had."""
    try:
        news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except OSError:
        return None
    news.bind((0, RTMGRP))
    return news


async def _told(news: socket.socket) -> None:
    """Wait for news, let them settle, and read all: what they say is found in the next snapshot."""
    with suppress(OSError):  # ENOBUFS: there were too many, so there were some
        await asyncio.get_running_loop().sock_recv(news, 65536)
    await asyncio.sleep(SETTLING)
    while _more(news):
        pass


def _more(news: socket.socket) -> bool:
    try:
        news.recv(65536)
    except BlockingIOError:
        return False
    except OSError:  # ENOBUFS again; the next read goes on
        return True
    return True
