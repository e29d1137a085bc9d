"""One signed statement of the roster: what it says, and the bytes that carry it.

The wire form is specified in the docstring of `meshdoor.trust`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from meshdoor.errors import IdentityError, LocalProtocolError, StatementError
from meshdoor.trust.identity import (
    KEY_SIZE,
    P256_KEY_SIZE,
    SIGNATURE_SIZE,
    Identity,
    certificate_key,
    is_key,
    is_p256,
    verify,
)
from meshdoor.trust.permissions import DEFAULTS, Permission, Role

PURPOSE = b"meshdoor statement v1\0"  # in front of what is signed, so that no other signature fits
ID_SIZE = 32  # bytes, SHA-256
NONCE_SIZE = 16  # bytes
MAX_BODY = 4096  # bytes of JSON
MAX_CARRIED = SIGNATURE_SIZE + MAX_BODY  # bytes
MAX_PARENTS = 32
MAX_NAME = 64  # characters
UNLINKED = frozenset({Role.PHONE, Role.DOOR})  # what may be a member without a certificate
MAX_TIME = 253_402_300_799  # the last second of the year 9999

# Controls, surrogates, line and paragraph separators, and what reorders text: a fixed list, because
# categories change with the version of Unicode and every node must agree on what is a statement.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)
HEX = re.compile("[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Found:
    """The root: its author founds a home and is its first member."""

    home_name: str
    name: str
    role: Role
    certificate: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Admit:
    """`key` is a member. The certificate is empty for what has no links of its own: a phone that lives in a browser, a
    door station that knows nothing of us. `until` makes it a guest's."""

    key: bytes
    certificate: bytes
    name: str
    role: Role
    permissions: frozenset[Permission]
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Revoke:
    """`key` is out, for good."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A new name, new permissions, both, or neither (then it only joins its parents)."""

    key: bytes
    name: str | None = None
    permissions: frozenset[Permission] | None = None


