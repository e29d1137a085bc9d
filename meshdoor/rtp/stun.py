"""How a socket looks from outside: the binding of STUN (RFC 8489 §2), without credentials."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Final

COOKIE: Final = b"\x21\x12\xa4\x42"  # §5
ID_SIZE: Final = 12  # bytes of a transaction ID, which is random
HEADER: Final = 20  # bytes
REQUEST, SUCCESS = 0x0001, 0x0101  # §5, §18.2: of the method Binding
MAPPED, XOR_MAPPED = 0x0001, 0x0020  # §14.1, §14.2
FAMILIES: Final = {1: 4, 2: 16}  # bytes of an address

_START, _ATTRIBUTE = struct.Struct("!HH"), struct.Struct("!HH")


def binding_request(transaction: bytes) -> bytes:
    """Asks the server where this comes from."""
    return _START.pack(REQUEST, 0) + COOKIE + transaction


def transaction_of(data: bytes) -> bytes | None:
    """The transaction ID of a message of STUN; None for anything else, such as RTP (RFC 7983 §7)."""
    if len(data) < HEADER or data[0] > 3 or data[4:8] != COOKIE:
        return None
    return data[8:HEADER]


def mapped_address(data: bytes) -> tuple[str, int] | None:
    """What the answer says of the socket that asked; None for what is none, or breaks the grammar."""
    kind, size = _START.unpack_from(data)
    if kind != SUCCESS or len(data) < HEADER + size:
        return None
    found: dict[int, tuple[str, int]] = {}
    at, end = HEADER, HEADER + size
    while at + _ATTRIBUTE.size <= end:
        name, length = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : min(at + _ATTRIBUTE.size + length, end)]
        address = _address(value, data[4:HEADER] if name == XOR_MAPPED else bytes(HEADER - 4))
        if name in (MAPPED, XOR_MAPPED) and address is not None:
            found.setdefault(name, address)
        at += _ATTRIBUTE.size + length + -length % 4
    return found.get(XOR_MAPPED) or found.get(MAPPED)


def _address(value: bytes, mask: bytes) -> tuple[str, int] | None:
    """A port and an address, each XORed with the beginning of `mask`."""
    if len(value) < 4 or len(value) != 4 + FAMILIES.get(value[1], 0):
        return None
    port, host = _xor(value[2:4], mask), _xor(value[4:], mask)
    return str(ip_address(host)), int.from_bytes(port, "big")


def _xor(value: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(value, mask, strict=False))
