"""What somebody outside the mesh may ask for: pure policy, for `sip.core.Config.policy`.

A member comes over a link, whose flow is named by the key that its TLS has proven. Nothing that stands in a
message makes anybody a member: a From header is what its sender likes it to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request
from meshdoor.sip.validate import Fault

LINK: Final = "LINK"
SERVED: Final = frozenset({"OPTIONS"})
# One answer for all: it says nothing of who lives here, because it does not depend on whom the request is for.
STRANGER: Final = Fault(403, "outside the mesh")

IsMember = Callable[[bytes], bool]


def member_of(flow: Flow) -> bytes | None:
    """The key of the member at the other end; None for everything but a link."""
    return bytes.fromhex(str(flow.connection)) if flow.transport == LINK else None


def judge_outsider(request: Request, flow: Flow) -> Fault | None:
    """Why a request of a stranger is refused. INVITE, REGISTER, MESSAGE, SUBSCRIBE and all others are."""
    return None if request.method in SERVED else STRANGER


def policy_for(is_member: IsMember) -> Callable[[Request, Flow], Fault | None]:
    """The policy of a node: members may begin what they like, and are judged by what they may do in the house."""

    def judge(request: Request, flow: Flow) -> Fault | None:
        key = member_of(flow)
        if key is not None and is_member(key):
            return None
        return judge_outsider(request, flow)

    return judge
