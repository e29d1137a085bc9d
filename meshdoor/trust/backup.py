"""A backup of what makes a device itself, under a passphrase.

    MESHDOOR BACKUP 1
    argon2id <passes> <bytes of memory> <salt, 32 hex digits>
    <base64 of a NaCl secretbox, nonce first, in lines of 76>

In the box: JSON {identity: PEM, roster: statements in base64, name, role}. The key is Argon2id (RFC 9106) of the
passphrase in UTF-8, NFC; the limits stand in the file so that they can grow, and are bounded when it is read.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from meshdoor.errors import ConfigError, IdentityError
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Role
from meshdoor.trust.statement import is_name

HEADER = "MESHDOOR BACKUP 1"
KDF = re.compile(r"argon2id (\d{1,9}) (\d{1,12}) ([0-9a-f]{32})", re.ASCII)
SHORTEST_PASSPHRASE = 8  # characters
MAX_BACKUP = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs."""

    passes: int = argon2id.OPSLIMIT_MODERATE
    memory: int = argon2id.MEMLIMIT_MODERATE  # bytes

    def is_bearable(self) -> bool:
        """May a file ask this of us? Twice what we write ourselves."""
        passes = argon2id.OPSLIMIT_MIN <= self.passes <= 2 * argon2id.OPSLIMIT_MODERATE
        return passes and argon2id.MEMLIMIT_MIN <= self.memory <= 2 * argon2id.MEMLIMIT_MODERATE


@dataclass(frozen=True, slots=True)
class Backup:
    """What is kept. The statements are as carried; the history verifies them when they are taken in."""

    identity: Identity
    statements: tuple[bytes, ...]
    name: str
    role: Role

    def export(
        self, passphrase: str, cost: Cost | None = None, random_bytes: Callable[[int], bytes] = random
    ) -> str:
        """The file; raises ConfigError for a passphrase that is too short."""
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise ConfigError(
                f"the passphrase is shorter than {SHORTEST_PASSPHRASE} characters", "four random words are good"
            )
        cost = cost or Cost()
        salt = random_bytes(argon2id.SALTBYTES)
        box = _box(passphrase, cost, salt).encrypt(self._plain(), random_bytes(SecretBox.NONCE_SIZE))
        lines = wrap(base64.b64encode(box).decode(), 76)
        return "\n".join([HEADER, f"argon2id {cost.passes} {cost.memory} {salt.hex()}", *lines]) + "\n"

    @classmethod
    def restore(cls, text: str, passphrase: str, source: str = "the backup") -> Backup:
        """Read a file; raises ConfigError that names `source`."""
        header, _, rest = text.replace("\r\n", "\n").partition("\n")
        kdf, _, body = rest.partition("\n")
        found = KDF.fullmatch(kdf)
        if header != HEADER or found is None or len(text) > MAX_BACKUP:
            raise ConfigError(f"{source} is not a Meshdoor backup", "it is what meshdoor export wrote")
        cost = Cost(int(found[1]), int(found[2]))
        if not cost.is_bearable():
            raise ConfigError(f"{source} asks for more memory or time than a backup of ours", _DAMAGED)
        try:
            box = base64.b64decode(body.replace("\n", ""), validate=True)
            plain = _box(passphrase, cost, bytes.fromhex(found[3])).decrypt(box)
        except (CryptoError, ValueError):
            raise ConfigError(
                f"{source} does not open: the passphrase is wrong, or the file is damaged", "try again"
            ) from None
        return cls._read(plain, source)

    def _plain(self) -> bytes:
        return json.dumps(
            {
                "identity": self.identity.to_pem().decode(),
                "roster": [base64.b64encode(statement).decode() for statement in self.statements],
                "name": self.name,
                "role": self.role,
            }
        ).encode()

    @classmethod
    def _read(cls, plain: bytes, source: str) -> Backup:
        try:
            fields: Any = json.loads(plain)
            backup = cls(
                Identity.from_pem(fields["identity"].encode()),
                tuple(base64.b64decode(statement, validate=True) for statement in fields["roster"]),
                str(fields["name"]),
                Role(fields["role"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, IdentityError):
            raise ConfigError(f"{source} holds something that cannot be used", _DAMAGED) from None
        if not is_name(backup.name):
            raise ConfigError(f"{source} holds a name that cannot be used", _DAMAGED)
        return backup


_DAMAGED = "take another backup"


def _box(passphrase: str, cost: Cost, salt: bytes) -> SecretBox:
    """Raises ConfigError where the memory is not there."""
    secret = unicodedata.normalize("NFC", passphrase).encode(errors="surrogateescape")
    try:
        return SecretBox(argon2id.kdf(SecretBox.KEY_SIZE, secret, salt, cost.passes, cost.memory))
    except (CryptoError, MemoryError):
        raise ConfigError(
            f"there are no {cost.memory >> 20} MiB of free memory to derive the key",
            "stop the node while this runs: systemctl stop meshdoor",
        ) from None
