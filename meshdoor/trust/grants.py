"""Door-open grants: how a member opens a lock, and the lock's proof of what became of it. Wire form, version 1.

Four notes, JSON objects with exactly these fields besides `"about": "grant"`. They travel as NOTEs over
mesh links, or as bodies of SIP MESSAGEs of type application/meshdoor-grant+json, at most 4096 bytes of UTF-8.

    from the opener    step "ask"         ask, opener
    from the lock      step "challenge"   ask, nonce, within
    from the opener    step "grant"       ask, grant
    from the lock      step "receipt"     ask, receipt

    ask       16 bytes that the opener drew; it tells this run from others and is not secret
    opener    the public key that will sign; a phone signs on its page, and the node it is attached to carries notes
    nonce     16 bytes that the lock drew for this key
    within    how long the lock waits for the grant, in whole milliseconds, at most 5000
    grant, receipt
              base64 of: signature (64 bytes) | body (JSON, UTF-8, at most 1024 bytes, no repeated keys)

The signature is over "meshdoor grant v1" NUL body by the opener, and over "meshdoor receipt v1" NUL body by the
lock, with Ed25519, or, by a phone that has a key of P-256, with that (`meshdoor.trust`); over the bytes as carried,
so there is no canonical form. The bodies have exactly these fields:

    grant     home, lock, nonce, opener, person, within
    receipt   home, lock, nonce, opener, person, result, at, simulated

    home      the id of the founding statement
    lock      the public key of the lock
    person    who did it, as people say it: a name as in the roster, or ""
    within    as in the challenge, or less
    result    "opened", "already open", or why not (`Result`)
    at        unix seconds by the lock's clock; shown to people, decides nothing
    simulated whether there is no lock behind the lock

All binary fields are lower-case hexadecimal. A lock that refuses at the ask answers it with a receipt at
once; its nonce is then 16 zero bytes, and its person "".

The lock measures `within` by its own monotonic clock from when it made the challenge. It takes a nonce once,
from the key that asked for it, and holds nonces in memory only: a grant does not outlive a restart.

Vectors: tests/data/trust/grants.json, and of a phone's tests/data/trust/phone_grants.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from meshdoor.errors import GrantError
from meshdoor.trust.identity import KEY_SIZE, Identity
from meshdoor.trust.sealed import (
    Reader,
    read,
    read_bytes,
    read_flag,
    read_key,
    read_number,
    read_object,
    read_sealed,
    read_text,
    seal,
    unseal,
    verify_seal,
    write,
    write_sealed,
)
from meshdoor.trust.statement import ID_SIZE, MAX_TIME, is_name

ABOUT: Final = "grant"
CONTENT_TYPE: Final = "application/meshdoor-grant+json"
GRANT_PURPOSE: Final = b"meshdoor grant v1\0"
RECEIPT_PURPOSE: Final = b"meshdoor receipt v1\0"
NONCE_SIZE: Final = 16  # bytes, of an ask as well
NO_NONCE: Final = bytes(NONCE_SIZE)
LONGEST: Final = 5000  # ms from the challenge to the grant
MAX_MESSAGE: Final = 4096  # bytes of a note in a MESSAGE

Note = dict[str, Any]
RandomBytes = Callable[[int], bytes]


class Result(StrEnum):
    """What became of a grant."""

    OPENED = "opened"
    ALREADY_OPEN = "already open"
    EXPIRED = "too late"
    USED = "not asked for, or used already"
    OTHER_HOME = "meant for another home"
    OTHER_LOCK = "meant for another lock"
    REVOKED = "revoked"
    NOT_PERMITTED = "not permitted"
    GUEST_NO_MORE = "a guest no more"
    TOO_OFTEN = "too often"
    FAILED = "the lock failed"

    @property
    def is_open(self) -> bool:
        """Whether the door can be opened now."""
        return self in (Result.OPENED, Result.ALREADY_OPEN)


@dataclass(frozen=True, slots=True)
class Ask:
    """An opener wants a nonce."""

    ask: bytes
    opener: bytes


@dataclass(frozen=True, slots=True)
class Challenge:
    """The lock's nonce."""

    ask: bytes
    nonce: bytes
    within: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What the opener signs."""

    home: bytes
    lock: bytes
    nonce: bytes
    opener: bytes
    person: str
    within: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the lock signs."""

    home: bytes
    lock: bytes
    nonce: bytes
    opener: bytes
    person: str
    result: Result
    at: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class GrantNote:
    """A signed grant on its way."""

    ask: bytes
    grant: Grant
    carried: bytes


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """A signed receipt on its way."""

    ask: bytes
    receipt: Receipt
    carried: bytes


