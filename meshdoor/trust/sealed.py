"""Small JSON objects as dataclasses, read strictly, and signed as they are carried: signature | body.

Whatever breaks a rule raises GrantError.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from meshdoor.errors import GrantError, LocalProtocolError
from meshdoor.trust.identity import KEY_SIZE, P256_KEY_SIZE, SIGNATURE_SIZE, Identity, is_key, verify

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_BODY: Final = 1024  # bytes

_HEX: Final = re.compile("[0-9a-f]*")

Reader = Callable[[object], Any]
Value = TypeVar("Value", bound="DataclassInstance")


def seal(identity: Identity, purpose: bytes, value: DataclassInstance, readers: Mapping[str, Reader]) -> bytes:
    """Signature and body. Raises LocalProtocolError for what nobody would read."""
    try:
        body = json.dumps(write(value), ensure_ascii=False, separators=(",", ":")).encode()
        carried = identity.sign(purpose + body) + body
        read(type(value), unseal(carried), readers)
    except (GrantError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"this cannot be signed: {error}") from None
    return carried


def unseal(carried: bytes) -> dict[str, Any]:
    """The body; its signature is not looked at."""
    return read_object(carried[SIGNATURE_SIZE:], MAX_BODY)


def verify_seal(key: bytes, purpose: bytes, carried: bytes) -> None:
    """Raise GrantError unless the holder of `key` signed it for this purpose."""
    if not verify(key, carried[:SIGNATURE_SIZE], purpose + carried[SIGNATURE_SIZE:]):
        raise GrantError("the signature is not of whom it should be")


def read_sealed(value: object) -> bytes:
    """What `write_sealed` wrote."""
    text = read_text(value)
    if len(text) > 2 * (SIGNATURE_SIZE + MAX_BODY):
        raise GrantError("what was signed is too long")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise GrantError("what was signed is not in base64") from None


def write_sealed(carried: bytes) -> str:
    """As base64."""
    return base64.b64encode(carried).decode()


def read_object(data: bytes, limit: int) -> dict[str, Any]:
    """A JSON object in at most `limit` bytes, without repeated keys."""
    if len(data) > limit:
        raise GrantError("it is too large")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise GrantError("it is not JSON") from None
    if not isinstance(value, dict):
        raise GrantError("it is not a JSON object")
    return value


def read(kind: type[Value], entries: Mapping[str, Any], readers: Mapping[str, Reader]) -> Value:
    """The value with exactly these entries."""
    if entries.keys() != {field.name for field in fields(kind)}:
        raise GrantError("it has other fields than it should")
    return kind(**{name: readers[name](value) for name, value in entries.items()})


def write(value: DataclassInstance) -> dict[str, Any]:
    """What `read` reads: bytes as hexadecimal."""
    entries = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: entry.hex() if isinstance(entry, bytes) else entry for name, entry in entries.items()}


def read_text(value: object) -> str:
    if not isinstance(value, str):
        raise GrantError("a field that should be text is not")
    return value


def read_bytes(size: int) -> Reader:
    def reader(value: object) -> bytes:
        text = read_text(value)
        if len(text) != 2 * size or not _HEX.fullmatch(text):
            raise GrantError(f"a field is not {size} bytes in lower-case hexadecimal")
        return bytes.fromhex(text)

    return reader


def read_key(value: object) -> bytes:
    """A member's public key: of Ed25519, or of P-256 for a phone."""
    size = P256_KEY_SIZE if len(read_text(value)) == 2 * P256_KEY_SIZE else KEY_SIZE
    key: bytes = read_bytes(size)(value)
    if not is_key(key):
        raise GrantError("a key is neither of Ed25519 nor of P-256")
    return key


def read_number(most: int) -> Reader:
    def reader(value: object) -> int:
        if type(value) is not int or not 0 <= value <= most:
            raise GrantError(f"a field is not a whole number from 0 to {most}")
        return value

    return reader


def read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise GrantError("a field is neither true nor false")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a key is there twice")
    return entries
