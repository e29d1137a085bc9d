"""Who is who in SIP, and what somebody outside the mesh may ask for: pure policy, for `sip.core.Config.policy`.

A member comes over a link, whose flow is named by the key that its TLS has proven, or over the WebSocket of a phone,
whose flow is named by the key that signed our challenge. A phone that is attached to another node comes over the link
of that node, which asserts who it is (RFC 3325), and so does a door station that knows nothing of us; only screens are
believed, and only of phones and such stations. Nothing else that stands in a message makes anybody a member: a From
header is what its sender likes it to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshdoor.calls.hosts import member_at
from meshdoor.errors import SipError
from meshdoor.sip.flow import Flow
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Request
from meshdoor.sip.proxy import ASSERTED
from meshdoor.sip.validate import Fault
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

LINK: Final = "LINK"
PHONE: Final = "WSS"  # the flow of a phone that is attached here
SERVED: Final = frozenset({"OPTIONS"})
# One answer for all: it says nothing of who lives here, because it does not depend on whom the request is for.
STRANGER: Final = Fault(403, "outside the mesh")

Who = Callable[[Request, Flow], Member | None]
Judge = Callable[[Request, Flow], Fault | None]


def member_of(flow: Flow) -> bytes | None:
    """The key of the member at the other end; None for everything but a link and the WebSocket of a phone."""
    return bytes.fromhex(str(flow.connection)) if flow.transport in (LINK, PHONE) else None


def caller_of(request: Request, flow: Flow, roster: Roster, unix_now: float) -> Member | None:
    """Who sent a request; None for a stranger, a guest whose time is over, and whoever claims to be another."""
    member = roster.member(member_of(flow) or b"")
    if member is not None and flow.transport == LINK and ASSERTED in request.headers:
        member = _asserted(request, roster) if member.role is Role.SCREEN else None
    return None if member is None or member.expired(unix_now) else member


def _asserted(request: Request, roster: Roster) -> Member | None:
    """The phone or station that the headers name, if it is one and only one."""
    values = request.headers.get_all(ASSERTED)
    if len(values) != 1:
        return None
    try:
        named = member_at(roster, NameAddr.parse(values[0]).uri)
    except SipError:
        return None
    if named is None or named.role is Role.PHONE:
        return named
    return named if named.role is Role.DOOR and not named.linked else None


def judge_outsider(request: Request, flow: Flow) -> Fault | None:
    """Why a request of a stranger is refused. INVITE, REGISTER, MESSAGE, SUBSCRIBE and all others are."""
    return None if request.method in SERVED else STRANGER


def policy_for(who: Who, other: Judge = judge_outsider) -> Callable[[Request, Flow], Fault | None]:
    """The policy of a node: members may begin what they like, and are judged by what they may do in the house. `other`
    judges what strangers are not served anyhow."""

    def judge(request: Request, flow: Flow) -> Fault | None:
        if who(request, flow) is not None or judge_outsider(request, flow) is None:
            return None
        return other(request, flow)

    return judge
