"""What the two sides of a pairing tell each other once they share a key (steps 5 to 7 of `pairing`)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from meshdoor.errors import IdentityError, PairingError
from meshdoor.trust.history import MAX_STATEMENTS
from meshdoor.trust.identity import MAX_CERTIFICATE, SIGNATURE_SIZE, certificate_key
from meshdoor.trust.permissions import Role
from meshdoor.trust.statement import MAX_CARRIED, UNPRINTABLE, is_name

MAX_HINTS = 16
MAX_HINT = 64  # characters


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who wants to join; all of it is proven but the name and the role, which it merely asks for."""

    key: bytes
    certificate: bytes
    name: str
    role: Role
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """What a newcomer is given: the whole roster in causal order and where to knock; and who gave it."""

    statements: tuple[bytes, ...]
    hints: tuple[str, ...]
    admitter: bytes = b""


@dataclass(frozen=True, slots=True)
class Introduction:
    """Step 5."""

    name: str
    role: Role
    certificate: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: bytes) -> Introduction:
        """Raises PairingError."""
        fields = _fields(text, {"name", "role", "certificate", "signature"})
        name, role = fields["name"], fields["role"]
        if not isinstance(name, str) or not is_name(name):
            raise PairingError("its name is empty, too long or not printable")
        if role not in Role.__members__.values():
            raise PairingError("its role is unknown")
        certificate = _binary(fields["certificate"], MAX_CERTIFICATE)
        return cls(name, Role(role), certificate, _binary(fields["signature"], SIGNATURE_SIZE))

    def __bytes__(self) -> bytes:
        return _json(
            name=self.name,
            role=self.role,
            certificate=_base64(self.certificate),
            signature=_base64(self.signature),
        )

    def newcomer(self, key: bytes, ticket: bytes) -> Newcomer:
        """The newcomer that holds `key`; raises PairingError if the certificate is of another."""
        try:
            named = certificate_key(self.certificate)
        except IdentityError as error:
            raise PairingError(str(error)) from None
        if named != key:
            raise PairingError("its certificate is of another key")
        return Newcomer(key, self.certificate, self.name, self.role, ticket)


@dataclass(frozen=True, slots=True)
class Offer:
    """Step 6: how many statements follow."""

    statements: int
    hints: tuple[str, ...]
    signature: bytes

    @classmethod
    def parse(cls, text: bytes) -> Offer:
        """Raises PairingError."""
        fields = _fields(text, {"statements", "hints", "signature"})
        count, hints = fields["statements"], fields["hints"]
        if type(count) is not int or not 0 < count <= MAX_STATEMENTS:
            raise PairingError("its roster is empty or too large")
        if not isinstance(hints, list) or len(hints) > MAX_HINTS or not all(map(is_hint, hints)):
            raise PairingError("its addresses cannot be used")
        return cls(count, tuple(hints), _binary(fields["signature"], SIGNATURE_SIZE))

    def __bytes__(self) -> bytes:
        return _json(
            statements=self.statements, hints=list(self.hints), signature=_base64(self.signature)
        )


def pack(statements: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Batches of statements, each at most `limit` bytes and as full as can be."""
    batch = b""
    for statement in statements:
        item = len(statement).to_bytes(2, "big") + statement
        if batch and len(batch) + len(item) > limit:
            yield batch
            batch = b""
        batch += item
    if batch:
        yield batch


def unpack(batch: bytes, most: int) -> list[bytes]:
    """The statements of a batch, one at least and `most` at most; raises PairingError."""
    statements: list[bytes] = []
    while batch or not statements:
        size = int.from_bytes(batch[:2], "big")
        if not 0 < size <= min(MAX_CARRIED, len(batch) - 2) or len(statements) == most:
            raise PairingError("its roster is not what it announced")
        statements.append(batch[2 : 2 + size])
        batch = batch[2 + size :]
    return statements


def _fields(text: bytes, names: set[str]) -> dict[str, Any]:
    try:
        fields = json.loads(text.decode())
    except (ValueError, RecursionError):
        raise PairingError("it sent something that cannot be read") from None
    if not isinstance(fields, dict) or fields.keys() != names:
        raise PairingError("it sent something that is not as agreed")
    return fields


def _json(**fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _binary(value: object, limit: int) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    if not 0 < len(data) <= limit:
        raise PairingError("it sent bytes that cannot be read")
    return data


def is_hint(value: object) -> TypeGuard[str]:
    """Can it be an address to knock at? Bounded and printable; whether it leads anywhere is seen later."""
    return isinstance(value, str) and 0 < len(value) <= MAX_HINT and not UNPRINTABLE.search(value)
