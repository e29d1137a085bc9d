"""What passes between the phones that are attached here and the other members: who may ask whom for what.

The proxy moves the messages (`sip.proxy`); here is where they go. Who calls a phone must be let by the same rules as
who calls a screen, and this node applies them: a page knows no rules.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from meshdoor.calls import plan
from meshdoor.calls.hosts import DOMAIN, host_of, member_at, member_called
from meshdoor.calls.policy import LINK, PHONE, STRANGER, caller_of, member_of
from meshdoor.errors import SipError
from meshdoor.mesh.peer import State
from meshdoor.node.attachments import Attachments
from meshdoor.node.house import House
from meshdoor.sip.flow import Flow
from meshdoor.sip.flow_token import SECRET, FlowName
from meshdoor.sip.message import Request, Response, parse_message
from meshdoor.sip.proxy import GONE, Forward, Mine, Proxy, Surroundings, Way
from meshdoor.sip.uri import SipUri, Uri, unescape
from meshdoor.sip.validate import Fault
from meshdoor.transport.links import link_flow
from meshdoor.transport.websocket import phone_flow
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member, Roster

NOBODY: Final = Fault(404, "no member is called so")
UNREACHABLE: Final = Fault(480, "it cannot be reached now")
QUIET: Final = Fault(480, "it is not to ring now")
NOT_PERMITTED: Final = Fault(plan.FORBIDDEN, "it may not")

Send = Callable[[Flow, bytes], bool]


class Relay:
    """Give it every message of links and phones; it returns what is for this node itself, and sends on the rest."""

    def __init__(self, house: House, attachments: Attachments, send: Send) -> None:
        self._house = house
        self._attachments = attachments
        self._send = send
        self._own_key = house.membership.identity.key
        around = Surroundings(self._locate, self._find, _identify)
        self._proxy = Proxy(host_of(self._own_key), secrets.token_bytes(SECRET), around)

    def __call__(self, data: bytes, flow: Flow) -> bytes | Request | Response | None:
        if flow.transport not in (LINK, PHONE) or self._house.role is not Role.SCREEN:
            return data
        try:
            message = parse_message(data)
        except SipError:
            return data
        outcome = self._proxy.receive(message, flow)
        if isinstance(outcome, Mine):
            return outcome.message
        if outcome is not None and not self._pass(outcome):
            refusal = self._proxy.failed(outcome)
            if refusal is not None:
                self._pass(refusal)
        return None

    def way(self, key: bytes) -> Way | None:
        """How a member is reached from here: over its link, or over that of the node a phone is attached to."""
        found = self._attachments.find(key)
        if found is not None and found.node == self._own_key:
            return Way(found.flow or phone_flow(self._own_key, key), found.uri)
        node = key if found is None else found.node
        linked = any(link.key == node for link in self._house.links.links())
        return Way(link_flow(self._own_key, node)) if linked else None

    def _pass(self, forward: Forward) -> bool:
        return self._send(forward.flow, bytes(forward.message))

    def _find(self, name: FlowName) -> Flow | None:
        key = bytes.fromhex(name.connection)
        way = self.way(key)
        return way.flow if way is not None and FlowName.of(way.flow) == name else None

    def _locate(self, request: Request, flow: Flow) -> Way | Fault | None:
        roster, itself = self._house.membership.roster, self._house.membership.itself
        caller = caller_of(request, flow, roster, time.time())
        if caller is None or itself is None:
            return STRANGER
        callee = self._callee(request.uri, flow, roster)
        if callee is None:
            return NOBODY
        written = flow.transport == PHONE and request.method == "MESSAGE" and callee.role is not Role.PHONE
        if written or callee.key == itself.key:
            return None  # what a phone writes to the house is read here
        found = self._attachments.find(callee.key)
        if flow.transport == LINK and (found is None or found.node != self._own_key):
            return GONE
        objection = self._objection(request, caller, callee)
        if objection is None and self._attachments.client(callee.key) is not None:
            return None  # this node calls it on behalf of the caller
        return objection or self.way(callee.key) or UNREACHABLE

    def _callee(self, uri: Uri, flow: Flow, roster: Roster) -> Member | None:
        """On a link the host counts, and anything but a member's is this node's; phones may say a name as well."""
        named = member_at(roster, uri)
        if named is not None or not isinstance(uri, SipUri):
            return named
        if flow.transport == LINK:
            return None if uri.host.lower().endswith(f".{DOMAIN}") else self._house.membership.itself
        return member_called(roster, unescape(uri.user or ""))

    def _objection(self, request: Request, caller: Member, callee: Member) -> Fault | None:
        """Before a call begins."""
        if request.method != "INVITE" or request.to.tag is not None:
            return None
        if plan.objection(caller, callee):
            return NOT_PERMITTED
        found = self._attachments.find(callee.key)
        return QUIET if found is not None and found.state is State.QUIET else None


def _identify(flow: Flow) -> str | None:
    """What is asserted of a phone (RFC 3325); nodes have proven who they are."""
    key = member_of(flow)
    return f"<sip:phone@{host_of(key)}>" if flow.transport == PHONE and key is not None else None
