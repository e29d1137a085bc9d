"""What the stack tells its user. Every session ends with exactly one `SessionOver`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshdoor.sip.headers import Reason
from meshdoor.sip.machine import Failure, ServerTransaction
from meshdoor.sip.message import Request, Response

if TYPE_CHECKING:
    from meshdoor.sip.dialog import Dialog
    from meshdoor.sip.flow import Flow
    from meshdoor.sip.offers import IncomingOffer
    from meshdoor.sip.outgoing import Outgoing
    from meshdoor.sip.registration import Registration
    from meshdoor.sip.session import Session
    from meshdoor.sip.uac import UacSession
    from meshdoor.sip.uas import UasSession


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True)
class SessionEvent(Event):
    """Something about one session."""

    session: Session


@dataclass(frozen=True, slots=True)
class IncomingInvite(SessionEvent):
    """Somebody calls: answer with `session.provisional`, `accept` or `reject`."""

    session: UasSession
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Provisional(SessionEvent):
    """A provisional response; `dialog` is None for one without a To tag, such as 100."""

    session: UacSession
    dialog: Dialog | None
    response: Response


@dataclass(frozen=True, slots=True)
class EarlyMedia(SessionEvent):
    """The first session description of an early dialog: media may come."""

    session: UacSession
    dialog: Dialog
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered(SessionEvent):
    """The first 2xx, acknowledged. `body` is the answer, be it of the 2xx or of an earlier 1xx."""

    session: UacSession
    dialog: Dialog
    body: bytes


@dataclass(frozen=True, slots=True)
class Confirmed(SessionEvent):
    """The ACK of our 2xx came; `body` is the answer if the 2xx carried an offer."""

    session: UasSession
    body: bytes


@dataclass(frozen=True, slots=True)
class OfferReceived(SessionEvent):
    """A re-INVITE or UPDATE with an offer (or a re-INVITE that asks for one: then its body is empty)."""

    offer: IncomingOffer


@dataclass(frozen=True, slots=True)
class OfferWithdrawn(SessionEvent):
    """The other side cancelled its re-INVITE, or nothing answered it in time."""

    offer: IncomingOffer


@dataclass(frozen=True, slots=True)
class AnswerReceived(SessionEvent):
    """The answer to an offer of ours: to a re-INVITE, an UPDATE, or in the ACK of a 2xx."""

    body: bytes


@dataclass(frozen=True, slots=True)
class OfferRejected(SessionEvent):
    """Our re-INVITE or UPDATE was refused: the session goes on as it was."""

    response: Response


@dataclass(frozen=True, slots=True)
class RequestReceived(Event):
    """A request for the user: OPTIONS, MESSAGE, INFO, REGISTER, … Answer with `stack.respond`."""

    request: Request
    flow: Flow
    transaction: ServerTransaction
    session: Session | None


@dataclass(frozen=True, slots=True)
class ResponseReceived(Event):
    """The final response to a request of ours; made up as 408 or 503 when `failure` says that none came."""

    outgoing: Outgoing
    response: Response
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class RegistrationChanged(Event):
    """A registration of ours is in another state."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class FlowLost(SessionEvent):
    """The flow of a session's dialog is gone: `session.abandon`, or hope for another."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class SessionOver(SessionEvent):
    """The last event of a session; `reasons` are those of the other side (RFC 3326), or ours if we ended it."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Rejected(SessionOver):
    """The other side said no: a final response from 300 to 699."""

    response: Response


@dataclass(frozen=True, slots=True)
class Failed(SessionOver):
    """There was no answer, or no way."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Cancelled(SessionOver):
    """The caller gave up before anybody answered: we did (UAC), or the other side (UAS)."""


@dataclass(frozen=True, slots=True)
class Ended(SessionOver):
    """BYE, either way. `remote` if the other side sent it."""

    remote: bool
