"""Inviting a phone: what its QR code carries, and how the page proves that it read it. Wire form, version 1.

The code is a URL, whose fragment no browser sends to the server:

    https://HOST:PORT/#pair=TOKEN&f=FINGERPRINT&n=HOME

    TOKEN        16 bytes that the node drew, in base64url without padding (RFC 4648 §5)
    FINGERPRINT  SHA-256 of the certificate (DER) that its web server presents, in the same way
    HOME         the name of the home, percent-encoded

The page makes a key, and asks once. Binary fields are lower-case hexadecimal in JSON:

    POST /pair   invitation   the first 16 bytes of SHA-256("meshdoor invitation id v1" NUL token)
                 key          its public key (32 bytes of Ed25519 or 33 of P-256)
                 proof        HMAC-SHA256 under the token of "meshdoor phone v1" NUL key fingerprint

    200          home         the id of the founding statement
                 home_name, name, permissions, until (unix seconds, or null)
                 id           the phone's device id
                 node         the name of the node
                 proof        HMAC-SHA256 under the token of "meshdoor phone reply v1" NUL key fingerprint home

    4xx          error        {code, text}: see `Refusal`

An invitation is good for ten minutes and for one key; who holds that key may ask again, as the answer may have been
lost. It is held in memory only. Five proofs that are wrong make it void.

Vectors: tests/data/trust/invitation.json.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from meshdoor.errors import GrantError, InvitationError
from meshdoor.trust.permissions import Permission
from meshdoor.trust.roster import Member, Roster
from meshdoor.trust.sealed import Reader, read, read_bytes, read_key, read_number, read_object, read_text, write
from meshdoor.trust.statement import ID_SIZE as HOME_SIZE
from meshdoor.trust.statement import MAX_TIME

TOKEN_SIZE: Final = 16  # bytes
ID_SIZE: Final = 16  # bytes
PROOF_SIZE: Final = 32  # bytes, SHA-256
MAX_REQUEST: Final = 512  # bytes of JSON
MAX_REPLY: Final = 2048  # bytes of JSON

_ID: Final = b"meshdoor invitation id v1\0"
_REQUEST: Final = b"meshdoor phone v1\0"
_REPLY: Final = b"meshdoor phone reply v1\0"


class Refusal(StrEnum):
    """Why a phone is not let in."""

    USED = "used"
    LATE = "late"
    UNKNOWN = "unknown"
    FINGERPRINT = "fingerprint"
    WRONG = "wrong"
    CLOSED = "closed"


TEXTS: Final[Mapping[Refusal, str]] = {
    Refusal.USED: "This code was used already, by another phone. Each phone needs a code of its own.",
    Refusal.LATE: "This code is too old. Ask for a new one; it is good for ten minutes.",
    Refusal.UNKNOWN: "This code is not known here. Ask for a new one.",
    Refusal.FINGERPRINT: "This code was made for another certificate than this node has. "
    "If you have just ignored a warning of the browser, go back: somebody may be in between. Ask for a new code.",
    Refusal.WRONG: "This code could not be read as it should be. Ask for a new one.",
    Refusal.CLOSED: "No phone is let in just now. Wait a minute, and try again.",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who holds the token may become a phone of this name."""

    token: bytes = field(repr=False)
    name: str
    permissions: frozenset[Permission]
    until: int | None = None  # unix seconds: a guest
    expires: int = 0  # unix seconds, to be shown; the table goes by its own clock

    @property
    def id(self) -> bytes:
        """What may be said of the token without giving it away."""
        return invitation_id(self.token)

    def url(self, base: str, fingerprint: bytes, home_name: str) -> str:
        """What the QR code says; `base` is `https://HOST:PORT`."""
        fragment = f"pair={_base64url(self.token)}&f={_base64url(fingerprint)}&n={quote(home_name, safe='')}"
        return f"{base.rstrip('/')}/#{fragment}"


@dataclass(frozen=True, slots=True)
class Request:
    """What the page posts."""

    invitation: bytes
    key: bytes
    proof: bytes

    @classmethod
    def parse(cls, data: bytes) -> Request:
        """Read the body of the POST. Raises InvitationError."""
        try:
            return read(cls, read_object(data, MAX_REQUEST), READERS)
        except GrantError:
            raise refused(Refusal.WRONG) from None

    @classmethod
    def of(cls, token: bytes, key: bytes, fingerprint: bytes) -> Request:
        """What a phone asks with."""
        return cls(invitation_id(token), key, request_proof(token, key, fingerprint))

    def __bytes__(self) -> bytes:
        return _written(write(self))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a phone that is let in is told."""

    home: bytes
    home_name: str
    id: str
    name: str
    permissions: frozenset[Permission]
    until: int | None
    node: str
    proof: bytes

    @classmethod
    def of(cls, invitation: Invitation, fingerprint: bytes, member: Member, roster: Roster, node: str) -> Reply:
        """What the node answers to the phone that is `member` of a home now."""
        assert roster.home is not None, "it has a member"
        return cls(
            home=roster.home,
            home_name=roster.home_name,
            id=member.device_id,
            name=member.name,
            permissions=member.permissions,
            until=member.until,
            node=node,
            proof=reply_proof(invitation.token, member.key, fingerprint, roster.home),
        )

    @classmethod
    def parse(cls, data: bytes) -> Reply:
        """Read the body of the answer. Raises InvitationError."""
        try:
            return read(cls, read_object(data, MAX_REPLY), READERS)
        except GrantError:
            raise refused(Refusal.WRONG) from None

    def __bytes__(self) -> bytes:
        return _written(write(self) | {"permissions": sorted(self.permissions)})

    def verify(self, token: bytes, key: bytes, fingerprint: bytes) -> bool:
        """Does whoever answered hold the token? What a phone asks itself."""
        return hmac.compare_digest(self.proof, reply_proof(token, key, fingerprint, self.home))


def _permissions(value: object) -> frozenset[Permission]:
    if not isinstance(value, list):
        raise GrantError("the permissions are not a list")
    try:
        return frozenset(Permission(read_text(each)) for each in value)
    except ValueError:
        raise GrantError("a permission is unknown") from None


def _until(value: object) -> int | None:
    return None if value is None else read_number(MAX_TIME)(value)


READERS: Final[Mapping[str, Reader]] = {
    "invitation": read_bytes(ID_SIZE),
    "key": read_key,
    "proof": read_bytes(PROOF_SIZE),
    "home": read_bytes(HOME_SIZE),
    "home_name": read_text,
    "id": read_text,
    "name": read_text,
    "permissions": _permissions,
    "until": _until,
    "node": read_text,
}


def refused(why: Refusal) -> InvitationError:
    """The error that says so."""
    return InvitationError(TEXTS[why], str(why))


def invitation_id(token: bytes) -> bytes:
    return hashlib.sha256(_ID + token).digest()[:ID_SIZE]


def request_proof(token: bytes, key: bytes, fingerprint: bytes) -> bytes:
    return hmac.digest(token, _REQUEST + key + fingerprint, "sha256")


def reply_proof(token: bytes, key: bytes, fingerprint: bytes, home: bytes) -> bytes:
    return hmac.digest(token, _REPLY + key + fingerprint + home, "sha256")


def error_body(error: InvitationError) -> bytes:
    """The body of a 4xx."""
    return _written({"error": {"code": error.code, "text": str(error)}})


def _written(entries: dict[str, Any]) -> bytes:
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
