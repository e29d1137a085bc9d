"""Which Host and Origin headers are ours: a name that an attacker's DNS points at us is not (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

MAX_HOST = 260

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?")


def is_own(host: str, names: Collection[str], addresses: Collection[str]) -> bool:
    """Does a Host header (RFC 9110 §7.2) name this node? `names` are in lower case; ports are not compared."""
    found = _HOST.fullmatch(host) if len(host) <= MAX_HOST else None
    if found is None:
        return False
    text = (found["six"] or found["name"]).lower().rstrip(".")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text in names
    return address in {ipaddress.ip_address(own.partition("%")[0]) for own in addresses}


def is_same_origin(origin: str | None, host: str) -> bool:
    """Does the page that asks come from here? Browsers always say where; what says nothing is no browser."""
    return origin is None or origin.lower() == f"https://{host.lower()}"
