"""Registration of clients over connections that stay (RFC 3261 §10.3, RFC 5626): the connection is the binding.

Nothing is kept here but the nonces of those who have proven their secret. Whoever has not is told the same about
names that exist and names that do not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.compose import Fields, response_to
from meshdoor.sip.credentials import Challenge
from meshdoor.sip.digest import DigestServer
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Request, Response
from meshdoor.sip.uri import SipUri, Uri
from meshdoor.sip.validate import Capabilities, answer, check_request

REALM: Final = "meshdoor"
ALGORITHMS: Final = ("SHA-256", "MD5")  # the best first (RFC 8760 §2.3)
WEAK: Final = "MD5"
BROWSERS: Final = frozenset({"WS", "WSS"})
STRONG_CLIENTS: Final = re.compile("meshdoor|linphone", re.IGNORECASE)

# Seconds.
DEFAULT_EXPIRES: Final = 600
MIN_EXPIRES: Final = 60
MAX_EXPIRES: Final = 3600

ABLE: Final = Capabilities(methods=(*Capabilities().methods, "REGISTER"), extensions=("path", "outbound", "gruu"))

FindHa1 = Callable[[str, str], str | None]
RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Registered:
    """Who is at the other end, until when: `expires` is in seconds. `contact` is None for who takes leave."""

    username: str
    contact: Uri | None
    expires: int
    response: Response


class Registrar:
    """`find_ha1(username, algorithm)` gives `digest.make_ha1` of a user in REALM, None for an unknown one."""

    def __init__(self, find_ha1: FindHa1, random: RandomBytes = secrets.token_bytes) -> None:
        self._digest = DigestServer(REALM, find_ha1, ALGORITHMS, random_bytes=random)
        self._random = random

    def register(self, request: Request, now: float) -> Registered | Response:
        """What a REGISTER comes to; a Response alone changes nothing. SipError for what cannot even be answered."""
        fault = check_request(request, ABLE)
        if fault is not None:
            response = answer(request.method, request.headers, fault)
            if response is None:
                raise SipError(fault.why)
            return response
        who = self._digest.authenticate(request, now)
        if who.username is None:
            return self._challenge(request, who.challenges)
        to = request.to.uri
        if not isinstance(to, SipUri) or to.user != who.username:
            return self._answer(request, 403)
        return self._bind(request, who.username)

    def authenticate(self, request: Request, now: float) -> str | Response:
        """Who sent a request that is no REGISTER, or the challenge. SipError for what cannot be answered."""
        who = self._digest.authenticate(request, now)
        return self._challenge(request, who.challenges) if who.username is None else who.username

    def challenge(self, request: Request, now: float) -> Response:
        """The answer to any other request of who has not registered. SipError for what cannot be answered."""
        return self._challenge(request, self._digest.challenges(now))

    def _bind(self, request: Request, username: str) -> Registered | Response:
        contact = next(iter(request.contacts), None)
        seconds = _expires(request, contact)
        if request.contact_wildcard:
            if seconds != 0:
                return self._answer(request, 400)  # §10.3, step 6
        elif contact is None:
            return self._answer(request, 200)
        if seconds == 0 or contact is None:
            return Registered(username, None, 0, self._answer(request, 200))
        if seconds < MIN_EXPIRES:
            return self._answer(request, 423, [("Min-Expires", str(MIN_EXPIRES))])
        seconds = min(seconds, MAX_EXPIRES)
        bound = contact.with_parameter("expires", str(seconds))
        return Registered(username, contact.uri, seconds, self._answer(request, 200, [("Contact", str(bound))]))

    def _challenge(self, request: Request, challenges: tuple[Challenge, ...]) -> Response:
        """Browser libraries take the last challenge for the only one and know MD5 alone (JsSIP 3.13, SIP.js 0.21), and
        Linphone takes the best that it knows: these get all, MD5 last. Others get MD5 alone, since baresip 1.0 and
        panels give up where another stands beside it ("Function not implemented")."""
        agent = request.headers.get("user-agent") or ""
        if request.via.transport not in BROWSERS and not STRONG_CLIENTS.search(agent):
            challenges = tuple(each for each in challenges if each.parameters["algorithm"] == WEAK)
        return self._answer(request, 401, [("WWW-Authenticate", str(challenge)) for challenge in challenges])

    def _answer(self, request: Request, status: int, headers: Fields = ()) -> Response:
        return response_to(request, status, self._random(8).hex(), headers)


def _expires(request: Request, contact: NameAddr | None) -> int:
    """§10.3, step 7: that of the contact, else of the message, else ours."""
    own = None if contact is None else contact.parameter("expires")
    if own is not None and own.isascii() and own.isdigit():
        return int(own[:10])
    return DEFAULT_EXPIRES if request.expires is None else request.expires
