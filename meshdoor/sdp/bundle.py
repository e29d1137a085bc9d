"""The one transport of a WebRTC session: ICE (RFC 8839), DTLS-SRTP (RFC 5763, RFC 8842), BUNDLE (RFC 9143).

All media share it, RTCP too (RFC 5761). Each medium says the same of it; candidates stand in the first one only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from meshdoor.errors import SdpError
from meshdoor.sdp.attributes import Fingerprint
from meshdoor.sdp.description import Line, Media, SessionDescription

DTLS = "UDP/TLS/RTP/SAVPF"  # RFC 5764 §8
DTLS_PROFILES = frozenset({DTLS, "UDP/TLS/RTP/SAVP"})  # the other one is never WebRTC
MAX_CANDIDATES = 64  # that are looked at; ours
MAX_CANDIDATE = 512  # characters; ours

# In the order of preference (RFC 8122 §5); what is not listed is of no use.
_HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_UFRAG, _PASSWORD = re.compile(r"[A-Za-z0-9+/]{4,256}"), re.compile(r"[A-Za-z0-9+/]{22,256}")
_CANDIDATE = re.compile(r"[A-Za-z0-9+/]{1,32} 1 [Uu][Dd][Pp] \d{1,10} [0-9A-Za-z:.-]{1,255} \d{1,5} typ \w+( \S+)*")


class Setup(StrEnum):
    """Who opens the DTLS association (RFC 4145 §4, RFC 8842 §5.2)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"
    HOLDCONN = "holdconn"

    @classmethod
    def parse(cls, value: str) -> Setup:
        try:
            return cls(value.strip().lower())
        except ValueError:
            raise SdpError(f"no setup attribute: {value[:80]!r}") from None

    def answer(self, kept: Setup) -> Setup:
        """The answer to an offer of this. `kept` is what this end was before, ACTPASS if it was nothing yet."""
        if self is Setup.ACTPASS:
            return Setup.PASSIVE if kept is Setup.PASSIVE else Setup.ACTIVE
        return {Setup.ACTIVE: Setup.PASSIVE, Setup.PASSIVE: Setup.ACTIVE}.get(self, Setup.HOLDCONN)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one side says of the transport. `candidates` are as behind `a=candidate:`, of component 1 and UDP."""

    ufrag: str
    password: str = field(repr=False)
    fingerprint: Fingerprint
    setup: Setup = Setup.ACTPASS
    candidates: tuple[str, ...] = ()
    lite: bool = False

    @classmethod
    def of(cls, description: SessionDescription, media: Media) -> Bundle:
        """What a medium says, else its session. Raises SdpError for what is missing or breaks the grammar."""
        ufrag = said(description, media, "ice-ufrag")
        password = said(description, media, "ice-pwd")
        if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
            raise SdpError("credentials of ICE that break the grammar")
        setup = Setup.parse(said(description, media, "setup"))
        lite = description.session.attribute("ice-lite") is not None
        return cls(ufrag, password, fingerprint_of(description, media), setup, candidates_of(media), lite)

    def with_setup(self, setup: Setup) -> Bundle:
        return replace(self, setup=setup)

    def lines(self, first: bool) -> list[Line]:
        """As a medium says it; the first one of a description with the candidates."""
        candidates = [f"candidate:{each}" for each in self.candidates] if first else []
        return [
            Line("a", text)
            for text in (
                f"ice-ufrag:{self.ufrag}",
                f"ice-pwd:{self.password}",
                f"fingerprint:{self.fingerprint}",
                f"setup:{self.setup}",
                *candidates,
                *(("end-of-candidates",) if candidates else ()),
            )
        ]


def candidates_of(media: Media) -> tuple[str, ...]:
    """Those that may be tried: what breaks the grammar, goes over TCP or is for RTCP alone is passed over."""
    return tuple(filter(_is_usable, media.attributes("candidate")[:MAX_CANDIDATES]))


def _is_usable(candidate: str) -> bool:
    if len(candidate) > MAX_CANDIDATE or not _CANDIDATE.fullmatch(candidate):
        return False
    return 0 < int(candidate.split(" ")[5]) <= 0xFFFF


def bundled(description: SessionDescription) -> frozenset[str]:
    """The `mid`s of the media that share one transport: those of the first group (RFC 9143 §7.1)."""
    for value in description.session.attributes("group"):
        semantics, *mids = value.split()
        if semantics == "BUNDLE":
            return frozenset(mids)
    return frozenset()


def said(description: SessionDescription, media: Media, name: str) -> str:
    """An attribute of a medium, else of its session. Raises SdpError."""
    value = media.attribute(name)
    value = description.session.attribute(name) if value is None else value
    if value is None:
        raise SdpError(f"a WebRTC medium without {name}")
    return value


def fingerprint_of(description: SessionDescription, media: Media) -> Fingerprint:
    """That of the best hash. Raises SdpError."""
    values = media.attributes("fingerprint") or description.session.attributes("fingerprint")
    found = [each for each in map(Fingerprint.parse, values) if _HASHES.get(each.algorithm) == len(each.digest)]
    if not found:
        raise SdpError("a WebRTC medium without a fingerprint that can be checked")
    return min(found, key=lambda each: list(_HASHES).index(each.algorithm))
