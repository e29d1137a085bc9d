"""What a node keeps of the door stations that it rings for, in `stations.json`:

    {KEY: {"uri": "sip:panel@192.168.1.40", "media": "srtp"|"dtls"|"plain", "certificate"?: hex of DER,
           "code"?: digits, "by_info"?: true, "SHA-256"?: H(A1), "MD5"?: H(A1)}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshdoor.control import Json
from meshdoor.errors import SipError, UserError
from meshdoor.node.adopted import Place
from meshdoor.node.attachments import MAX_CLIENTS
from meshdoor.sip.digest import make_ha1
from meshdoor.sip.dtmf import DIGITS
from meshdoor.sip.registrar import ALGORITHMS, REALM
from meshdoor.trust.identity import is_key

MAX_CODE: Final = 16  # digits


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a station is, and the digits that open what it guards. `by_info`: it takes digits as INFO, not with the
    sound."""

    where: Place
    code: str = field(default="", repr=False)
    by_info: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a station; `hashed` are H(A1) by algorithm, where it has a secret."""

    kept: Kept
    hashed: Mapping[str, str]

    @classmethod
    def read(cls, stored: Json) -> Known:
        """Raises ValueError, SipError."""
        where = Place.read(stored)
        code = str(stored.get("code", ""))
        if not set(code) <= set(DIGITS) or len(code) > MAX_CODE:
            raise ValueError("a code that is none")
        hashed = {name: str(stored[name]) for name in ALGORITHMS if name in stored}
        if hashed and len(hashed) < len(ALGORITHMS):
            raise ValueError("half a secret")
        return cls(Kept(where, code, stored.get("by_info") is True), hashed)

    def stored(self) -> Json:
        table: dict[str, Json] = dict(self.kept.where.stored())
        table |= {"code": self.kept.code} if self.kept.code else {}
        table |= {"by_info": True} if self.kept.by_info else {}
        return table | dict(self.hashed)


def hashed(where: Place, secret: str) -> dict[str, str]:
    """H(A1) by algorithm. Raises UserError."""
    if not secret:
        return {}
    if not where.uri.user:
        raise UserError("a station with a secret has a user name", "for example: sip:panel@192.168.1.40")
    return {name: make_ha1(name, where.uri.user, REALM, secret) for name in ALGORITHMS}


def read(stored: Mapping[str, Json]) -> Iterable[tuple[bytes, Known]]:
    for name, found in list(stored.items())[:MAX_CLIENTS]:
        try:
            key, known = bytes.fromhex(name), Known.read(found)
        except (ValueError, SipError):
            continue
        if is_key(key):
            yield key, known