Step = Ask | Challenge | GrantNote | ReceiptNote


def _person(value: object) -> str:
    text = read_text(value)
    if text and not is_name(text):
        raise GrantError("the person's name is too long or not printable")
    return text


def _result(value: object) -> Result:
    try:
        return Result(read_text(value))
    except ValueError:
        raise GrantError("the result is unknown") from None


READERS: Final[Mapping[str, Reader]] = {
    "ask": read_bytes(NONCE_SIZE),
    "nonce": read_bytes(NONCE_SIZE),
    "opener": read_key,
    "lock": read_bytes(KEY_SIZE),
    "home": read_bytes(ID_SIZE),
    "person": _person,
    "within": read_number(LONGEST),
    "at": read_number(MAX_TIME),
    "result": _result,
    "simulated": read_flag,
}


def parse(note: Note) -> Step:
    """The note as a value, its signature verified. Raises GrantError."""
    entries = {name: value for name, value in note.items() if name not in ("about", "step")}
    match note.get("step"):
        case "ask":
            return read(Ask, entries, READERS)
        case "challenge":
            return read(Challenge, entries, READERS)
        case "grant" if entries.keys() == {"ask", "grant"}:
            carried = read_sealed(entries["grant"])
            grant = read(Grant, unseal(carried), READERS)
            verify_seal(grant.opener, GRANT_PURPOSE, carried)
            return GrantNote(READERS["ask"](entries["ask"]), grant, carried)
        case "receipt" if entries.keys() == {"ask", "receipt"}:
            carried = read_sealed(entries["receipt"])
            receipt = read(Receipt, unseal(carried), READERS)
            verify_seal(receipt.lock, RECEIPT_PURPOSE, carried)
            return ReceiptNote(READERS["ask"](entries["ask"]), receipt, carried)
    raise GrantError("a note of no known step, or without what it must say")


def to_note(value: Step) -> Note:
    """The note of a value."""
    match value:
        case Ask():
            return {"about": ABOUT, "step": "ask", **write(value)}
        case Challenge():
            return {"about": ABOUT, "step": "challenge", **write(value)}
        case GrantNote(ask, _, carried):
            return {"about": ABOUT, "step": "grant", "ask": ask.hex(), "grant": write_sealed(carried)}
        case ReceiptNote(ask, _, carried):
            return {"about": ABOUT, "step": "receipt", "ask": ask.hex(), "receipt": write_sealed(carried)}
        case _:
            assert_never(value)


def sign_grant(identity: Identity, ask: bytes, grant: Grant) -> GrantNote:
    """Raises LocalProtocolError for what no lock would read, such as a person with line breaks."""
    return GrantNote(ask, grant, seal(identity, GRANT_PURPOSE, grant, READERS))


def sign_receipt(identity: Identity, ask: bytes, receipt: Receipt) -> ReceiptNote:
    """Raises LocalProtocolError for what no opener would read."""
    return ReceiptNote(ask, receipt, seal(identity, RECEIPT_PURPOSE, receipt, READERS))


def to_body(note: Note) -> bytes:
    """The body of a MESSAGE."""
    return json.dumps(note, ensure_ascii=False, separators=(",", ":")).encode()


def from_body(body: bytes) -> Note:
    """The note in the body of a MESSAGE. Raises GrantError."""
    return read_object(body, MAX_MESSAGE)


def open_lock(
    identity: Identity, home: bytes, lock: bytes, person: str, random: RandomBytes
) -> Generator[Note, Note, Receipt]:
    """The opener's side: yields notes to send, is sent those that come back, returns the receipt.

    Raises GrantError for an answer that is not the lock's own to this run.
    """
    ask = random(NONCE_SIZE)
    answer = parse((yield to_note(Ask(ask, identity.key))))
    nonce = NO_NONCE
    if isinstance(answer, Challenge) and answer.ask == ask:
        nonce = answer.nonce
        grant = Grant(home, lock, nonce, identity.key, person, answer.within)
        answer = parse((yield to_note(sign_grant(identity, ask, grant))))
    if not isinstance(answer, ReceiptNote) or answer.ask != ask:
        raise GrantError("the lock answered something else")
    receipt = answer.receipt
    if (receipt.home, receipt.lock, receipt.nonce, receipt.opener) != (home, lock, nonce, identity.key):
        raise GrantError("the receipt is of another lock or another grant")
    if receipt.result.is_open and nonce == NO_NONCE:
        raise GrantError("a receipt for a grant that was never given")
    return receipt
