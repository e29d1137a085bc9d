"""What a rogue says."""

from __future__ import annotations

from zeroconf import ServiceInfo
from zeroconf._dns import DNSRecord
from zeroconf._protocol.outgoing import DNSOutgoing

RESPONSE = 0x8400


def packets(*records: DNSRecord) -> list[bytes]:
    out = DNSOutgoing(RESPONSE)
    for record in records:
        out.add_answer_at_time(record, 0)
    return list(out.packets())


def goodbye(info: ServiceInfo) -> list[bytes]:
    return packets(info.dns_pointer(0), info.dns_service(0), info.dns_text(0), *info.dns_addresses(0))


def everything(info: ServiceInfo) -> list[bytes]:
    return packets(info.dns_pointer(), info.dns_service(), info.dns_text(), *info.dns_addresses())
