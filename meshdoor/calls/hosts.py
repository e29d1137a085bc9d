"""Members in SIP URIs.

The host is made of the device id under home.arpa (RFC 8375), where no name server has an opinion: these URIs mean
something on links and to attached phones only, and nobody may take them for addresses.
"""

from __future__ import annotations

import re
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


def user_of(name: str) -> str:
    """A name as it may stand in the user part of a URI: `front-door` for Front Door."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def member_called(roster: Roster, user: str) -> Member | None:
    """The one member whose name this user part means."""
    wanted = user_of(user)
    found = [member for member in roster.members.values() if user_of(member.name) == wanted]
    return found[0] if len(found) == 1 else None
