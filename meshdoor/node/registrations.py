"""SIP clients that register with this node over TLS, TCP or UDP (RFC 3261 §10, RFC 5626), as their accounts let them.

Over a stream the connection on which a client has proven its secret is the way to it, and what comes on it is its own.
Over UDP, where addresses are easily forged, each call that it begins has to prove the secret again; and a challenge
that is larger than a stranger's short REGISTER is sent once that was repeated (`transport.udp`). Over anything but TLS
each message has to prove it for itself: it may open a door. A client that was adopted with a secret, which does not
register, has to prove it for each call and each message, whatever it comes over.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from meshdoor.calls.clients import MAX_PRODUCT, Client, Keying
from meshdoor.calls.policy import PHONE, STRANGER, member_of
from meshdoor.errors import AttachError, RemoteProtocolError
from meshdoor.node import journal
from meshdoor.node.attachments import Attachments
from meshdoor.node.house import House
from meshdoor.node.sleepers import Sleepers
from meshdoor.sip.compose import put, response_to
from meshdoor.sip.events import RequestReceived
from meshdoor.sip.flow import Flow
from meshdoor.sip.message import Request, Response
from meshdoor.sip.registrar import Registered
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import Fault
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.trust.permissions import Role
from meshdoor.trust.roster import Member

STREAMS: Final = frozenset({"TCP", "TLS"})
OUTSIDE: Final = STREAMS | {"UDP"}
WRITERS: Final = OUTSIDE | {PHONE}
GRACE: Final = 10.0  # seconds that the refresh of a registration may be late
MAX_PROVEN: Final = 256  # calls over UDP whose caller has proven itself


class Accounts(Protocol):
    """Who may register, by name and secret."""

    @property
    def empty(self) -> bool:
        """Is there none?"""

    def register(self, request: Request, address: str) -> Registered | Response:
        """What a REGISTER comes to. Raises RemoteProtocolError for one too many, SipError."""

    def authenticate(self, request: Request, address: str) -> str | Response:
        """Who sent another request, or the challenge. Raises RemoteProtocolError for one too many, SipError."""

    def member_of(self, username: str) -> bytes:
        """The key of the member that an account is of."""

    def holds(self, key: bytes) -> bool:
        """Has this member an account?"""

    def keying_of(self, username: str) -> Keying:
        """How its media is encrypted."""


class Desk(Protocol):
    """The call service."""

    @property
    def endpoint(self) -> SipEndpoint: ...


@dataclass(slots=True)
class Binding:
    """A client that is there."""

    flow: Flow
    timer: asyncio.TimerHandle


def nobody_reads(event: RequestReceived, sender: Member) -> bool:
    """Messages are not taken."""
    return False


class Registrations:
    """`accounts` is set once there may be some."""

    def __init__(self, desk: Desk, house: House, attachments: Attachments) -> None:
        self.accounts: Accounts | None = None
        self.sleepers: Sleepers | None = None
        self.written: Callable[[RequestReceived, Member], bool] = nobody_reads  # told what a client writes
        self._desk = desk
        self._house = house
        self._attachments = attachments
        self._bindings: dict[bytes, Binding] = {}
        self._proven: OrderedDict[tuple[str, Flow], bytes] = OrderedDict()

    def judge(self, request: Request, flow: Flow) -> Fault | None:
        """Why a request of a stranger is refused: who registers, or writes, is asked who it is later."""
        accounts = self.accounts
        if accounts is None or accounts.empty or self._house.role is not Role.SCREEN or flow.transport not in OUTSIDE:
            return STRANGER
        bound = self._bound(flow) is not None
        known = bound or any(key not in self._bindings and accounts.holds(key) for key in self._at(flow))
        if request.method == "REGISTER" or (known and request.method == "MESSAGE"):
            return None
        if not known or request.method != "INVITE" or (bound and flow.transport != "UDP"):
            return STRANGER
        try:
            found = accounts.authenticate(request, flow.remote[0])
        except RemoteProtocolError:
            return STRANGER
        if isinstance(found, Response):
            return Fault(401, "who is it?", tuple(_challenges(found)))
        if len(self._proven) >= MAX_PROVEN:
            self._proven.popitem(last=False)
        self._proven[request.call_id, flow] = accounts.member_of(found)
        return None

    def caller(self, request: Request, flow: Flow) -> Member | None:
        """The client that sent a request, if that is proven."""
        if request.method == "MESSAGE" and flow.transport in ("TCP", "UDP"):
            return None
        bound = self._bound(flow) if flow.transport in STREAMS else None
        key = bound or self._proven.get((request.call_id, flow))
        return None if key is None else self._member(key)

    def trusts(self, flow: Flow) -> bool:
        """Is a client at this address, registered or adopted?"""
        return any(self._at(flow))

    def received(self, event: RequestReceived) -> bool:
        """Answer a REGISTER, or a message of a client; False for any other request."""
        if event.request.method == "MESSAGE" and event.session is None and event.flow.transport in WRITERS:
            return self._message(event)
        if event.request.method != "REGISTER" or self.accounts is None:
            return False
        try:
            answered = self.accounts.register(event.request, event.flow.remote[0])
        except RemoteProtocolError:
            return self._refuse(event)
        if isinstance(answered, Registered):
            answered = self._take(answered, event.request, event.flow, self.accounts)
        with self._desk.endpoint.acting() as now:
            event.transaction.respond(answered, now)
        return True

    def _message(self, event: RequestReceived) -> bool:
        if event.flow.transport == PHONE:
            sender = self._member(member_of(event.flow) or b"")
        else:
            sender = self.caller(event.request, event.flow)
        if sender is None and self.accounts is not None and event.flow.transport in OUTSIDE:
            try:
                found = self.accounts.authenticate(event.request, event.flow.remote[0])
            except RemoteProtocolError:
                return self._refuse(event)
            if isinstance(found, Response):
                with self._desk.endpoint.acting() as now:
                    event.transaction.respond(found, now)
                return True
            sender = self._member(self.accounts.member_of(found))
        return sender is not None and self.written(event, sender)

    def _refuse(self, event: RequestReceived) -> bool:
        self._desk.endpoint.respond(event, STRANGER.status)
        return True

    def _member(self, key: bytes) -> Member | None:
        member = self._house.membership.roster.member(key)
        return None if member is None or member.expired(time.time()) else member

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        for key, binding in list(self._bindings.items()):
            if binding.flow == flow:
                self._let_go(key)

    def _take(self, registered: Registered, request: Request, flow: Flow, accounts: Accounts) -> Response:
        key = accounts.member_of(registered.username)
        caps = self.sleepers.registered(key, registered.contact) if self.sleepers is not None else ()
        put(registered.response.headers, caps)
        if not isinstance(registered.contact, SipUri):
            self._let_go(key)
            return registered.response
        product = (request.headers.get("User-Agent") or "")[:MAX_PRODUCT]
        client = Client(accounts.keying_of(registered.username), flow.host, product, flow.transport.lower())
        try:
            self._attachments.place(key, client, registered.contact, flow)
        except AttachError:
            return response_to(request, 403)
        before = self._bindings.pop(key, None)
        if before is None:
            name = self._name(key)
            journal.say("client", f"{name} is there ({product or 'no name'})", member=name)
        else:
            before.timer.cancel()
        timer = asyncio.get_running_loop().call_later(registered.expires + GRACE, self._let_go, key)
        self._bindings[key] = Binding(flow, timer)
        return registered.response

    def _let_go(self, key: bytes) -> None:
        binding = self._bindings.pop(key, None)
        if binding is not None:
            binding.timer.cancel()
            self._attachments.displace(key)
            journal.say("client", f"{self._name(key)} is gone", member=self._name(key))

    def _bound(self, flow: Flow) -> bytes | None:
        """Who has registered on this connection, or at this address."""
        if flow.transport in STREAMS:
            same = (flow.transport, flow.connection)
            found = (k for k, b in self._bindings.items() if (b.flow.transport, b.flow.connection) == same)
        else:
            here = (flow.transport, flow.remote)
            found = (k for k, b in self._bindings.items() if (b.flow.transport, b.flow.remote) == here)
        return next(found, None)

    def _at(self, flow: Flow) -> Iterator[bytes]:
        """Who is at this address, as far as that proves anything."""
        return self._attachments.clients_at(flow.host)

    def _name(self, key: bytes) -> str:
        member = self._house.membership.roster.members.get(key)
        return "a client" if member is None else member.name


def _challenges(response: Response) -> list[tuple[str, str]]:
    return [("WWW-Authenticate", value) for value in response.headers.get_all("WWW-Authenticate")]
