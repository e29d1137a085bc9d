"""SRTP crypto suites and master keys (RFC 3711 §3.2.1), as SDP carries them (RFC 4568 §6.1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from meshdoor.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class Suite:
    """A crypto suite under its name in SDP; lengths in bytes."""

    name: str
    key_length: int
    salt_length: int
    tag_length: int

    @property
    def material_length(self) -> int:
        """What DTLS exports for it (RFC 5764 §4.2)."""
        return 2 * (self.key_length + self.salt_length)


AEAD_AES_128_GCM = Suite("AEAD_AES_128_GCM", 16, 12, 16)  # RFC 7714 §14.1
AES_CM_128_HMAC_SHA1_80 = Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10)  # RFC 4568 §6.2.1
SUITES = MappingProxyType({suite.name: suite for suite in (AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80)})


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key and salt. Shown without either."""

    suite: Suite
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, suite: str, key_and_salt: bytes) -> MasterKey:
        """From what `a=crypto` carries: the key, then the salt. Raises LocalProtocolError for a suite that
        was not offered or a wrong length; the SDP parser has refused both before."""
        known = SUITES.get(suite)
        if known is None or len(key_and_salt) != known.key_length + known.salt_length:
            raise LocalProtocolError(f"no key of the suite {suite}")
        return cls(known, key_and_salt[: known.key_length], key_and_salt[known.key_length :])

    @classmethod
    def pair(cls, suite: Suite, material: bytes) -> tuple[MasterKey, MasterKey]:
        """The keys of the client and of the server of DTLS, from what it exports (RFC 5764 §4.2): both keys, then
        both salts. `material` is of `suite.material_length` bytes."""
        salts = 2 * suite.key_length
        keys = material[: suite.key_length], material[suite.key_length : salts]
        ends = material[salts : salts + suite.salt_length], material[salts + suite.salt_length :]
        return cls(suite, keys[0], ends[0]), cls(suite, keys[1], ends[1])

    @classmethod
    def generate(cls, suite: Suite, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> MasterKey:
        return cls(suite, random_bytes(suite.key_length), random_bytes(suite.salt_length))

    def __bytes__(self) -> bytes:
        return self.key + self.salt
