"""What a member wants who writes a message (RFC 3428): `open`, or `open NAME` of a lock or a door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshdoor.errors import SipError

TEXT: Final = "text/plain"
MAX_BODY: Final = 256  # bytes
MAX_NAME: Final = 64
HELP: Final = "Write: open, or: open NAME of a door."

_OPEN: Final = "open"
_BETWEEN: Final = " \t\r\n:,"
_BEHIND: Final = " \t\r\n.!"


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A lock is to be opened: that of this name, or of the door of this name; "" is whichever is meant."""

    name: str = ""


def order_of(content_type: str, body: bytes) -> OpenOrder | None:
    """What the message orders; None for small talk. `content_type` is type/subtype in lower case.

    Raises SipError: 415 for no text, 413 for too long a one, 400 for one that is not UTF-8.
    """
    if content_type != TEXT:
        raise SipError(f"a message of {content_type[:40]}", 415)
    if len(body) > MAX_BODY:
        raise SipError("a message that is too long", 413)
    try:
        text = body.decode().strip(_BEHIND)
    except UnicodeDecodeError:
        raise SipError("a message that is not UTF-8") from None
    verb, rest = text[: len(_OPEN)], text[len(_OPEN) :]
    name = rest.strip(_BETWEEN)
    if verb.casefold() != _OPEN or (rest and rest[0] not in _BETWEEN):
        return None
    return OpenOrder(name) if len(name) <= MAX_NAME and name.isprintable() else None
