"""The control socket: how the command line, scripts and the Python API talk to the node on this host.

A Unix stream socket `control.sock` in the state directory, mode 0600: who may read the node's key may command it.
One JSON object a line, UTF-8, at most 1 MiB a line.

    request   {"id": 1, "verb": "status", "args": {}}
    progress  {"id": 1, "event": {...}}           any number, while a verb runs
    answer    {"id": 1, "ok": ...}                exactly one of these two
              {"id": 1, "error": {"kind": "Refused", "message": "...", "hint": "..."}}

Requests of one connection run side by side, up to 16. The verb `cancel`, `{"id": 1}`, ends another request of the same
connection, whose error is then "cancelled"; closing the connection cancels all that it still has under way.
"""

from __future__ import annotations

import json
from typing import Any

from meshdoor import errors
from meshdoor.errors import RemoteProtocolError, UserError

SOCKET_NAME = "control.sock"
MAX_LINE = 1 << 20

Json = Any


def encode(message: dict[str, Json]) -> bytes:
    """One line of the control protocol."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Json]:
    """The object in one line. Raises RemoteProtocolError."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"control: not JSON: {error}") from error
    if not isinstance(message, dict):
        raise RemoteProtocolError("control: not an object")
    return message


def error_to_json(error: UserError) -> dict[str, str]:
    """What an answer says of an error."""
    return {"kind": type(error).__name__, "message": str(error), "hint": error.hint}


def error_from_json(document: dict[str, str]) -> UserError:
    """The error that an answer speaks of, of its own class where we know it."""
    kind = getattr(errors, document.get("kind", ""), UserError)
    if not (isinstance(kind, type) and issubclass(kind, UserError)):
        kind = UserError
    return kind(document.get("message", "the node gave no reason"), document.get("hint", ""))
