"""A stateless proxy between flows (RFC 3261 §16.11): how the house reaches a phone through the node it is attached to.

It stays on the way of a dialog by Record-Route. What it must know later, the two flows between which it stands, it
writes into its Via and its Record-Route as a sealed token (the idea of RFC 5626 §5.3): a response and a request in a
dialog pass between these two flows only, in either direction. Any other request goes where `locate` says, or nowhere.
Bodies are not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2s
from typing import Final

from meshdoor.errors import SipError
from meshdoor.sip.compose import MAX_FORWARDS
from meshdoor.sip.flow import Flow, stamp
from meshdoor.sip.flow_token import FlowName, FlowTokens
from meshdoor.sip.message import Request, Response
from meshdoor.sip.transactions import MAGIC_COOKIE
from meshdoor.sip.uri import SipUri, Uri
from meshdoor.sip.validate import Fault, answer

FLOW: Final = "flow"  # the parameter of our Via that holds the token
METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "MESSAGE", "OPTIONS")
ASSERTED: Final = "P-Asserted-Identity"  # RFC 3325 §9.1
IDENTITIES: Final = (ASSERTED, "P-Preferred-Identity")

GONE: Final = Fault(430, "the phone is not attached here any more")  # Flow Failed, RFC 5626 §11.5
FORGED: Final = Fault(403, "this route is none of yours")
TOO_FAR: Final = Fault(483, "too many hops")
NOT_PASSED_ON: Final = Fault(405, "this method is not passed on", (("Allow", ", ".join(METHODS)),))


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request goes: a flow, and its Request-URI from there on, if that is another (§16.5)."""

    flow: Flow
    uri: Uri | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    """A message for this node itself."""

    message: Request | Response


@dataclass(frozen=True, slots=True)
class Forward:
    """A message to send. `origin` is the request as it came, and from where, if this is that request on its way."""

    flow: Flow
    message: Request | Response
    origin: tuple[Request, Flow] | None = None


