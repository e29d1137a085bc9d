"""The roster on disk: lines of text, so that damage stays where it happened.

    meshdoor roster 1
    <base64 of a statement as carried> <first 8 hex digits of its SHA-256>
    …
    sha256 <hex SHA-256 of all the lines above>

Statements stand in causal order, so whatever prefix is whole is a roster of its own; what a damaged tail
held comes back from the other members. The signatures are not looked at here: the history does that.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

HEADER = b"meshdoor roster 1"
TRAILER = b"sha256 "


@dataclass(frozen=True, slots=True)
class StoredRoster:
    """What could be read, and one sentence on what could not (empty when all is well)."""

    statements: tuple[bytes, ...] = ()
    damage: str = ""

    @classmethod
    def parse(cls, data: bytes) -> StoredRoster:
        """Keep the statements before the first damage. Never raises."""
        header, *lines = data.split(b"\n")
        if header != HEADER:
            return cls((), "the roster file is not readable")
        statements: list[bytes] = []
        for line in lines:
            if line.startswith(TRAILER):
                return cls(tuple(statements), _trailer_damage(data, line, len(statements)))
            statement = _statement(line)
            if statement is None:
                return cls(tuple(statements), _damaged(len(statements)))
            statements.append(statement)
        return cls(tuple(statements), _damaged(len(statements)))

    def __bytes__(self) -> bytes:
        body = b"".join(line + b"\n" for line in (HEADER, *map(_line, self.statements)))
        return body + TRAILER + _digest(body) + b"\n"


def dump(statements: Iterable[bytes]) -> bytes:
    """The file that holds these statements."""
    return bytes(StoredRoster(tuple(statements)))


def _line(statement: bytes) -> bytes:
    return base64.b64encode(statement) + b" " + _digest(statement)[:8]


def _statement(line: bytes) -> bytes | None:
    text = line.partition(b" ")[0]
    try:
        statement = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return statement if statement and _line(statement) == line else None


def _trailer_damage(data: bytes, line: bytes, count: int) -> str:
    body = data[: data.index(b"\n" + line) + 1]
    return "" if body + TRAILER + _digest(body) + b"\n" == data else _damaged(count)


def _damaged(count: int) -> str:
    return f"the roster file is damaged after statement {count}: kept those, the other members have the rest"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
