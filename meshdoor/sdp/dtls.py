"""DTLS-SRTP without ICE, as SIP clients know it (RFC 5763 §5): each medium has a transport of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from meshdoor.sdp.attributes import Fingerprint
from meshdoor.sdp.bundle import Setup, fingerprint_of, said
from meshdoor.sdp.description import Line, Media, SessionDescription


@dataclass(frozen=True, slots=True)
class Dtls:
    """What one side says of the association of a medium."""

    fingerprint: Fingerprint
    setup: Setup = Setup.ACTPASS

    @classmethod
    def of(cls, description: SessionDescription, media: Media) -> Dtls:
        """What a medium says, else its session. Raises SdpError for what is missing or breaks the grammar."""
        return cls(fingerprint_of(description, media), Setup.parse(said(description, media, "setup")))

    def with_setup(self, setup: Setup) -> Dtls:
        return replace(self, setup=setup)

    def lines(self) -> list[Line]:
        """As a medium says it."""
        return [Line("a", f"fingerprint:{self.fingerprint}"), Line("a", f"setup:{self.setup}")]
