"""Digest authentication, both sides (RFC 7616, RFC 8760; RFC 3261 §22).

The algorithms of a side stand in the order of its preference. MD5 is spoken only where the caller lists it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.grammar import split_list
from meshdoor.sip.headers import Challenge, Credentials
from meshdoor.sip.message import Request
from meshdoor.sip.nonce import Nonces
from meshdoor.sip.uri import parse_uri

STRONG: Final = ("SHA-256", "SHA-512-256")
WITH_MD5: Final = (*STRONG, "MD5")  # for old peers, by policy

NONCE_LIFETIME: Final = 300.0  # seconds
MAX_CREDENTIALS: Final = 4  # of one request that are looked at
FIRST: Final = "00000001"  # the nonce count of a first use

_NC: Final = re.compile(r"[0-9A-Fa-f]{8}")
_HASHES: Final = {"SHA-256": "sha256", "SHA-512-256": "sha512_256", "MD5": "md5"}
_SESSION: Final = "-SESS"


def hash_hex(algorithm: str, data: bytes) -> str:
    """H() of RFC 7616 §3.4 in lower-case hex; `algorithm` with or without -sess, in any case."""
    name = _HASHES[algorithm.upper().removesuffix(_SESSION)]
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def make_ha1(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password): what a server may store instead of the password."""
    return _hash_text(algorithm, f"{username}:{realm}:{password}")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _hash_text(algorithm: str, text: str) -> str:
    return hash_hex(algorithm, _octets(text))


@dataclass(frozen=True, slots=True)
class Proof:
    """What goes into a response besides H(A1) and the request."""

    algorithm: str
    nonce: str
    qop: str = ""  # "" as in RFC 2069
    cnonce: str = ""
    nc: str = ""

    def response(self, ha1: str, method: str, uri: str, body: bytes) -> str:
        """RFC 7616 §3.4.1; `ha1` is H(username:realm:password), -sess is seen to here."""
        if self.algorithm.upper().endswith(_SESSION):
            ha1 = self._hash(f"{ha1}:{self.nonce}:{self.cnonce}")
        a2 = f"{method}:{uri}"
        if self.qop == "auth-int":
            a2 += ":" + hash_hex(self.algorithm, body)
        middle = f"{self.nonce}:{self.nc}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        return self._hash(f"{ha1}:{middle}:{self._hash(a2)}")

    def _hash(self, text: str) -> str:
        return _hash_text(self.algorithm, text)


def choose(challenges: Sequence[Challenge], algorithms: tuple[str, ...]) -> Challenge | None:
    """The topmost challenge we can meet (RFC 8760 §2.4); one with MD5 only if no other can be met."""
    usable = [c for c in challenges if c.scheme.lower() == "digest" and _is_usable(c, algorithms)]
    strong = [c for c in usable if _family(c) != "MD5"]
    return next(iter(strong or usable), None)


