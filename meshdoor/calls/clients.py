"""SIP clients that cannot pair: how their media is protected, and what is peculiar about each kind of them.

Such a client is a member of role phone without a page. The node that knows it tells the others, in the note that tells
of phones, what they need to make offers that it takes:

    {"media": "srtp"|"dtls"|"plain", "host": where its media is, "product": what it says that it is,
     "transport": "udp"|"tcp"|"tls"|"wss", "preview"?: true}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from meshdoor.errors import RemoteProtocolError

SECURE: Final = frozenset({"tls", "wss"})
TRANSPORTS: Final = SECURE | {"udp", "tcp"}
MAX_PRODUCT: Final = 40  # characters that are kept


class Keying(StrEnum):
    """How media is encrypted."""

    SRTP = "srtp"  # keys in the session description (RFC 4568): as safe as the SIP that carries it
    DTLS = "dtls"  # keys agreed on between the ends (RFC 5764)
    PLAIN = "plain"  # not at all: whoever is in the network sees and hears it


@dataclass(frozen=True, slots=True)
class Quirk:
    """What one kind of client needs, and why. `feedback`: offers name the profiles with RTCP feedback (AVPF, SAVPF);
    the attributes that tell which (RFC 4585 §4.2) stand in all, since some go by them and nobody minds.
    `early`: it shows encrypted pictures before it has answered."""

    product: str
    reason: str
    feedback: bool = False
    early: bool = True


# The first whose product, a regular expression, is found counts. Nothing is known of what no line names.
QUIRKS: Final = (
    Quirk(
        "linphone",
        "without feedback in the profile it asks for key frames by INFO (RFC 5168), which takes a round of SIP",
        feedback=True,
    ),
    Quirk(
        r"baresip[ /]v?[0-3]\.",
        "it answers 488 to SAVPF with mediaenc=srtp-mand and to AVPF without mediaenc, and has no SRTP before its 200",
        early=False,
    ),
    Quirk("baresip", "it answers 488 to SAVPF with mediaenc=srtp-mand and to AVPF without mediaenc"),
    Quirk("", "RFC 3551 and RFC 3711 name the profiles that everybody has known for the longest time"),
)


@dataclass(frozen=True, slots=True)
class Client:
    """How a client is called. `host` is an address without scope. `preview`: it answers by itself, to show who is
    there; that is no answer of a person, who asks for sound both ways. `stun` is the address of a server that says how
    this node looks to it, which is nobody else's business."""

    keying: Keying
    host: str
    product: str = ""
    transport: str = "tls"  # of its SIP
    preview: bool = False
    stun: tuple[str, int] | None = None

    @property
    def warning(self) -> str:
        """What a person should know; empty if all is well."""
        if self.keying is Keying.PLAIN:
            return "its pictures and sound pass unencrypted: whoever is in the network can see and hear them"
        if self.keying is Keying.SRTP and self.transport not in SECURE:
            return f"the keys of its pictures and sound pass unencrypted, over {self.transport.upper()}"
        return ""

    @property
    def quirk(self) -> Quirk:
        """What is peculiar about it."""
        return next(each for each in QUIRKS if re.search(each.product, self.product, re.IGNORECASE))

    def note(self) -> dict[str, str | bool]:
        """As it is told to other nodes."""
        how = {"media": str(self.keying), "host": self.host, "product": self.product, "transport": self.transport}
        return how | ({"preview": True} if self.preview else {})

    @classmethod
    def read(cls, document: object) -> Client:
        """What another node told. Raises RemoteProtocolError."""
        given = document if isinstance(document, dict) else {}
        product, transport = given.get("product"), given.get("transport")
        try:
            host = str(ip_address(str(given.get("host"))))
            keying = Keying(given.get("media", ""))
        except ValueError:
            raise RemoteProtocolError("a SIP client that is not described") from None
        if not isinstance(product, str) or len(product) > MAX_PRODUCT:
            raise RemoteProtocolError("a SIP client with too long a name")
        if not isinstance(transport, str) or transport not in TRANSPORTS:
            raise RemoteProtocolError("a SIP client that is reached by unknown means")
        return cls(keying, host, product, transport, preview=given.get("preview") is True)
