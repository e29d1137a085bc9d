"""Socket addresses and what SIP calls them. An IPv6 link-local host carries its scope: "fe80::1%eth0"."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from meshdoor.transport.base import Address

UNSPECIFIED: Final = ("", str(IPv4Address(0)), str(IPv6Address(0)))


def from_kernel(name: Sequence[Any]) -> Address:
    """What `recvfrom` or `getsockname` gave."""
    host, port, *rest = name
    if len(rest) == 2 and rest[1] and "%" not in host:
        host = f"{host}%{socket.if_indextoname(rest[1])}"
    return host, port


def to_kernel(address: Address) -> tuple[Any, ...]:
    """What `sendto` and `connect` take. OSError for a scope that is not there."""
    host, _, scope = address[0].partition("%")
    if ":" not in host:
        return host, address[1]
    return host, address[1], 0, socket.if_nametoindex(scope) if scope else 0


def family_of(host: str) -> socket.AddressFamily:
    """Of a numeric host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def towards(remote: Address) -> str:
    """The address of this host that the kernel would send from. Nothing is sent. OSError if there is no way."""
    with socket.socket(family_of(remote[0]), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect(to_kernel(remote))
        return from_kernel(sock.getsockname())[0]
