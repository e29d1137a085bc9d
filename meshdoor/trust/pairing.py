"""Pairing: a newcomer proves the code that a person read off it, and gets the roster.

Both roles are generators, so that each is read from top to bottom and the far side of a test is the real code.
A generator yields bytes (send this frame; it is resumed at once) or an int (give me the next frame, whose payload
may have at most so many bytes; it is sent kind and payload). Its value is the result, its errors are PairingError.
`exchange.Exchange` drives one over a byte stream.

Wire format, over TCP, version 1
================================
A frame is kind (1 byte), length of the payload (3 bytes, big endian), payload. Either side may have dialled;
both speak at once in steps 1 and 2. A is the admitter (a member with `admit`), N the newcomer.

1. A→N, N→A  "H"  version (1 byte, 1), role (1 byte, "A" or "N"), Ed25519 public key (32), ticket (16)
                  The ticket names the password: zeros for a code, else it names an enrolment. A sends zeros.
2. A→N, N→A  "S"  SPAKE2 over Ed25519 as the `spake2` package has it, 33 bytes; A is side A; idA and idB are the
                  public keys of step 1; the password is "code " and eight ASCII digits, or "token " and 16 bytes.
                  transcript = SHA-256(H of A, H of N, S of A, S of N), payloads only.
                  k(label) = BLAKE2b-256, key: the SPAKE2 key, input: label and transcript.
3. A→N       "C"  k("confirm admitter"). Who could be guessing proves first; N has shown nothing of the code yet.
4. N→A       "C"  k("confirm newcomer")
5. N→A       "B"  JSON {name, role, certificate, signature}; at most 4096 bytes
6. A→N       "B"  JSON {statements: how many, hints: addresses, signature}; at most 4096 bytes
7. A→N       "B"… the statements, in causal order, each as length (2 bytes) and bytes; at most 65,536 bytes a frame
8. N→A       "B"  "done": N holds a roster in which it and A are members, and A may admit

"B" is a NaCl secretbox without its nonce, which is the count of boxes so far that way (24 bytes, big endian); the
keys are k("box admitter") and k("box newcomer"). A signature is Ed25519 over "meshdoor pairing v1 admitter\\0" (or
newcomer) and the transcript; binary JSON values are base64. At any time: "R" refuses, reason (1 byte: 1 wrong code,
2 failed, 3 busy) and seconds to wait (2 bytes).

A run by itself gives an attacker one guess, and the identities are part of the key: who relays between two sides
under a key of its own ends with two different keys, and who replays meets a fresh SPAKE2 message.
The arithmetic of `spake2` does not run in constant time; `window.PairingWindow` therefore counts every run.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from nacl.secret import SecretBox
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from meshdoor.errors import ConfigError, PairingError, StatementError, WrongCode
from meshdoor.trust.channel import ADMITTER, NEWCOMER, OTHER, Channel
from meshdoor.trust.history import History
from meshdoor.trust.identity import KEY_SIZE, Identity
from meshdoor.trust.introduction import Grant, Introduction, Newcomer, Offer, pack, unpack
from meshdoor.trust.permissions import Permission, Role

T = TypeVar("T")
Steps = Generator[bytes | int, bytes, T]

VERSION = 1
HELLO, SHARE, CONFIRM, BOX, REFUSED = b"H", b"S", b"C", b"B", b"R"
TICKET_SIZE = 16
NO_TICKET = bytes(TICKET_SIZE)
HELLO_SIZE = 2 + KEY_SIZE + TICKET_SIZE
SHARE_SIZE = 33
CONFIRM_SIZE = 32
REFUSED_SIZE = 3
SMALL_BOX = 4096  # bytes
LARGE_BOX = 65536  # bytes
DONE = b"done"

CODE = re.compile(r"(\d{4})[ -]?(\d{4})", re.ASCII)


class Reason(IntEnum):
    """Why a side refuses to go on."""

    WRONG_CODE = 1
    FAILED = 2
    BUSY = 3


@dataclass(frozen=True, slots=True)
class Password:
    """What both sides must know, and the ticket that names it (zeros for a code)."""

    secret: bytes = field(repr=False)
    ticket: bytes = NO_TICKET

    @classmethod
    def from_code(cls, code: str) -> Password:
        """Of `1234-5678`, with or without the dash; raises ConfigError."""
        digits = CODE.fullmatch(code.strip())
        if digits is None:
            raise ConfigError(
                f"{code!r} is not a pairing code", "it has eight digits, such as 1234-5678; the newcomer shows it"
            )
        return cls(b"code " + "".join(digits.groups()).encode())

    @classmethod
    def from_token(cls, token: bytes) -> Password:
        """Of an enrolment's token; its ticket tells nothing about it."""
        return cls(b"token " + token, hashlib.sha256(b"meshdoor ticket\0" + token).digest()[:TICKET_SIZE])


@dataclass(frozen=True, slots=True)
class Hello:
    """Step 1: who speaks, and which password it means."""

    role: bytes
    key: bytes
    ticket: bytes = NO_TICKET

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        if len(payload) != HELLO_SIZE:
            raise PairingError("its greeting has the wrong length")
        if payload[0] != VERSION:
            raise PairingError(f"it pairs by version {payload[0]}, this device by {VERSION}: update the older")
        key_end = 2 + KEY_SIZE
        return cls(payload[1:2], payload[2:key_end], payload[key_end:])

    def __bytes__(self) -> bytes:
        return bytes([VERSION]) + self.role + self.key + self.ticket


def frame(kind: bytes, payload: bytes) -> bytes:
    """A frame as it is sent."""
    return kind + len(payload).to_bytes(3, "big") + payload


