"""What is checked of a message before anything else, and what answers a bad one (RFC 3261 §8.2, §16.3, §18.3).

`judge` is the whole of it: a message to go on with, an answer to send back, or silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from meshdoor.errors import SipError
from meshdoor.sip.fields import Field, Headers, parse_field
from meshdoor.sip.message import MAX_MESSAGE, Request, Response, find_body, parse_message, split_lines
from meshdoor.sip.phrases import phrase
from meshdoor.sip.uri import SipUri, TelUri

# Recognised, so that not taking one is 405 and not 501 (RFC 3261 §8.2.1, §21.5.2).
KNOWN_METHODS: Final = frozenset(
    {
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE",
        "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH",
    }
)
ECHOED: Final = ("via", "from", "to", "call-id", "cseq")  # RFC 3261 §8.2.6.2

_MANDATORY: Final = ("via", "from", "to", "call-id", "cseq")  # and Max-Forwards, which RFC 2543 has not
_SINGLE: Final = frozenset(
    {"from", "to", "call-id", "cseq", "max-forwards", "content-type", "rseq", "rack", "session-expires"}
)
_READERS: Final[dict[str, Callable[[Request | Response], Any]]] = {
    "via": lambda m: (m.vias, m.via.rport),
    "from": lambda m: m.from_,
    "to": lambda m: m.to,
    "call-id": lambda m: m.call_id,
    "cseq": lambda m: m.cseq,
    "contact": lambda m: m.contacts,
    "route": lambda m: m.routes,
    "record-route": lambda m: m.record_routes,
    "max-forwards": lambda m: m.max_forwards,
    "require": lambda m: m.require,
    "content-type": lambda m: m.media_type,
    "rseq": lambda m: m.rseq,
    "rack": lambda m: m.rack,
    "session-expires": lambda m: m.session_expires,
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a UAS takes. `content_types` are type/subtype in lower case; option tags in lower case too."""

    methods: tuple[str, ...] = (
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO", "MESSAGE",
    )
    extensions: tuple[str, ...] = ("100rel", "timer")
    content_types: tuple[str, ...] = (
        "application/sdp", "application/dtmf-relay", "application/dtmf", "text/plain",
    )
    schemes: tuple[str, ...] = ("sip", "sips", "tel")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is refused, and what its final response carries."""

    status: int
    why: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of three: `message` to go on with, `answer` to send back, or neither: silence."""

    message: Request | Response | None = None
    answer: Response | None = None
    why: str = field(default="", compare=False)


DEFAULT: Final = Capabilities()


def judge(data: bytes, capabilities: Capabilities = DEFAULT) -> Verdict:
    """What becomes of the bytes of one message. The answer has no To tag yet and no Server."""
    try:
        message = parse_message(data)
    except SipError as error:
        return Verdict(answer=refuse(data, error), why=str(error))
    if isinstance(message, Response):
        why = check_response(message)
        return Verdict(None if why else message, why=why)
    fault = check_request(message, capabilities)
    if fault is None:
        return Verdict(message)
    return Verdict(answer=answer(message.method, message.headers, fault), why=fault.why)


def check_request(request: Request, capabilities: Capabilities = DEFAULT) -> Fault | None:
    """What a UAS checks before anything else, in the RFC's order; None if the request may go on.

    Malformed is 400, then 501 or 405 with Allow, 416, 420 with Unsupported, 415 with Accept, 406.
    """
    if request.method not in KNOWN_METHODS and request.method not in capabilities.methods:
        return Fault(501, f"the method {request.method[:40]} is not known")
    try:
        _check_form(request)
        return (
            _check_method(request, capabilities)
            or _check_target(request, capabilities)
            or _check_extensions(request, capabilities)
            or _check_content(request, capabilities)
            or _check_accept(request)
        )
    except SipError as error:
        return Fault(error.status, str(error))


def check_response(response: Response) -> str:
    """Why a response must be dropped (RFC 3261 §8.1.3.3, §18.1.2); "" if it may go on."""
    try:
        _check_headers(response)
    except SipError as error:
        return str(error)
    return "" if len(response.vias) == 1 else "a response with more than one Via is not for a UAC"


