"""The records of one instance: which node they are about, and what they say."""

from __future__ import annotations

import re
import socket
from contextlib import suppress

from zeroconf import ServiceInfo
from zeroconf._dns import DNSAddress, DNSNsec, DNSPointer, DNSRecord, DNSService, DNSText

from meshdoor.mesh.alarms import bare
from meshdoor.mesh.announcement import Announcement

TYPE = "_sip._udp.local."
IN = 1  # RFC 1035 §3.2.4
A, PTR, TXT, AAAA, SRV, ANY = 1, 12, 16, 28, 33, 255  # RFC 1035 §3.2.2, RFC 3596, RFC 2782
MAX_TXT_KEYS = 32

_LABEL = re.compile(r"meshdoor-[a-z2-7]{8}")


def instance_of(label: str) -> str:
    """The full name of the instance, which SRV and TXT have."""
    return f"{label}.{TYPE}"


def host_of(label: str) -> str:
    """The name of its host, which A and AAAA have."""
    return f"{label}.local."


def label_of(record: DNSRecord) -> str | None:
    """The node that a record is about; None for one that no node sends."""
    name = record.alias if isinstance(record, DNSPointer) and record.name == TYPE else record.name
    label = name.partition(".")[0]
    if not _LABEL.fullmatch(label):
        return None
    return label if _belongs(record, label) else None


def _belongs(record: DNSRecord, label: str) -> bool:
    match record:
        case DNSPointer():
            return record.name == TYPE and record.alias == instance_of(label)
        case DNSService():
            return record.name == instance_of(label) and record.server == host_of(label)
        case DNSText():
            return record.name == instance_of(label)
        case DNSAddress():
            return record.name == host_of(label)
        case _:
            return isinstance(record, DNSNsec) and record.name in (instance_of(label), host_of(label))


def host_in(record: DNSAddress) -> str | None:
    """The address, with the name of the interface that a link-local one was heard on."""
    family = socket.AF_INET if len(record.address) == 4 else socket.AF_INET6
    with suppress(ValueError, OSError):  # a wrong length; an interface that is gone
        host = socket.inet_ntop(family, record.address)
        return f"{host}%{socket.if_indextoname(record.scope_id)}" if record.scope_id else host
    return None


def properties(text: bytes) -> dict[bytes, bytes | None]:
    """The strings of a TXT record (RFC 6763 §6): the first of each key counts, beyond some all are ignored."""
    found: dict[bytes, bytes | None] = {}
    while text and len(found) < MAX_TXT_KEYS:
        end = 1 + text[0]
        key, equals, value = text[1:end].partition(b"=")
        found.setdefault(key.lower(), value if equals else None)
        text = text[end:]
    return found


def service_info(announcement: Announcement) -> ServiceInfo:
    """The announcement as zeroconf sends it."""
    hosts = [bare(host) for host in announcement.addresses]
    return ServiceInfo(
        TYPE,
        instance_of(announcement.instance),
        port=announcement.sip,
        properties=announcement.to_txt(),
        server=host_of(announcement.instance),
        addresses=[socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host) for host in hosts],
    )
