"""`a=crypto` (RFC 4568): the master key of SRTP, in a description that travels under TLS."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from meshdoor.errors import SdpError

# Bytes of master key and salt together: RFC 4568 §6.2, RFC 7714 §14.1.
KEY_LENGTHS = MappingProxyType({"AEAD_AES_128_GCM": 16 + 12, "AES_CM_128_HMAC_SHA1_80": 16 + 14})

MAX_TAG = 999_999_999  # §9.1: one to nine digits
MAX_KEY = 64  # bytes; ours, for suites that are only passed over
_MAX_LIFETIME = 48  # §6.1: powers of two
_LIFETIME = re.compile(r"2\^(\d{1,2})|(\d{1,15})", re.ASCII)
_MKI = re.compile(r"\d{1,39}:\d{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto`. `key` is master key and salt; it is not shown. `lifetime` and `mki` are as written."""

    tag: int
    suite: str
    key: bytes = field(repr=False)
    lifetime: str = ""
    mki: str = ""
    parameters: tuple[str, ...] = ()

    @classmethod
    def generate(
        cls, tag: int, suite: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> Crypto:
        """A fresh key for one of KEY_LENGTHS."""
        return cls(tag, suite, random_bytes(KEY_LENGTHS[suite]))

    @classmethod
    def parse(cls, value: str) -> Crypto:
        """Raises SdpError for what breaks the grammar, and for a known suite whose key has a wrong length."""
        tag, suite, key_parameters, *parameters = value.split() + [""] * 3
        if not (tag.isascii() and tag.isdigit() and len(tag) <= 9 and suite):
            raise SdpError("a crypto attribute without tag or suite")
        method, _, text = key_parameters.partition(":")
        if method.lower() != "inline" or ";" in text:
            raise SdpError("a crypto attribute whose keys are not one inline key")
        encoded, lifetime, mki = _key_parts(text)
        key = _decode(encoded)
        if len(key) != KEY_LENGTHS.get(suite, len(key)) or not 0 < len(key) <= MAX_KEY:
            raise SdpError(f"a key of {len(key)} bytes for {suite[:40]}")
        return cls(int(tag), suite, key, lifetime, mki, tuple(filter(None, parameters)))

    @property
    def usable(self) -> bool:
        """Whether we can do what it asks: a known suite, no MKI, and no session parameter but a window
        size hint (§6.3.7) or an extension that may be ignored (§6.3.8)."""
        known = all(each.startswith(("WSH=", "-")) for each in self.parameters)
        return self.suite in KEY_LENGTHS and not self.mki and known

    def __str__(self) -> str:
        text = "|".join(filter(None, (base64.b64encode(self.key).decode(), self.lifetime, self.mki)))
        return " ".join((str(self.tag), self.suite, f"inline:{text}", *self.parameters))


def _key_parts(text: str) -> tuple[str, str, str]:
    """Key, lifetime and MKI; the latter two may each be left out (§9.1)."""
    encoded, *rest = text.split("|")
    lifetime = rest.pop(0) if rest and _is_lifetime(rest[0]) else ""
    mki = rest.pop(0) if rest and _MKI.fullmatch(rest[0]) else ""
    if rest:
        raise SdpError("a crypto attribute with an unknown key parameter")
    return encoded, lifetime, mki


def _is_lifetime(text: str) -> bool:
    found = _LIFETIME.fullmatch(text)
    if found is None:
        return False
    power, count = found.groups()
    return int(power) <= _MAX_LIFETIME if power else 0 < int(count) <= 1 << _MAX_LIFETIME


def _decode(encoded: str) -> bytes:
    """Base64; some leave out the padding."""
    bare = encoded.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SdpError("a crypto attribute whose key is not base64") from None
