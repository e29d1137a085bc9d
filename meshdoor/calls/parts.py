"""Messages of any length up to a bound, carried by notes of a link, which hold 16 KiB (sans-IO).

A message that fits travels whole:   {"about": "history", "say": {...}}
A longer one in parts, in order:     {"about": "history", "token": "...", "part": 0, "of": 3, "data": base64}
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from meshdoor.errors import LocalProtocolError, RemoteProtocolError

MAX_WHOLE = 15_000  # bytes of JSON
PART = 11_000  # bytes; base64 makes 14,668 of them
MAX_MESSAGE = 256 * 1024
MAX_PARTS = -(-MAX_MESSAGE // PART)

Message = dict[str, Any]


def notes_of(about: str, message: Message, token: str) -> list[Message]:
    """The notes that carry a message; `token` tells it from others of this sender."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) <= MAX_WHOLE:
        return [{"about": about, "say": message}]
    if len(data) > MAX_MESSAGE:
        raise LocalProtocolError(f"a message of {len(data)} bytes")
    pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
    return [
        {"about": about, "token": token, "part": number, "of": len(pieces), "data": base64.b64encode(piece).decode()}
        for number, piece in enumerate(pieces)
    ]


@dataclass(slots=True)
class _Unfinished:
    token: str
    of: int
    pieces: list[bytes] = field(default_factory=list)


class Assembly:
    """Puts the parts together again: one unfinished message a sender."""

    def __init__(self) -> None:
        self._unfinished: dict[bytes, _Unfinished] = {}

    def receive(self, sender: bytes, note: Message) -> Message | None:
        """A note; the message that it makes whole, or None. Raises RemoteProtocolError."""
        match note:
            case {"say": dict(message)}:
                return message
            case {"token": str(token), "part": int(part), "of": int(of), "data": str(data)} if 0 <= part < of:
                return self._part(sender, _Unfinished(token[:32], of), part, _decoded(data))
        raise RemoteProtocolError("neither a message nor a part of one")

    def forget(self, sender: bytes) -> None:
        """Its link is gone: what it left unfinished never comes whole."""
        self._unfinished.pop(sender, None)

    def _part(self, sender: bytes, fresh: _Unfinished, part: int, piece: bytes) -> Message | None:
        begun = self._unfinished.pop(sender, None) if part else fresh
        if begun is None or (begun.token, begun.of, len(begun.pieces)) != (fresh.token, fresh.of, part):
            raise RemoteProtocolError("a part without those before it")
        if fresh.of > MAX_PARTS or not 0 < len(piece) <= PART:
            raise RemoteProtocolError("a message that is too long")
        begun.pieces.append(piece)
        if len(begun.pieces) < begun.of:
            self._unfinished[sender] = begun
            return None
        return _message(b"".join(begun.pieces))


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RemoteProtocolError("a part that is not base64") from None


def _message(data: bytes) -> Message:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise RemoteProtocolError("a message that is no object")
    return message
