"""Dialogs (RFC 3261 §12): who talks to whom, on what way, with what numbers."""

from __future__ import annotations

from meshdoor.errors import SipError
from meshdoor.sip.compose import MAX_FORWARDS, Fields, put
from meshdoor.sip.flow import Flow, Target, next_hop, reopened
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Headers, Request, Response
from meshdoor.sip.uri import SipUri, Uri

DialogId = tuple[str, str | None, str | None]  # Call-ID, our tag, the tag of the other side


class Dialog:
    """One side of a dialog, early or confirmed.

    `local` and `remote` are the From and To of our requests, tags included. `settled` says whether the first
    offer/answer exchange is over, so that a new one may begin (RFC 3264 §4).
    """

    __slots__ = (
        "call_id",
        "caller",
        "early",
        "flow",
        "local",
        "local_seq",
        "remote",
        "remote_allow",
        "remote_body",
        "remote_seq",
        "route",
        "settled",
        "target",
    )

    def __init__(self, caller: bool, call_id: str, local: NameAddr, remote: NameAddr, flow: Flow) -> None:
        self.caller = caller
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.flow = flow
        self.local_seq = 0
        self.remote_seq: int | None = None
        self.target: Uri = remote.uri
        self.route: tuple[NameAddr, ...] = ()
        self.remote_allow: tuple[str, ...] = ()
        self.remote_body = b""
        self.early = True
        self.settled = False

    @classmethod
    def outside(cls, call_id: str, local: NameAddr, target: Target) -> Dialog:
        """What a request needs that makes a dialog, or belongs to none: no tag of the other side yet (§8.1.1)."""
        dialog = cls(True, call_id, local, NameAddr(None, target.uri), target.flow)
        dialog.route = target.route
        return dialog

    @classmethod
    def of_response(cls, request: Request, response: Response, flow: Flow) -> Dialog:
        """The UAC's side, made by a response with a To tag (§12.1.2)."""
        dialog = cls(True, request.call_id, request.from_, response.to, flow)
        dialog.local_seq = request.cseq.number
        dialog.target = request.uri
        dialog.learn_route(response)
        return dialog

    @classmethod
    def of_request(cls, request: Request, tag: str, flow: Flow) -> Dialog:
        """The UAS's side, made by a request (§12.1.1). SipError(400) without a Contact."""
        if not request.contacts:
            raise SipError("Contact is missing")
        dialog = cls(False, request.call_id, request.to.with_parameter("tag", tag), request.from_, flow)
        dialog.remote_seq = request.cseq.number
        dialog.route = request.record_routes
        dialog.refresh(request)
        return dialog

    @property
    def id(self) -> DialogId:
        """What finds this dialog."""
        return self.call_id, self.local.tag, self.remote.tag

    def learn_route(self, response: Response) -> None:
        """Take the route set and the remote target from a response to the first INVITE (§13.2.2.4)."""
        self.route = response.record_routes[::-1]
        self.refresh(response)

    def refresh(self, message: Request | Response) -> None:
        """Take the remote target of a target refresh (§12.2.1.2), and what the other side can do."""
        if message.contacts:
            self.target = message.contacts[0].uri
        if "allow" in message.headers:
            self.remote_allow = message.allow

    def accept(self, request: Request) -> bool:
        """Whether a request is in order (§12.2.2).

        A PRACK names what it is about, so one that was overtaken on the way does no harm.
        """
        number = request.cseq.number
        if self.remote_seq is not None and number <= self.remote_seq:
            return request.method == "PRACK"
        self.remote_seq = number
        return True

    def request(self, method: str, headers: Fields = (), body: bytes = b"") -> Request:
        """A new request in this dialog (§12.2.1.1), still without its Via."""
        self.local_seq += 1
        return self._build(method, self.local_seq, headers, body)

    def ack(self, number: int, body: bytes = b"", headers: Fields = ()) -> Request:
        """The ACK of a 2xx (§13.2.2.4): it has the number of its INVITE."""
        return self._build("ACK", number, headers, body)

    def flow_failed(self) -> None:
        """The flow is gone: the next request opens a connection where it can."""
        self.flow = reopened(self._next_uri, self.flow)

    def next_flow(self) -> Flow:
        """Where our next request goes (§8.1.2); before there is a dialog, where its maker says."""
        if self.remote.tag is None:
            return self.flow
        return next_hop(self._next_uri, self.flow)

    @property
    def _next_uri(self) -> Uri:
        return self.route[0].uri if self.route else self.target

    def _build(self, method: str, number: int, headers: Fields, body: bytes) -> Request:
        uri, routes = self._address()
        fields = Headers()
        for route in routes:
            fields.add("Route", route)
        fields.add("Max-Forwards", MAX_FORWARDS)
        fields.add("From", str(self.local))
        fields.add("To", str(self.remote))
        fields.add("Call-ID", self.call_id)
        fields.add("CSeq", f"{number} {method}")
        put(fields, headers)
        return Request(method, uri, fields, body)

    def _address(self) -> tuple[Uri, list[str]]:
        """Request-URI and Route values, loose or strict as the first router wants it (§12.2.1.1)."""
        routes = [str(route) for route in self.route]
        if not self.route or self.route[0].uri.parameter("lr") is not None:
            return self.target, routes
        first = self.route[0].uri
        if isinstance(first, SipUri):
            parameters = tuple(p for p in first.parameters if p[0].lower() != "method")
            first = SipUri(first.scheme, first.user, first.password, first.host, first.port, parameters)
        return first, [*routes[1:], f"<{self.target}>"]
