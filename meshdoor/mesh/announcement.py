"""The mDNS announcement of a node as a value (the package's docstring is the specification)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from meshdoor.errors import AnnouncementError
from meshdoor.trust.identity import device_id
from meshdoor.trust.permissions import Role

VERSION = 1
MAX_ADDRESSES = 8
MAX_NAME = 64  # characters
MAX_NAME_BYTES = 200  # so that "name=..." fits the 255 bytes of a TXT string (RFC 6763 §6.1)

_ID = re.compile(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}")
_HEX = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,15}")


class Address(NamedTuple):
    """Where to knock. `host` is numeric; an IPv6 link-local one carries its scope ("fe80::1%eth0")."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The inverse of `str`; AnnouncementError for anything that is no address to dial."""
        host, colon, port = text.rpartition(":")
        usable = usable_host(host.removeprefix("[").removesuffix("]"))
        if not colon or usable is None or not _NUMBER.fullmatch(port) or int(port) > 65535:
            raise AnnouncementError(f"not an address: {text[:80]!r}")
        return cls(usable, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def usable_host(text: str) -> str | None:
    """The address in its normal form, or None if no node can be reached at it."""
    plain, percent, scope = text.partition("%")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or (address.is_reserved and not address.is_loopback):
        return None
    if address.version == 6 and address.is_link_local:
        return f"{address}%{scope}" if _SCOPE.fullmatch(scope) else None
    return None if percent else str(address)


def instance_name(key: bytes) -> str:
    """The instance label of the device that holds `key`."""
    return instance_of(device_id(key))


def instance_of(identifier: str) -> str:
    """The instance label of a device id."""
    return "meshdoor-" + identifier.replace("-", "")[:8]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a node says of itself. `home`, `r` and `name` are empty and `web` is None where it says nothing.

    `addresses` are hosts in their normal form, at most eight.
    """

    id: str
    role: Role
    tls: int
    sip: int
    addresses: tuple[str, ...]
    home: str = ""
    r: str = ""
    web: int | None = None
    pair: bool = False
    name: str = ""
    version: int = VERSION

    @property
    def instance(self) -> str:
        """The label under `_sip._udp.local.`"""
        return instance_of(self.id)

    @property
    def links(self) -> tuple[Address, ...]:
        """Where its mesh port is."""
        return tuple(Address(host, self.tls) for host in self.addresses)

    @classmethod
    def parse(
        cls, instance: str, port: int, txt: Mapping[bytes, bytes | None], addresses: Iterable[str]
    ) -> Announcement:
        """The announcement in the records of one instance; AnnouncementError if they are not a node's."""
        fields = _Fields(txt)
        identifier = fields.matching(b"id", _ID)
        if instance.lower() != instance_of(identifier):
            raise AnnouncementError(f"{instance[:80]!r} is not the instance of {identifier}")
        pair = fields.text(b"pair") == "1"
        return cls(
            id=identifier,
            role=fields.role(),
            tls=fields.port(b"tls"),
            sip=_port(str(port)),
            addresses=_usable(addresses),
            home=fields.optional(b"home", _HEX),
            r=fields.optional(b"r", _HEX),
            web=fields.port(b"web") if b"web" in txt else None,
            pair=pair,
            name=fields.name() if pair else "",
            version=int(fields.matching(b"v", _NUMBER)),
        )

    def to_txt(self) -> dict[bytes, bytes]:
        """The TXT record; a name that is too long for it is cut."""
        named = self.pair and self.name
        values = {
            "v": str(self.version),
            "id": self.id,
            "role": str(self.role),
            "home": self.home,
            "r": self.r,
            "tls": str(self.tls),
            "web": "" if self.web is None else str(self.web),
            "pair": "1" if self.pair else "",
            "name": _cut(self.name) if named else "",
        }
        return {key.encode(): value.encode() for key, value in values.items() if value}


class _Fields:
    """Strict readers over a TXT record."""

    def __init__(self, txt: Mapping[bytes, bytes | None]) -> None:
        self._txt = txt

    def text(self, key: bytes) -> str:
        value = self._txt.get(key) or b""
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise AnnouncementError(f"{key.decode()} is not UTF-8") from None

    def matching(self, key: bytes, pattern: re.Pattern[str]) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise AnnouncementError(f"{key.decode()} is {value[:80]!r}")
        return value

    def optional(self, key: bytes, pattern: re.Pattern[str]) -> str:
        return self.matching(key, pattern) if key in self._txt else ""

    def port(self, key: bytes) -> int:
        return _port(self.text(key))

    def role(self) -> Role:
        try:
            return Role(self.text(b"role"))
        except ValueError:
            raise AnnouncementError(f"role is {self.text(b'role')[:80]!r}") from None

    def name(self) -> str:
        value = self.text(b"name")
        if len(value) > MAX_NAME or len(value.encode()) > MAX_NAME_BYTES or not value.isprintable():
            raise AnnouncementError(f"name is {value[:80]!r}")
        return value


def _port(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > 65535:
        raise AnnouncementError(f"port is {text[:80]!r}")
    return int(text)


def _usable(addresses: Iterable[str]) -> tuple[str, ...]:
    hosts = dict.fromkeys(host for host in map(usable_host, addresses) if host is not None)
    if not hosts:
        raise AnnouncementError("no usable address")
    return tuple(hosts)[:MAX_ADDRESSES]


def _cut(name: str) -> str:
    return name[:MAX_NAME].encode()[:MAX_NAME_BYTES].decode(errors="ignore")