Locate = Callable[[Request, Flow], Way | Fault | None]
Find = Callable[[FlowName], Flow | None]
Identify = Callable[[Flow], str | None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a proxy asks about the world.

    `locate` says where a request outside any dialog goes; None means to this node itself. `find` gives the flow of a
    name while it is there. `identify` gives the identity to assert for what comes on a flow; None leaves what is said.
    """

    locate: Locate
    find: Find
    identify: Identify


class Proxy:
    """`host` is what stands for this node in Via and Record-Route; `secret` is random and of this process."""

    def __init__(self, host: str, secret: bytes, surroundings: Surroundings) -> None:
        self._host = host
        self._secret = secret[:32]
        self._tokens = FlowTokens(secret)
        self._around = surroundings

    def receive(self, message: Request | Response, flow: Flow) -> Forward | Mine | None:
        """What becomes of a message that came on `flow`; None if it is dropped."""
        if isinstance(message, Response):
            return self._response(message, flow)
        try:
            return self._request(message, flow)
        except SipError as error:
            return self._refuse(message, flow, Fault(error.status, str(error)))

    def failed(self, forward: Forward) -> Forward | None:
        """What to send instead of a request that its flow does not take any more (RFC 5626 §5.3)."""
        return None if forward.origin is None else self._refuse(*forward.origin, GONE)

    def _response(self, response: Response, flow: Flow) -> Forward | Mine | None:
        try:
            vias = response.vias
        except SipError:
            return None
        if len(vias) < 2:
            return Mine(response)
        pair = self._tokens.open(vias[0].parameter(FLOW) or "")
        if pair is None or pair[1] != FlowName.of(flow):
            return None
        back = self._around.find(pair[0])
        if back is None:
            return None
        passed = Response(response.status, response.reason, response.headers.copy(), response.body)
        _replace(passed, "Via", passed.headers.get_all("via")[1:])
        return Forward(back, passed)

    def _request(self, request: Request, flow: Flow) -> Forward | Mine | None:
        came = Request(request.method, request.uri, request.headers.copy(), request.body)
        stamp(came, flow)
        # That these can be read is what is checked (§16.3); the To tag says whether it is in a dialog.
        tag, *_ = came.to.tag, came.from_, came.call_id, came.cseq
        self._identify(came, flow)
        if came.method == "ACK" and tag == self._tag(came):
            return None  # of a refusal of ours (§8.2.7)
        route = self._take_route(came)
        if route is not None and route.user is not None and tag is not None:
            way: Way | Fault | None = self._other_end(route.user, flow)
        else:
            way = self._around.locate(came, flow)
        if way is None:
            return Mine(came)
        fault = way if isinstance(way, Fault) else _objection(came)
        if fault is not None:
            return self._refuse(request, flow, fault)
        assert isinstance(way, Way)
        return Forward(way.flow, self._pass_on(came, flow, way), (request, flow))

    def _identify(self, request: Request, flow: Flow) -> None:
        """Whoever is asserted to have sent it, it is not its sender who says so (RFC 3325 §5)."""
        identity = self._around.identify(flow)
        if identity is not None:
            for name in IDENTITIES:
                request.headers.remove(name)
            request.headers.add(ASSERTED, identity)

    def _take_route(self, request: Request) -> SipUri | None:
        """Take the topmost Route off if it is ours (§16.4)."""
        if not request.routes:
            return None
        uri = request.routes[0].uri
        if not isinstance(uri, SipUri) or uri.host.lower() != self._host:
            return None
        _replace(request, "Route", request.headers.get_all("route")[1:])
        return uri

    def _other_end(self, token: str, flow: Flow) -> Way | Fault:
        pair, name = self._tokens.open(token), FlowName.of(flow)
        if pair is None or name not in pair:
            return FORGED
        there = self._around.find(pair[1] if name == pair[0] else pair[0])
        return GONE if there is None else Way(there)

    def _pass_on(self, request: Request, flow: Flow, way: Way) -> Request:
        """§16.6, steps 2 to 8."""
        headers = request.headers
        token = self._tokens.seal(FlowName.of(flow), FlowName.of(way.flow))
        hops = request.max_forwards
        headers.set("Max-Forwards", MAX_FORWARDS if hops is None else str(hops - 1))
        if request.method == "INVITE" and request.to.tag is None:
            headers.prepend("Record-Route", f"<sip:{token}@{self._host};lr>")
        via = way.flow.via(self._branch(request, token)).with_parameter(FLOW, token)
        headers.prepend("Via", str(via))
        return Request(request.method, way.uri or request.uri, headers, request.body)

    def _branch(self, request: Request, token: str) -> str:
        """The same for an INVITE, its CANCEL and the ACK of its failure, and for nothing else (§16.11)."""
        above = request.via.branch or ""
        if not above.startswith(MAGIC_COOKIE):  # RFC 2543
            above = f"{request.via}\0{request.call_id}\0{request.cseq.number}\0{request.from_.tag}\0{request.uri}"
        text = f"{above}\0{token}".encode("utf-8", "surrogateescape")
        return MAGIC_COOKIE + blake2s(text, key=self._secret, digest_size=16).hexdigest()

    def _refuse(self, request: Request, flow: Flow, fault: Fault) -> Forward | None:
        response = answer(request.method, request.headers, fault)
        if response is None:
            return None
        with suppress(SipError):
            if response.to.tag is None:
                response.headers.set("To", str(response.to.with_parameter("tag", self._tag(response))))
        return Forward(flow, response)

    def _tag(self, message: Request | Response) -> str:
        """The To tag of our refusals: the same for a request, its repetitions and the ACK."""
        text = f"{message.via.branch}\0{message.call_id}".encode("utf-8", "surrogateescape")
        return blake2s(text, key=self._secret, digest_size=8).hexdigest()


def _objection(request: Request) -> Fault | None:
    """Why a request cannot be passed on, wherever to (§16.3)."""
    if request.method not in METHODS:
        return NOT_PASSED_ON
    if request.max_forwards == 0:
        return TOO_FAR
    unknown = ", ".join(request.proxy_require)
    if unknown and request.method not in ("ACK", "CANCEL"):
        return Fault(420, "an extension is required that is not known", (("Unsupported", unknown),))
    return None


def _replace(message: Request | Response, name: str, values: list[str]) -> None:
    message.headers.remove(name)
    for value in reversed(values):
        message.headers.prepend(name, value)
