"""Members in SIP URIs.

The host is made of the device id under home.arpa (RFC 8375), where no name server has an opinion: these URIs mean
something on links and to attached phones only, and nobody may take them for addresses.
"""

from __future__ import annotations

from typing import Final

from meshdoor.sip.uri import SipUri, Uri
from meshdoor.trust.identity import device_id
from meshdoor.trust.roster import Member, Roster

DOMAIN: Final = "home.arpa"


def host_of(key: bytes) -> str:
    """The host part of the URI of a member."""
    return f"{device_id(key)}.{DOMAIN}"


def member_at(roster: Roster, uri: Uri) -> Member | None:
    """The member whose host a URI has."""
    name, _, domain = uri.host.lower().partition(".") if isinstance(uri, SipUri) else ("", "", "")
    if domain != DOMAIN:
        return None
    return next((member for member in roster.members.values() if member.device_id == name), None)
