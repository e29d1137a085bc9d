"""Messages made from other messages: responses (§8.2.6), ACK (§17.1.1.3), CANCEL (§9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshdoor.sip.message import Headers, Request, Response
from meshdoor.sip.phrases import phrase

MAX_FORWARDS: Final = "70"  # §8.1.1.6
SDP: Final = "application/sdp"

Fields = Iterable[tuple[str, str]]


def response_to(
    request: Request, status: int, tag: str | None = None, headers: Fields = (), body: bytes = b""
) -> Response:
    """A response to a request (§8.2.6.2). `tag` completes a To that has none; a 100 has no tag of ours."""
    fields = Headers()
    fields.copy_from(request.headers, "via", "from")
    to = request.to
    if tag is None or to.tag is not None:
        fields.copy_from(request.headers, "to")
    else:
        fields.add("To", str(to.with_parameter("tag", tag)))
    fields.copy_from(request.headers, "call-id", "cseq")
    if status == 100:
        fields.copy_from(request.headers, "timestamp")
    elif status < 300 and request.method == "INVITE":
        fields.copy_from(request.headers, "record-route")
    put(fields, headers)
    return Response(status, phrase(status), fields, body)


def ack_of_failure(request: Request, response: Response) -> Request:
    """The ACK that belongs to an INVITE transaction with a final response other than 2xx (§17.1.1.3)."""
    fields = _same_transaction(request)
    fields.copy_from(response.headers, "to")
    fields.add("CSeq", f"{request.cseq.number} ACK")
    return Request("ACK", request.uri, fields)


def cancel_of(request: Request, headers: Fields = ()) -> Request:
    """The CANCEL of an INVITE as it was sent (§9.1)."""
    fields = _same_transaction(request)
    fields.copy_from(request.headers, "to")
    fields.add("CSeq", f"{request.cseq.number} CANCEL")
    put(fields, headers)
    return Request("CANCEL", request.uri, fields)


def put(fields: Headers, headers: Fields) -> None:
    """Append header fields."""
    for name, value in headers:
        fields.add(name, value)


def reason_fields(reasons: Iterable[object]) -> list[tuple[str, str]]:
    """Reason headers (RFC 3326), one a value."""
    return [("Reason", str(reason)) for reason in reasons]


def body_fields(body: bytes, content_type: str = SDP) -> list[tuple[str, str]]:
    """The Content-Type of a body, if there is one."""
    return [("Content-Type", content_type)] if body else []


def _same_transaction(request: Request) -> Headers:
    fields = Headers()
    fields.add("Via", str(request.via))
    fields.copy_from(request.headers, "route")
    fields.add("Max-Forwards", MAX_FORWARDS)
    fields.copy_from(request.headers, "from", "call-id")
    return fields
