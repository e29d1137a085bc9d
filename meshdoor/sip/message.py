"""Requests and responses (RFC 3261 §7).

Parsing only cuts a message into fields; values are read when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.accessors import Accessors
from meshdoor.sip.fields import MAX_HEADERS, Field, Headers, parse_field
from meshdoor.sip.grammar import check_safe, is_token, parse_number
from meshdoor.sip.uri import Uri, parse_uri

__all__ = ["Headers", "Request", "Response", "parse_message"]

# Ours: no honest message comes near these.
MAX_MESSAGE: Final = 65536
MAX_START_LINE: Final = 8192


@dataclass(slots=True)
class Request(Accessors):
    """A request. `bytes()` gives its wire form, with a Content-Length that fits the body."""

    method: str
    uri: Uri
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        if not is_token(self.method):
            raise LocalProtocolError(f"not a method: {self.method!r}")
        return _serialise(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)


@dataclass(slots=True)
class Response(Accessors):
    """A response. `bytes()` gives its wire form, with a Content-Length that fits the body."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        if not 100 <= self.status <= 699:
            raise LocalProtocolError(f"not a status: {self.status}")
        line = f"SIP/2.0 {self.status} {check_safe(self.reason, 'a reason phrase')}"
        return _serialise(line, self.headers, self.body)


def parse_message(data: bytes) -> Request | Response:
    """The message that one datagram, or one frame of a stream, holds; bytes after its body are dropped.

    SipError where even the skeleton is broken; its status is 400, 505 or 513. A header that is wrong
    inside only raises when it is read.
    """
    start, lines, body = split_message(data)
    if start[:4].upper() == "SIP/":
        status, reason = parse_status_line(start)
        headers = Headers.of(_parse_fields(lines))
        return Response(status, reason, headers, _cut_body(headers, body))
    method, uri = parse_request_line(start)
    headers = Headers.of(_parse_fields(lines))
    return Request(method, uri, headers, _cut_body(headers, body))


def find_body(data: bytes | bytearray, start: int = 0) -> tuple[int, int] | None:
    """(end of the headers, start of the body), looked for from `start` on; None if the headers do not end.

    Lines may all end in a bare LF: the RFC 5118 messages are handed around that way.
    """
    crlf = data.find(b"\r\n\r\n", start)
    lf = data.find(b"\n\n", start, len(data) if crlf < 0 else crlf)
    if lf >= 0:
        return lf, lf + 2
    return None if crlf < 0 else (crlf, crlf + 4)


def split_message(data: bytes) -> tuple[str, list[str], bytes]:
    """(start line, header lines with their continuations, all after the blank line)."""
    if len(data) > MAX_MESSAGE:
        raise SipError(f"a message of {len(data)} bytes is too large", 513)
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # RFC 3261 §7.5
    ends = find_body(data)
    if ends is None:
        raise SipError("the headers do not end")
    head = data[: ends[0]]
    if ends[1] - ends[0] == 2 and b"\r" in head:
        raise SipError("the lines end in CRLF and in LF")
    start, *lines = split_lines(head)
    return start, lines, data[ends[1] :]


def split_lines(head: bytes) -> list[str]:
    """The lines of a head, continuations joined to the line they continue with their CRLF kept."""
    text = head.decode("utf-8", "surrogateescape")
    if "\r" not in text:
        text = text.replace("\n", "\r\n")
    lines = text.split("\r\n")
    if not text.count("\n") == text.count("\r") == len(lines) - 1:
        raise SipError("a CR or LF stands alone")
    if "\r\n " in text or "\r\n\t" in text:
        return _join_continuations(lines)
    return lines


def parse_request_line(line: str) -> tuple[str, Uri]:
    """METHOD SP Request-URI SP SIP/2.0, with exactly one space each (RFC 3261 §7.1)."""
    parts = line.split(" ")
    if len(parts) != 3 or len(line) > MAX_START_LINE:
        raise SipError(f"not a request line: {line[:60]!r}")
    method, uri, version = parts
    if version != "SIP/2.0":
        _refuse_version(version)
    if not is_token(method):
        raise SipError(f"not a method: {method[:60]!r}")
    return method, parse_uri(uri)


def parse_status_line(line: str) -> tuple[int, str]:
    """SIP/2.0 SP status SP reason (RFC 3261 §7.2); the reason may be empty."""
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version != "SIP/2.0":
        _refuse_version(version)
    if len(status) != 3 or not 100 <= (code := parse_number(status, "a status")) <= 699:
        raise SipError(f"not a status line: {line[:60]!r}")
    if len(line) > MAX_START_LINE or "\0" in reason or "\r" in reason:
        raise SipError("the status line is too long, is continued or holds NUL")
    return code, reason


def parse_content_length(values: list[str]) -> int:
    """What all the Content-Length headers of a message say."""
    if len(set(values)) > 1:
        raise SipError("two Content-Length headers disagree")
    return parse_number(values[0], "Content-Length", MAX_MESSAGE)


def _refuse_version(version: str) -> None:
    name, _, number = version.partition("/")
    major, dot, minor = number.partition(".")
    if name.upper() != "SIP" or not dot or not (major + minor).isdigit():
        raise SipError(f"not a SIP version: {version[:40]!r}")
    if number != "2.0":
        raise SipError(f"SIP version {number[:20]} is not spoken here", 505)


def _join_continuations(lines: list[str]) -> list[str]:
    joined: list[list[str]] = [[lines[0]]]
    for line in lines[1:]:
        if line[:1] in (" ", "\t"):
            joined[-1].append(line)
        else:
            joined.append([line])
    return ["\r\n".join(parts) for parts in joined]


def _parse_fields(lines: list[str]) -> list[Field]:
    if len(lines) > MAX_HEADERS:
        raise SipError(f"{len(lines)} headers are too many")
    return [parse_field(line) for line in lines]


def _cut_body(headers: Headers, body: bytes) -> bytes:
    lengths = headers.get_lines("content-length")
    if not lengths:
        return body
    length = parse_content_length(lengths)
    if length > len(body):
        raise SipError(f"Content-Length is {length}, but only {len(body)} bytes came")
    return body if length == len(body) else body[:length]


def _serialise(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [start]
    lines += [entry.line for entry in headers.fields() if entry.key != "content-length"]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body
