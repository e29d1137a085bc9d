"""What becomes of a message from the network (RFC 3261 §8.2, §9.2, §12.2.2, §18)."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.compose import response_to
from meshdoor.sip.core import IGNORE, Core
from meshdoor.sip.events import RequestReceived
from meshdoor.sip.flow import Flow, reply_flows, stamp
from meshdoor.sip.message import Request, Response
from meshdoor.sip.refresh import too_small
from meshdoor.sip.uas import UasSession
from meshdoor.sip.validate import Fault, answer, check_request, check_response

RETRY_AFTER: Final = (("Retry-After", "10"),)
# What a response can lose, in this order, so that it is no larger than its request.
OPTIONAL: Final = ("user-agent", "supported", "accept", "allow", "contact")

FULL: Final = Fault(503, "no room", RETRY_AFTER)
UNKNOWN: Final = Fault(481, "no such dialog or transaction")
MERGED: Final = Fault(482, "this request came already on another way")


class Inbound:
    """Matches messages to transactions, dialogs and sessions; refuses what belongs to none.

    Refusals keep no state (§8.2.7), and over UDP they are never larger than what they answer: a forged
    source address gains nothing.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def response(self, response: Response, flow: Flow, now: float) -> None:
        """A response: what matches no transaction is dropped (RFC 6026 §7.2)."""
        if check_response(response):
            return
        transaction = self._core.transactions.client(response, flow)
        if transaction is not None:
            transaction.receive(response, now)

    def request(self, request: Request, flow: Flow, size: int, now: float) -> None:
        """A request that came in `size` bytes."""
        fault = check_request(request, self._core.config.capabilities)
        if fault is None:
            stamp(request, flow)
            transaction = self._core.transactions.server(request)
            if transaction is not None:
                transaction.receive(request, now)
                return
            try:
                fault = self._begin(request, flow, size, now)
            except SipError as error:
                fault = Fault(error.status, str(error))
        if fault is not None:
            self.refuse(request, fault, flow, size)

    def refuse(self, request: Request, fault: Fault, flow: Flow, size: int) -> None:
        """Answer without a transaction."""
        response = answer(request.method, request.headers, fault)
        if response is not None:
            self.reply(response, flow, size)

    def reply(self, response: Response, flow: Flow, size: int) -> None:
        """Send a response of no transaction."""
        target = flow  # where it came from, should Via or To not be readable
        with suppress(SipError):
            stamp(response, flow)
            target = reply_flows(response, flow)[0]
            if response.to.tag is None:
                tag = self._core.stateless_tag(response)
                response.headers.set("To", str(response.to.with_parameter("tag", tag)))
        data = bytes(response) if flow.reliable else fit(response, size)
        if data:
            self._core.outbox.append((target, data))

    def _begin(self, request: Request, flow: Flow, size: int, now: float) -> Fault | None:
        """A request that is new: a Fault if it is to be refused."""
        if request.method == "CANCEL":
            return self._cancel(request, flow, now)
        if request.to.tag is not None:
            return self._in_dialog(request, flow, now)
        if request.method == "ACK":
            return None
        return self._outside(request, flow, size, now)

    def _cancel(self, cancel: Request, flow: Flow, now: float) -> Fault | None:
        transaction = self._core.transactions.cancelled_by(cancel)
        if transaction is None or (transaction.wire.flow.secure and not flow.secure):
            return UNKNOWN
        self._core.serve(cancel, flow, IGNORE, now).respond(response_to(cancel, 200, transaction.tag), now)
        transaction.user.cancel_received(transaction, cancel, now)
        return None

    def _in_dialog(self, request: Request, flow: Flow, now: float) -> Fault | None:
        found = self._core.dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if found is None or (found[1].flow.secure and not flow.secure):
            return UNKNOWN
        session, dialog = found
        if request.method == "ACK":
            session.acknowledge(request, now)
        elif self._core.overloaded:
            return FULL
        elif not dialog.accept(request):
            return Fault(500, "the CSeq is out of order")
        else:
            session.request_received(dialog, request, flow, now)
        return None

    def _outside(self, request: Request, flow: Flow, size: int, now: float) -> Fault | None:
        core = self._core
        if core.transactions.merged(request):
            return MERGED
        if request.method in ("BYE", "UPDATE", "PRACK", "INFO"):
            return UNKNOWN
        fault = core.config.policy(request, flow) or self._too_short(request)
        if fault is not None:
            return fault
        if request.method == "OPTIONS" and core.config.answer_options:
            self.reply(core.options_response(request, flow), flow, size)
        elif core.full:
            return FULL
        elif request.method == "INVITE":
            UasSession(core, request, flow, now)
        else:
            transaction = core.serve(request, flow, IGNORE, now)
            core.emit(RequestReceived(request, flow, transaction, None))
        return None

    def _too_short(self, request: Request) -> Fault | None:
        fields = too_small(request, self._core.config.min_se) if request.method == "INVITE" else []
        return Fault(422, "the session interval is too short", tuple(fields)) if fields else None


def fit(response: Response, size: int) -> bytes:
    """A response in no more bytes than `size`; empty if it cannot be."""
    data = bytes(response)
    for name in OPTIONAL:
        if len(data) <= size:
            return data
        response.headers.remove(name)
        data = bytes(response)
    if len(data) > size:
        response.reason = ""
        data = bytes(response).replace(b"\r\nContent-Length: 0\r\n", b"\r\n")  # a datagram needs none (§18.3)
    return data if len(data) <= size else b""