def refusal(reason: Reason, wait: float = 0.0) -> bytes:
    """The frame with which a side refuses; `wait` is in seconds."""
    seconds = min(max(int(wait + 0.999), 0), 0xFFFF)
    return frame(REFUSED, bytes([reason]) + seconds.to_bytes(2, "big"))


def admitter_side(
    identity: Identity,
    passwords: Sequence[Password],
    admit: Callable[[Newcomer], Grant],
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Steps[Newcomer]:
    """Let in a newcomer that knows one of the passwords. `admit` signs its statement and gives the whole roster."""
    own = Hello(ADMITTER, identity.key)
    yield frame(HELLO, bytes(own))
    other = yield from _greeting(own)
    password = next((known for known in passwords if known.ticket == other.ticket), None)
    if password is None:
        raise PairingError("its enrolment is not known here: used, expired, or written by another node")
    spake = SPAKE2_A(password.secret, idA=own.key, idB=other.key, entropy_f=random_bytes)
    channel = yield from _agree(spake, own, other)
    yield frame(CONFIRM, channel.confirmation())
    channel.check_confirmation((yield from _expect(CONFIRM, CONFIRM_SIZE)))
    introduction = Introduction.parse(channel.open((yield from _expect(BOX, SMALL_BOX))))
    channel.check_signature(other.key, introduction.signature)
    newcomer = introduction.newcomer(other.key, other.ticket)
    grant = admit(newcomer)
    offer = Offer(len(grant.statements), grant.hints, channel.signature(identity))
    yield frame(BOX, channel.seal(bytes(offer)))
    for batch in pack(grant.statements, LARGE_BOX - SecretBox.MACBYTES):
        yield frame(BOX, channel.seal(batch))
    channel.open((yield from _expect(BOX, SMALL_BOX)))
    return newcomer


def newcomer_side(
    identity: Identity,
    password: Password,
    name: str,
    role: Role,
    keep: Callable[[Grant], None],
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Steps[Grant]:
    """Join the home of an admitter that knows the password.

    `keep` stores the grant, which was checked; only when it has returned does the admitter hear "done".
    """
    own = Hello(NEWCOMER, identity.key, password.ticket)
    yield frame(HELLO, bytes(own))
    other = yield from _greeting(own)
    spake = SPAKE2_B(password.secret, idA=other.key, idB=own.key, entropy_f=random_bytes)
    channel = yield from _agree(spake, own, other)
    channel.check_confirmation((yield from _expect(CONFIRM, CONFIRM_SIZE)))
    yield frame(CONFIRM, channel.confirmation())
    introduction = Introduction(name, role, identity.certificate, channel.signature(identity))
    yield frame(BOX, channel.seal(bytes(introduction)))
    offer = Offer.parse(channel.open((yield from _expect(BOX, SMALL_BOX))))
    channel.check_signature(other.key, offer.signature)
    statements: list[bytes] = []
    while missing := offer.statements - len(statements):
        statements += unpack(channel.open((yield from _expect(BOX, LARGE_BOX))), missing)
    grant = Grant(tuple(statements), offer.hints, other.key)
    check_grant(grant, own.key)
    keep(grant)
    yield frame(BOX, channel.seal(DONE))
    return grant


def check_grant(grant: Grant, key: bytes) -> None:
    """Is `key` a member in the granted roster, and may who granted it admit? Raises PairingError."""
    history = History()
    try:
        for statement in grant.statements:
            history.add(statement)
    except StatementError as error:
        raise PairingError(f"its roster cannot be used: {error}") from None
    if key not in history.roster.members:
        raise PairingError("its roster does not hold this device")
    if not history.roster.may(grant.admitter, Permission.ADMIT):
        raise PairingError("it is no member that may admit devices")


def _expect(kind: bytes, limit: int) -> Steps[bytes]:
    """The payload of the next frame, which must be of this kind."""
    received = yield limit
    payload = received[1:]
    if received[:1] == REFUSED:
        raise _refused(payload)
    if received[:1] != kind:
        raise PairingError("it sent something out of turn")
    return payload


def _refused(payload: bytes) -> PairingError:
    reason, seconds = payload[:1], int.from_bytes(payload[1:], "big")
    if reason == bytes([Reason.WRONG_CODE]):
        return WrongCode("the code is wrong")
    if reason == bytes([Reason.BUSY]):
        return PairingError(f"it takes no guess now: try again in {f'{seconds} s' if seconds else 'a moment'}")
    return PairingError("it broke off")


def _greeting(own: Hello) -> Steps[Hello]:
    other = Hello.parse((yield from _expect(HELLO, HELLO_SIZE)))
    if other.role != OTHER[own.role]:
        raise PairingError("it is not the other side of a pairing")
    return other


def _agree(spake: SPAKE2_A | SPAKE2_B, own: Hello, other: Hello) -> Steps[Channel]:
    """Step 2, by either side."""
    mine = spake.start()
    yield frame(SHARE, mine)
    theirs = yield from _expect(SHARE, SHARE_SIZE)
    if len(theirs) != SHARE_SIZE:
        raise PairingError("its share has the wrong length")
    try:
        key = spake.finish(theirs)
    except (SPAKEError, NotOnCurve, ValueError):
        raise PairingError("its share cannot be used") from None
    both = [(own, mine), (other, theirs)] if own.role == ADMITTER else [(other, theirs), (own, mine)]
    transcript = hashlib.sha256(b"".join([bytes(hello) for hello, _ in both] + [share for _, share in both]))
    return Channel(own.role, key, transcript.digest())