def refuse(data: bytes, error: SipError) -> Response | None:
    """The answer to a message that `parse_message` or a stream refused; None where silence is better.

    A request gets one if it names a Via, whatever else is wrong with it; a response or an ACK never.
    """
    head = data[:MAX_MESSAGE].lstrip(b"\r\n")
    ends = find_body(head)
    try:
        start, *lines = split_lines(head if ends is None else head[: ends[0]])
    except SipError:
        return None
    method, _, rest = start.partition(" ")
    if method.upper().startswith("SIP/") or not rest.rpartition(" SIP/")[1]:
        return None
    headers = Headers.of([entry for entry in map(_try_field, lines) if entry is not None])
    return answer(method, headers, Fault(error.status, str(error)))


def answer(method: str, headers: Headers, fault: Fault) -> Response | None:
    """The final response to a request with these headers, as far as they are there; None for ACK or no Via."""
    if method == "ACK" or "via" not in headers:
        return None
    response = Response(fault.status, phrase(fault.status))
    response.headers.copy_from(headers, *ECHOED)
    for name, value in fault.headers:
        response.headers.add(name, value)
    return response


def _try_field(line: str) -> Field | None:
    try:
        return parse_field(line)
    except SipError:
        return None


def _check_form(request: Request) -> None:
    _check_headers(request)
    if request.cseq.method != request.method:
        raise SipError("the method of CSeq is another than the request's")
    if isinstance(request.uri, SipUri) and request.uri.headers:
        raise SipError("a Request-URI cannot have headers")  # RFC 3261 §19.1.1
    if request.body and request.media_type is None:
        raise SipError("a body without a Content-Type")


def _check_headers(message: Request | Response) -> None:
    keys = message.headers.keys()
    present = set(keys)
    for key in _MANDATORY:
        if key not in present:
            raise SipError(f"{key} is missing")
    if len(present) < len(keys):
        for key in _SINGLE & present:
            if keys.count(key) > 1:
                raise SipError(f"{key} is there more than once")
    for key in present:
        reader = _READERS.get(key)
        if reader is not None:
            reader(message)


def _check_method(request: Request, capabilities: Capabilities) -> Fault | None:
    if request.method in capabilities.methods:
        return None
    return Fault(405, f"{request.method} is not taken", (("Allow", ", ".join(capabilities.methods)),))


def _check_target(request: Request, capabilities: Capabilities) -> Fault | None:
    uri = request.uri
    scheme = "tel" if isinstance(uri, TelUri) else uri.scheme.lower()
    if scheme in capabilities.schemes:
        return None
    return Fault(416, f"the scheme {scheme[:40]} is not known")


def _check_extensions(request: Request, capabilities: Capabilities) -> Fault | None:
    if request.method in ("ACK", "CANCEL"):  # RFC 3261 §8.2.2.3
        return None
    missing = [t for t in request.headers.get_all("require") if t and t.lower() not in capabilities.extensions]
    if not missing:
        return None
    return Fault(420, "an extension is required that is not known", (("Unsupported", ", ".join(missing)),))


def _check_content(request: Request, capabilities: Capabilities) -> Fault | None:
    """RFC 3261 §8.2.3."""
    if not request.body or request.method in ("ACK", "CANCEL") or _is_optional(request):
        return None
    codings = [c.lower() for c in request.headers.get_all("content-encoding") if c]
    if any(coding != "identity" for coding in codings):
        return Fault(415, "the body is encoded", (("Accept-Encoding", "identity"),))
    if request.content_type in capabilities.content_types:
        return None
    accept = ", ".join(capabilities.content_types)
    return Fault(415, f"no body of {request.content_type} is taken", (("Accept", accept),))


def _is_optional(request: Request) -> bool:
    disposition = request.headers.get("content-disposition")
    return disposition is not None and "handling=optional" in disposition.lower().replace(" ", "")


def _check_accept(request: Request) -> Fault | None:
    """An INVITE whose answer would have to be something else than SDP (RFC 3261 §8.2.3, RFC 4475 §3.3.15)."""
    if request.method != "INVITE" or "accept" not in request.headers:
        return None
    if any(media_range.includes("application/sdp") for media_range in request.accept):
        return None
    return Fault(406, "the answer would be application/sdp, which is not accepted")