Body = Found | Admit | Revoke | Change
KINDS: Mapping[str, type[Body]] = {"found": Found, "admit": Admit, "revoke": Revoke, "change": Change}
NOT_WRITTEN = "until"  # when it is None: the bytes of a statement without it are those of before there was one


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement whose signature was verified, or that was just signed here."""

    id: bytes
    author: bytes
    parents: tuple[bytes, ...]
    body: Body
    at: int
    carried: bytes

    @classmethod
    def parse(cls, carried: bytes) -> Statement:
        """Read and verify; raises StatementError."""
        signature, body = carried[:SIGNATURE_SIZE], carried[SIGNATURE_SIZE:]
        statement = cls._read(carried, body)
        if not verify(statement.author, signature, PURPOSE + body):
            raise StatementError("the signature is not the author's")
        return statement

    @classmethod
    def sign(cls, identity: Identity, body: Body, parents: tuple[bytes, ...], at: int) -> Statement:
        """State `body` after `parents`; raises LocalProtocolError for what no one would accept."""
        text = json.dumps(
            {
                "kind": type(body).__name__.lower(),
                "author": identity.key.hex(),
                "parents": [parent.hex() for parent in parents],
                "at": at,
                **_fields(body),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        try:
            data = text.encode()
            return cls._read(identity.sign(PURPOSE + data) + data, data)
        except (StatementError, UnicodeEncodeError) as error:
            raise LocalProtocolError(f"this cannot be stated: {error}") from None

    @classmethod
    def _read(cls, carried: bytes, data: bytes) -> Statement:
        if len(data) > MAX_BODY:
            raise StatementError("the statement is too large")
        entries = _object(data)
        kind = KINDS.get(_text(entries.pop("kind", None)))
        if kind is None:
            raise StatementError("the statement is of an unknown kind")
        author = _hex(entries.pop("author", None), KEY_SIZE)
        parents = _parents(entries.pop("parents", None))
        at = _time(entries.pop("at", None))
        body = _body(kind, entries)
        _check(author, parents, body)
        return cls(hashlib.sha256(data).digest(), author, parents, body, at, carried)

    def __bytes__(self) -> bytes:
        return self.carried


def is_name(text: str) -> bool:
    """May a home or a member be called so? 1 to 64 printable characters, no space at either end."""
    return 0 < len(text) <= MAX_NAME and text == text.strip(" ") and not UNPRINTABLE.search(text)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise StatementError("the statement is not JSON") from None
    if not isinstance(value, dict):
        raise StatementError("the statement is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a key is there twice")
    return entries


def _body(kind: type[Body], entries: dict[str, Any]) -> Body:
    names = {field.name for field in fields(kind)}
    if entries.keys() != names and entries.keys() != names - {NOT_WRITTEN}:
        raise StatementError("the statement has other fields than its kind")
    optional = kind is Change
    values: dict[str, Any] = {
        name: None if optional and value is None and name != "key" else READERS[name](value)
        for name, value in entries.items()
    }
    return kind(**values)


def _check(author: bytes, parents: tuple[bytes, ...], body: Body) -> None:
    """What one field says about another."""
    if isinstance(body, Found) == bool(parents):
        raise StatementError("only the founding statement has no parents, and it has none")
    if isinstance(body, Found):
        _check_certificate(body.certificate, author)
        if Permission.ADMIT not in DEFAULTS[body.role]:
            raise StatementError("a home is founded by a device that may admit others")
    elif isinstance(body, Admit):
        _check_admit(body)
    elif isinstance(body, Change) and Permission.ADMIT in (body.permissions or ()):
        raise StatementError("`admit` is given when a device is admitted, and not changed later")


def _check_admit(body: Admit) -> None:
    if is_p256(body.key) and (body.certificate or body.role is not Role.PHONE):
        raise StatementError("only a phone in a browser may have a P-256 key")
    if body.certificate or body.role not in UNLINKED:
        _check_certificate(body.certificate, body.key)
    if body.until is not None and (body.role is not Role.PHONE or Permission.ADMIT in body.permissions):
        raise StatementError("only a phone may be a guest, and a guest lets nobody in")


def _check_certificate(certificate: bytes, key: bytes) -> None:
    try:
        named = certificate_key(certificate)
    except IdentityError as error:
        raise StatementError(str(error)) from None
    if named != key:
        raise StatementError("the certificate is of another key")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise StatementError("a field that should be text is not")
    return value


def _hex(value: object, size: int) -> bytes:
    text = _text(value)
    if len(text) != 2 * size or not HEX.fullmatch(text):
        raise StatementError(f"a field is not {size} bytes in lower-case hexadecimal")
    return bytes.fromhex(text)


def _key(value: object) -> bytes:
    """Of a member; an author's is always Ed25519."""
    size = P256_KEY_SIZE if len(_text(value)) == 2 * P256_KEY_SIZE else KEY_SIZE
    key = _hex(value, size)
    if not is_key(key):
        raise StatementError("a key is neither of Ed25519 nor of P-256")
    return key


def _nonce(value: object) -> bytes:
    return _hex(value, NONCE_SIZE)


def _parents(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MAX_PARENTS:
        raise StatementError("the parents are not a short list")
    parents = tuple(_hex(parent, ID_SIZE) for parent in value)
    if len(set(parents)) != len(parents):
        raise StatementError("a parent is named twice")
    return parents


def _time(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_TIME:
        raise StatementError("the time is not in seconds since 1970")
    return value


def _certificate(value: object) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise StatementError("the certificate is not in base64") from None


def _name(value: object) -> str:
    text = _text(value)
    if not is_name(text):
        raise StatementError("a name is empty, too long or not printable")
    return text


def _role(value: object) -> Role:
    try:
        return Role(_text(value))
    except ValueError:
        raise StatementError("the role is unknown") from None


def _permissions(value: object) -> frozenset[Permission]:
    if not isinstance(value, list):
        raise StatementError("the permissions are not a list")
    try:
        permissions = frozenset(Permission(_text(each)) for each in value)
    except ValueError:
        raise StatementError("a permission is unknown") from None
    if len(permissions) != len(value):
        raise StatementError("a permission is named twice")
    return permissions


READERS: Mapping[str, Callable[[object], Any]] = {
    "key": _key,
    "certificate": _certificate,
    "home_name": _name,
    "name": _name,
    "role": _role,
    "permissions": _permissions,
    "nonce": _nonce,
    "until": _time,
}


def _fields(body: Body) -> dict[str, object]:
    """A statement's own fields as JSON: what READERS reads back."""
    values = {field.name: getattr(body, field.name) for field in fields(body)}
    return {
        name: _written(value, name) for name, value in values.items() if name != NOT_WRITTEN or value is not None
    }


def _written(value: object, field: str) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if field == "certificate" else value.hex()
    return sorted(value) if isinstance(value, frozenset) else value
