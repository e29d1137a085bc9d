"""How a phone proves, whenever it connects to a node, that it is the member it says it is. Wire form, version 1.

The node sends 32 bytes that it drew for this connection, as hexadecimal in JSON; the page answers with exactly

    key         its public key
    signature   of "meshdoor attach v1" NUL challenge fingerprint purpose

both in lower-case hexadecimal. The fingerprint is SHA-256 of the certificate (DER) that the web server presents, as
the page learned it when it was paired: whoever sits between page and node cannot pass the proof on. The purpose
is "sip" or "home", so that what was signed for one socket opens no other.

Vectors: tests/data/trust/attach.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshdoor.errors import AttachError, GrantError
from meshdoor.trust import identity
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster
from meshdoor.trust.sealed import Reader, read, read_bytes, read_key, read_object

PURPOSE: Final = b"meshdoor attach v1\0"
CHALLENGE_SIZE: Final = 32  # bytes
FINGERPRINT_SIZE: Final = 32  # bytes, SHA-256
MAX_PROOF: Final = 512  # bytes of JSON


class Purpose(StrEnum):
    """What the connection is for."""

    SIP = "sip"
    HOME = "home"


class Refusal(StrEnum):
    """Why a phone is not attached; the page has words for each."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"


TEXTS: Final[Mapping[Refusal, str]] = {
    Refusal.WRONG: "This phone could not prove who it is.",
    Refusal.UNKNOWN: "This phone does not belong to this home.",
    Refusal.REVOKED: "This phone was removed from this home.",
    Refusal.EXPIRED: "The time of this guest is over.",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What the page answers to the challenge."""

    key: bytes
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read the page's answer. Raises AttachError."""
        try:
            return read(cls, read_object(data, MAX_PROOF), READERS)
        except GrantError:
            raise refused(Refusal.WRONG) from None


READERS: Final[Mapping[str, Reader]] = {"key": read_key, "signature": read_bytes(identity.SIGNATURE_SIZE)}


def refused(why: Refusal) -> AttachError:
    """The error that says so."""
    return AttachError(TEXTS[why], str(why))


def signed(challenge: bytes, fingerprint: bytes, purpose: Purpose) -> bytes:
    """The bytes that the phone signs."""
    return PURPOSE + challenge + fingerprint + purpose.encode()


def prove(itself: identity.Identity, challenge: bytes, fingerprint: bytes, purpose: Purpose) -> Proof:
    """What a phone with an Ed25519 key answers."""
    return Proof(itself.key, itself.sign(signed(challenge, fingerprint, purpose)))


def verify(proof: Proof, challenge: bytes, fingerprint: bytes, purpose: Purpose) -> bool:
    """Does the one who answered hold the key?"""
    return identity.verify(proof.key, proof.signature, signed(challenge, fingerprint, purpose))


def attachable(roster: Roster, key: bytes, unix_now: float) -> Member:
    """The phone of that key, if it may attach now. Raises AttachError."""
    if key in roster.revoked:
        raise refused(Refusal.REVOKED)
    member = roster.member(key)
    if member is None or member.role is not Role.PHONE:
        raise refused(Refusal.UNKNOWN)
    if member.expired(unix_now):
        raise refused(Refusal.EXPIRED)
    return member