def _family(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").upper().removesuffix(_SESSION)


def _is_usable(challenge: Challenge, algorithms: tuple[str, ...]) -> bool:
    parameters = challenge.parameters
    return (
        _family(challenge) in algorithms
        and "realm" in parameters
        and "nonce" in parameters
        and ("qop" not in parameters or _pick_qop(parameters["qop"]) != "")
    )


def _pick_qop(offered: str) -> str:
    """auth where it is offered, else auth-int, else ""."""
    tokens = [token.lower() for token in split_list(offered)]
    return next((qop for qop in ("auth", "auth-int") if qop in tokens), "")


class DigestClient:
    """One account's side: keeps the challenge it met last and counts the uses of its nonce."""

    def __init__(
        self,
        username: str,
        password: str,
        algorithms: tuple[str, ...] = STRONG,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._username = username
        self._password = password
        self._algorithms = algorithms
        self._random_bytes = random_bytes
        self._offer: Mapping[str, str] = {}
        self._count = 0

    def challenged(self, challenges: Sequence[Challenge], sent: Credentials | None = None) -> bool:
        """Take the challenges of a 401 or 407. True if it is worth sending the request again.

        `sent` is what the refused request carried: if that was the first use of its nonce and the server
        does not call it stale, the password is wrong and asking again would only repeat it.
        """
        chosen = choose(challenges, self._algorithms)
        if chosen is None:
            return False
        if chosen.parameters["nonce"] != self._offer.get("nonce"):
            self._count = 0
        self._offer = chosen.parameters
        stale = self._offer.get("stale", "").lower() == "true"
        return sent is None or stale or sent.parameters.get("nc", FIRST) != FIRST

    def authorize(self, method: str, uri: str, body: bytes = b"") -> Credentials | None:
        """The credentials for one request; None before the first challenge. `uri` is the Request-URI."""
        offer = self._offer
        if not offer:
            return None
        self._count += 1
        algorithm, qop = offer.get("algorithm", "MD5"), _pick_qop(offer.get("qop", ""))
        if qop or algorithm.upper().endswith(_SESSION):
            proof = Proof(algorithm, offer["nonce"], qop, self._random_bytes(16).hex(), f"{self._count:08x}")
        else:
            proof = Proof(algorithm, offer["nonce"])
        return Credentials("Digest", self._parameters(proof, method, uri, body))

    def _parameters(self, proof: Proof, method: str, uri: str, body: bytes) -> dict[str, str]:
        offer, realm, name = self._offer, self._offer["realm"], self._username
        ha1 = make_ha1(proof.algorithm, name, realm, self._password)
        hashed = offer.get("userhash", "").lower() == "true"
        parameters = {
            "username": _hash_text(proof.algorithm, f"{name}:{realm}") if hashed else name,
            "realm": realm,
            "nonce": proof.nonce,
            "uri": uri,
            "response": proof.response(ha1, method, uri, body),
        }
        parameters |= {key: offer[key] for key in ("algorithm", "opaque") if key in offer}
        if proof.cnonce:
            parameters["cnonce"] = proof.cnonce
        if proof.qop:
            parameters |= {"qop": proof.qop, "nc": proof.nc}
        if hashed:
            parameters["userhash"] = "true"
        return parameters


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who sent a request, or, if nobody has proved it, what a 401 must ask."""

    username: str | None
    challenges: tuple[Challenge, ...] = ()


class DigestServer:
    """A realm. `find_ha1(username, algorithm)` gives `make_ha1` of a user, None for an unknown one.

    It keeps nothing for those who do not authenticate. ACK and CANCEL cannot be challenged (§22.1).
    """

    def __init__(
        self,
        realm: str,
        find_ha1: Callable[[str, str], str | None],
        algorithms: tuple[str, ...] = STRONG,
        lifetime: float = NONCE_LIFETIME,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._realm = realm
        self._find_ha1 = find_ha1
        self._algorithms = algorithms
        self._nonces = Nonces(lifetime, random_bytes)
        self._nobody = random_bytes(32).hex()

    def challenges(self, now: float, stale: bool = False) -> tuple[Challenge, ...]:
        """One WWW-Authenticate for each algorithm, in the order of preference (RFC 8760 §2.3)."""
        nonce = self._nonces.issue(now)
        offer = {"realm": self._realm, "nonce": nonce, "qop": "auth,auth-int"}
        late = {"stale": "true"} if stale else {}
        return tuple(Challenge("Digest", {**offer, "algorithm": name, **late}) for name in self._algorithms)

    def authenticate(self, request: Request, now: float) -> Authentication:
        """Check the Authorization headers of a request (only those of this realm, four at most)."""
        stale = False
        for credentials in request.authorization[:MAX_CREDENTIALS]:
            proof = self._read_proof(credentials)
            if proof is None or not self._is_right(proof, credentials.parameters, request):
                continue
            count = int(proof.nc, 16) if proof.nc else 1
            if self._nonces.is_fresh(proof.nonce, now) and self._nonces.use(proof.nonce, count):
                return Authentication(credentials.parameters["username"])
            stale = True
        return Authentication(None, self.challenges(now, stale))

    def _read_proof(self, credentials: Credentials) -> Proof | None:
        given = credentials.parameters
        algorithm = given.get("algorithm", "MD5")
        family = algorithm.upper().removesuffix(_SESSION)
        qop, nc, cnonce = given.get("qop", ""), given.get("nc", ""), given.get("cnonce", "")
        usable = (
            credentials.scheme.lower() == "digest"
            and given.get("realm") == self._realm
            and family in self._algorithms
            and not {"username", "nonce", "uri", "response"} - given.keys()
        )
        if not usable:
            return None
        if not qop:  # RFC 3261 §22.4 (8): old peers, and so old algorithms, only
            return Proof(algorithm, given["nonce"], cnonce=cnonce) if family == "MD5" else None
        if qop.lower() not in ("auth", "auth-int") or not cnonce or _NC.fullmatch(nc) is None:
            return None
        return Proof(algorithm, given["nonce"], qop.lower(), cnonce, nc)

    def _is_right(self, proof: Proof, given: Mapping[str, str], request: Request) -> bool:
        family = proof.algorithm.upper().removesuffix(_SESSION)
        ha1 = self._find_ha1(given["username"], family)
        expected = proof.response(ha1 or self._nobody, request.method, given["uri"], request.body)
        matches = hmac.compare_digest(expected.encode(), _octets(given["response"].lower()))
        return matches and ha1 is not None and _means(given["uri"], request)


def _means(uri: str, request: Request) -> bool:
    """Whether a digest-uri is the Request-URI (RFC 7616 §3.4.6)."""
    try:
        return str(request.uri) == uri or parse_uri(uri).equivalent(request.uri)
    except SipError:
        return False
