"""Where a SIP server is: RFC 3263 §4, without a resolver.

    search = locate(uri, random)            the loop that drives it asks name servers
    question = next(search)
    question = search.send(records)         empty where there are none, or nobody knows
    StopIteration.value                     the hops, best first: the next one counts where one fails (§4.3)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.flow import DEFAULT_PORT, SECURE_PORT
from meshdoor.sip.uri import SipUri, is_address

MAX_RECORDS: Final = 16  # of one answer that are looked at
MAX_HOPS: Final = 16

# By what NAPTR calls it (§4.1) and how SRV is asked for it; safe ones first, datagrams last.
SERVICES: Final = {"SIPS+D2T": ("_sips._tcp", "TLS"), "SIP+D2T": ("_sip._tcp", "TCP"), "SIP+D2U": ("_sip._udp", "UDP")}
PREFIXES: Final = {transport: prefix for prefix, transport in SERVICES.values()}


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403 §4.1, as much of it as counts here."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Address:
    """A or AAAA; an IPv6 one may carry its scope."""

    host: str


Record = Naptr | Srv | Address


@dataclass(frozen=True, slots=True)
class Question:
    """`kind` is the class of record that is wanted."""

    name: str
    kind: type[Record]


@dataclass(frozen=True, slots=True)
class Hop:
    """One way: a transport as flows name it, an address, a port."""

    transport: str
    host: str
    port: int


Search = Generator[Question, Iterable[Record], tuple[Hop, ...]]


def locate(
    uri: SipUri, choose: Callable[[int], int], spoken: tuple[str, ...] = ("TLS", "TCP", "UDP"), preferred: str = ""
) -> Search:
    """The hops for a request to `uri`. `choose(n)` gives a random number from 0 to n - 1.

    `spoken` are the transports that we have, `preferred` is used where the URI names none. `maddr` is not obeyed.
    SipError(503) where there is no way, with what is wrong.
    """
    safe = uri.scheme == "sips"
    wanted = (uri.parameter("transport") or preferred).upper()
    if safe and wanted in ("", "TCP"):
        wanted = "TLS"
    if wanted not in ("", *spoken) or (safe and wanted != "TLS"):
        raise SipError(f"{uri.host}: SIP over {wanted.lower()} is not spoken here", 503)
    if is_address(uri.host):
        transport = wanted or "UDP"
        return (Hop(transport, uri.host, uri.port or _port(transport)),)
    hops: list[Hop] = []
    if uri.port is None:
        services = yield from _services(uri.host, (wanted,) if wanted else spoken, ask=not wanted)
        for transport, name in services:
            hops += yield from _servers(name, transport, choose)
    if not hops:
        transport = wanted or "UDP"
        hops = yield from _addresses(uri.host, transport, uri.port or _port(transport))
    if not hops:
        raise SipError(f"{uri.host}: no address is known", 503)
    return tuple(dict.fromkeys(hops))[:MAX_HOPS]


def _services(
    host: str, spoken: tuple[str, ...], *, ask: bool
) -> Generator[Question, Iterable[Record], list[tuple[str, str]]]:
    """Transports and names for SRV, best first: what NAPTR says, else all that we speak (§4.1)."""
    found: list[Naptr] = []
    if ask:
        records = yield Question(host, Naptr)
        found = [
            record
            for record in list(records)[:MAX_RECORDS]
            if isinstance(record, Naptr) and record.flags.lower() == "s" and record.service.upper() in SERVICES
        ]
    found.sort(key=lambda record: (record.order, record.preference))
    named = [(SERVICES[record.service.upper()][1], _name(record.replacement)) for record in found]
    usable = [(transport, name) for transport, name in named if transport in spoken]
    return usable or [(transport, f"{PREFIXES[transport]}.{host}") for transport in spoken]


def _servers(
    name: str, transport: str, choose: Callable[[int], int]
) -> Generator[Question, Iterable[Record], list[Hop]]:
    """The hops of one SRV name."""
    records = yield Question(name, Srv)
    servers = [record for record in list(records)[:MAX_RECORDS] if isinstance(record, Srv)]
    hops: list[Hop] = []
    for server in _in_order(servers, choose):
        if target := _name(server.target):  # "." says that there is no such service
            hops += yield from _addresses(target, transport, server.port)
    return hops


def _in_order(servers: list[Srv], choose: Callable[[int], int]) -> Iterable[Srv]:
    """By priority, and by weight at random (RFC 2782)."""
    left = sorted(servers, key=lambda server: (server.priority, server.weight))
    while left:
        same = [server for server in left if server.priority == left[0].priority]
        at = choose(sum(server.weight for server in same) + 1)
        sums = accumulate(server.weight for server in same)
        server = next(server for server, reached in zip(same, sums, strict=True) if at <= reached)
        left.remove(server)
        yield server


def _addresses(name: str, transport: str, port: int) -> Generator[Question, Iterable[Record], list[Hop]]:
    if is_address(name):
        return [Hop(transport, name, port)]
    records = yield Question(name, Address)
    return [Hop(transport, record.host, port) for record in list(records)[:MAX_RECORDS] if isinstance(record, Address)]


def _name(name: str) -> str:
    return name.rstrip(".")


def _port(transport: str) -> int:
    return SECURE_PORT if transport == "TLS" else DEFAULT_PORT
