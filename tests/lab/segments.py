"""What captured frames carry: TCP and UDP over IPv4 and IPv6, without options beyond the TCP header's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.lab.capture import Packet

TCP, UDP = 6, 17


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment or UDP datagram that was not fragmented."""

    at: float
    protocol: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    payload: bytes


def segments(packets: Iterable[Packet]) -> Iterator[Segment]:
    """Those of the packets that are TCP or UDP."""
    for packet in packets:
        kind, network = packet.frame[12:14], packet.frame[14:]
        if kind == b"\x08\x00":
            header = (network[0] & 15) * 4
            protocol, addresses = network[9], (network[12:16], network[16:20])
            body = network[header : int.from_bytes(network[2:4], "big")]
        elif kind == b"\x86\xdd":
            protocol, addresses = network[6], (network[8:24], network[24:40])
            body = network[40 : 40 + int.from_bytes(network[4:6], "big")]
        else:
            continue
        if protocol in (TCP, UDP):
            source, destination = (str(ipaddress.ip_address(address)) for address in addresses)
            start = 8 if protocol == UDP else (body[12] >> 4) * 4
            ports = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
            yield Segment(packet.at, protocol, source, destination, *ports, body[start:])
