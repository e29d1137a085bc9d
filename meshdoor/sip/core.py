"""What sessions share: settings, the agenda, the transactions, what is to be sent and told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from meshdoor.sip.compose import Fields, cancel_of, response_to
from meshdoor.sip.dialog import Dialog, DialogId
from meshdoor.sip.events import Event
from meshdoor.sip.flow import UDP_LIMIT, Flow, Target, reply_flows
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.ict import InviteClientTransaction, InviteClientUser
from meshdoor.sip.ist import InviteServerTransaction
from meshdoor.sip.machine import ClientTransaction, ClientUser, Failure, ServerTransaction, ServerUser, Wire
from meshdoor.sip.message import Request, Response
from meshdoor.sip.nict import NonInviteClientTransaction
from meshdoor.sip.nist import NonInviteServerTransaction
from meshdoor.sip.timers import MIN_SE, Agenda
from meshdoor.sip.transactions import MAGIC_COOKIE, TransactionTable
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import DEFAULT, Capabilities, Fault

if TYPE_CHECKING:
    from meshdoor.sip.session import Session

RandomBytes = Callable[[int], bytes]
Policy = Callable[[Request, Flow], Fault | None]
Authorize = Callable[[Request, Response], Iterable[tuple[str, str]]]


def allow_all(request: Request, flow: Flow) -> Fault | None:
    """The policy of tests and of closed networks."""
    return None


def no_credentials(request: Request, response: Response) -> Iterable[tuple[str, str]]:
    """The answer to a challenge where there is no account."""
    return ()


@dataclass(frozen=True, slots=True)
class Config:
    """How a stack behaves.

    `policy` may refuse a request that begins something (403, 401 with a challenge, …). `authorize` is given a
    refused request and its 401 or 407 and returns the headers to try again with, or none.
    """

    user: str = "meshdoor"
    display: str | None = None
    product: str = "Meshdoor"
    capabilities: Capabilities = DEFAULT
    policy: Policy = allow_all
    authorize: Authorize = no_credentials
    answer_options: bool = True
    session_interval: int = 1800  # seconds between refreshes that we ask for (RFC 4028); 0 to not ask
    min_se: int = MIN_SE  # seconds; a shorter session interval is refused
    longest_ring: float = 600.0  # seconds until an incoming call that nobody answers is turned down
    max_transactions: int = 4096
    max_sessions: int = 1024


class Core:
    """Owned by the stack, handed to its sessions."""

    def __init__(self, config: Config, random: RandomBytes) -> None:
        self.config = config
        self.random = random
        self.agenda = Agenda()
        self.transactions = TransactionTable(config.max_transactions)
        self.outbox: list[tuple[Flow, bytes]] = []
        self.events: deque[Event] = deque()
        self.dialogs: dict[DialogId, tuple[Session, Dialog]] = {}
        self.sessions: set[Session] = set()
        self.contacts: dict[tuple[str, tuple[str, int]], SipUri] = {}  # where servers see us, by transport and address
        self._secret = random(16)
        self._allow = ("Allow", ", ".join(config.capabilities.methods))
        self._supported = ("Supported", ", ".join(config.capabilities.extensions))

    @property
    def full(self) -> bool:
        """Whether there is no room for another session."""
        return len(self.sessions) >= self.config.max_sessions or self.transactions.full

    @property
    def overloaded(self) -> bool:
        """Whether even known peers ask for too much."""
        return len(self.transactions) >= 2 * self.config.max_transactions

    def emit(self, event: Event) -> None:
        """Tell the user."""
        self.events.append(event)

    def new_tag(self) -> str:
        """A From or To tag (§19.3)."""
        return self.random(8).hex()

    def new_branch(self) -> str:
        """A branch (§8.1.1.7)."""
        return MAGIC_COOKIE + self.random(9).hex()

    def choose(self, low: float, high: float, step: float) -> float:
        """A random multiple of `step` from `low` to `high`."""
        steps = round((high - low) / step)
        return low + step * (int.from_bytes(self.random(4), "big") % (steps + 1))

    def stateless_tag(self, response: Response) -> str:
        """A To tag that is the same for every repetition of a request (§8.2.7)."""
        get = response.headers.get
        identity = f"{get('call-id')}\0{get('from')}\0{get('via')}"
        digest = blake2s(identity.encode("utf-8", "surrogateescape"), key=self._secret, digest_size=4)
        return digest.hexdigest()

    def capability_fields(self) -> list[tuple[str, str]]:
        """Allow and Supported."""
        return [self._allow, self._supported]

    def contact_field(self, flow: Flow) -> tuple[str, str]:
        """Contact."""
        return "Contact", f"<{self.contacts.get((flow.transport, flow.remote)) or flow.contact(self.config.user)}>"

    def options_response(self, request: Request, flow: Flow) -> Response:
        """What we can do (§11.2)."""
        accept = ("Accept", ", ".join(self.config.capabilities.content_types))
        return response_to(request, 200, headers=(self._allow, accept, self._supported, self.contact_field(flow)))

    def outside(self, target: Target) -> Dialog:
        """The frame of a request that belongs to no dialog yet."""
        address = replace(target.flow.contact(self.config.user), port=None, parameters=())
        local = (target.caller or NameAddr(self.config.display, address)).with_parameter("tag", self.new_tag())
        return Dialog.outside(self.random(12).hex(), local, target)

    def send_request(self, request: Request, flow: Flow, user: ClientUser, now: float) -> ClientTransaction:
        """Start a transaction that is not an INVITE's."""
        transaction = NonInviteClientTransaction(request, self._address(request, flow), user, self.agenda)
        return self._start(transaction, now)

    def send_invite(
        self, request: Request, flow: Flow, user: InviteClientUser, now: float
    ) -> InviteClientTransaction:
        """Start an INVITE transaction."""
        transaction = InviteClientTransaction(request, self._address(request, flow), user, self.agenda)
        self._start(transaction, now)
        return transaction

    def send_cancel(self, invite: InviteClientTransaction, headers: Fields, now: float) -> None:
        """Cancel an INVITE that had a provisional response (§9.1)."""
        cancel = cancel_of(invite.request, headers)
        wire = Wire(invite.wire.flow, self.outbox)
        self._start(NonInviteClientTransaction(cancel, wire, IGNORE, self.agenda), now)
        invite.cancelled(now)

    def send_ack(self, ack: Request, flow: Flow) -> tuple[Wire, bytes]:
        """Send the ACK of a 2xx; what comes back can send it again."""
        wire = self._address(ack, flow)
        data = bytes(ack)
        wire.send(data)
        return wire, data

    def serve(self, request: Request, flow: Flow, user: ServerUser, now: float) -> ServerTransaction:
        """Start a server transaction."""
        first, *others = reply_flows(request, flow)
        wire = Wire(first, self.outbox, tuple(others))
        kind = InviteServerTransaction if request.method == "INVITE" else NonInviteServerTransaction
        transaction = kind(request, wire, user, self.agenda)
        self.transactions.add_server(transaction)
        transaction.start(now)
        return transaction

    def bind(self, dialog: Dialog, session: Session) -> None:
        """Let requests in a dialog reach their session."""
        self.dialogs[dialog.id] = (session, dialog)

    def unbind(self, dialog: Dialog) -> None:
        """The dialog is no more: its requests get 481."""
        self.dialogs.pop(dialog.id, None)

    def _start(self, transaction: ClientTransaction, now: float) -> ClientTransaction:
        self.transactions.add_client(transaction)
        transaction.start(now)
        return transaction

    def _address(self, request: Request, flow: Flow) -> Wire:
        """Write the Via; a request too large for UDP goes over TCP, and back if that fails (§18.1.1)."""
        branch = self.new_branch()
        request.headers.prepend("Via", str(flow.via(branch)))
        if flow.transport != "UDP" or len(bytes(request)) <= UDP_LIMIT:
            return Wire(flow, self.outbox)
        stream = replace(flow, transport="TCP", connection=None)
        request.headers.set("Via", str(stream.via(branch)))
        return Wire(stream, self.outbox, (flow,))


class Ignore:
    """The user of a transaction whose outcome changes nothing."""

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """No matter."""

    def request_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """No matter."""

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """No matter."""

    def cancel_received(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """No matter."""

    def response_failed(self, transaction: ServerTransaction, failure: Failure, now: float) -> None:
        """No matter."""


IGNORE: Final = Ignore()

