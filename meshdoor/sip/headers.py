"""Typed header values (RFC 3261 §20 and the RFCs named at each). Each one round-trips: parse(str(v)) == v."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.credentials import Challenge, Credentials
from meshdoor.sip.grammar import (
    LWS,
    Parameters,
    end_of_quoted,
    find_parameter,
    format_parameters,
    is_token,
    parse_number,
    parse_parameters,
    parse_token,
    quote,
    replace_parameter,
    unquote,
)
from meshdoor.sip.uri import Uri, format_host_port, parse_host, parse_port, parse_uri

__all__ = [
    "CSeq",
    "Challenge",
    "Credentials",
    "MediaType",
    "NameAddr",
    "RAck",
    "Reason",
    "SessionExpires",
    "Via",
]

CSEQ_LIMIT: Final = 2**31 - 1  # RFC 3261 §8.1.1.5
RSEQ_LIMIT: Final = 2**32 - 1  # RFC 3262 §7.1
DELTA_LIMIT: Final = 2**32 - 1  # delta-seconds, RFC 3261 §20.19

_VIA: Final = re.compile(
    r"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++"
    r"(\[[^\]]*+\]|[A-Za-z0-9\-_.]++)[ \t]*+(?::[ \t]*+([0-9]++)[ \t]*+)?",
    re.IGNORECASE | re.ASCII,
)
# A bare display name is token words in the RFC; names with other letters, dots or brackets are in use.
_BARE_DISPLAY: Final = re.compile(r'[^\x00-\x08\x0a-\x1f\x7f",;:<>\\]*+')


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value (RFC 3261 §20.42). `transport` is in capitals; `host` has no brackets."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """SipError(400) for what breaks the grammar."""
        match = _VIA.match(text)
        if match is None:
            raise SipError(f"not a Via: {text[:60]!r}")
        transport, host, port = match.groups()
        return cls(
            transport.upper(),
            parse_host(host),
            None if port is None else parse_port(port),
            parse_parameters(text[match.end() :]),
        )

    def __str__(self) -> str:
        if not is_token(self.transport):
            raise LocalProtocolError(f"not a transport: {self.transport!r}")
        sent_by = format_host_port(self.host, self.port)
        return f"SIP/2.0/{self.transport} {sent_by}{format_parameters(self.parameters)}"

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, "" for one without a value, None if it is not there."""
        return find_parameter(self.parameters, name)

    def with_parameter(self, name: str, value: str | None) -> Via:
        """This Via with a parameter set."""
        return replace(self, parameters=replace_parameter(self.parameters, name, value))

    @property
    def branch(self) -> str | None:
        """The branch parameter."""
        return find_parameter(self.parameters, "branch")

    @property
    def received(self) -> str | None:
        """The address the request came from, without brackets (RFC 3261 §18.2.1, RFC 5118 §4.5)."""
        value = find_parameter(self.parameters, "received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port the request came from (RFC 3581); None if it is not, or not yet, filled in."""
        value = find_parameter(self.parameters, "rport")
        return parse_port(value) if value else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks to be answered where it sent from (RFC 3581 §3)."""
        return find_parameter(self.parameters, "rport") is not None


@dataclass(frozen=True, slots=True)
class NameAddr:
    """name-addr or addr-spec with header parameters: From, To, Contact, Route, Record-Route, … (§20.10)."""

    display: str | None
    uri: Uri
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """SipError(400) for what breaks the grammar."""
        display: str | None = None
        rest = text
        if text.startswith('"'):
            end = end_of_quoted(text, 0)
            display, rest = unquote(text[:end]), text[end:].lstrip(LWS)
            if not rest.startswith("<"):
                raise SipError(f"a display name without an address in <>: {text[:60]!r}")
        before, bracket, after = rest.partition("<")
        if not bracket or ";" in before:
            return cls._parse_addr_spec(rest)
        if before:
            display = before.strip(LWS)
            if _BARE_DISPLAY.fullmatch(display) is None:
                raise SipError(f"not a display name: {display[:60]!r}")
        uri, closed, parameters = after.partition(">")
        if not closed:
            raise SipError("a '<' is not closed")
        return cls(display, parse_uri(uri), parse_parameters(parameters.strip(LWS)))

    @classmethod
    def _parse_addr_spec(cls, text: str) -> NameAddr:
        uri, semicolon, parameters = text.partition(";")
        if "?" in uri or "," in uri:
            raise SipError(f"this URI must stand in <>: {uri[:60]!r}")
        return cls(None, parse_uri(uri.rstrip(LWS)), parse_parameters(semicolon + parameters))

    def __str__(self) -> str:
        display = "" if self.display is None else quote(self.display) + " "
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter of a From or To."""
        return find_parameter(self.parameters, "tag")

    def parameter(self, name: str) -> str | None:
        """The value of a header parameter, "" for one without a value, None if it is not there."""
        return find_parameter(self.parameters, name)

    def with_parameter(self, name: str, value: str | None) -> NameAddr:
        """This address with a header parameter set."""
        return replace(self, parameters=replace_parameter(self.parameters, name, value))


@dataclass(frozen=True, slots=True)
class CSeq:
    """The CSeq header (RFC 3261 §20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """SipError(400) for what breaks the grammar or exceeds 2**31 - 1."""
        parts = text.split()
        if len(parts) != 2:
            raise SipError(f"not a CSeq: {text[:60]!r}")
        return cls(parse_number(parts[0], "CSeq", CSEQ_LIMIT), parse_token(parts[1], "the method of CSeq"))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class RAck:
    """What a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """SipError(400) for what breaks the grammar."""
        parts = text.split()
        if len(parts) != 3:
            raise SipError(f"not a RAck: {text[:60]!r}")
        return cls(
            parse_number(parts[0], "RSeq", RSEQ_LIMIT),
            parse_number(parts[1], "CSeq", CSEQ_LIMIT),
            parse_token(parts[2], "the method of RAck"),
        )

    def __str__(self) -> str:
        return f"{self.rseq} {self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was sent (RFC 3326): Reason("SIP", 200, "Call completed elsewhere")."""

    protocol: str
    cause: int | None = None
    text: str | None = None
    extensions: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> Reason:
        """SipError(400) for what breaks the grammar."""
        protocol, semicolon, rest = text.partition(";")
        parameters = parse_parameters(semicolon + rest)
        cause = find_parameter(parameters, "cause")
        return cls(
            parse_token(protocol.rstrip(LWS), "the protocol of Reason"),
            None if cause is None else parse_number(cause, "cause"),
            find_parameter(parameters, "text"),
            tuple(p for p in parameters if p[0].lower() not in ("cause", "text")),
        )

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        text = "" if self.text is None else f";text={quote(self.text)}"
        return f"{self.protocol}{cause}{text}{format_parameters(self.extensions)}"


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """Session-Expires (RFC 4028 §4); `refresher` is "uac", "uas" or None. Serves Min-SE too."""

    interval: int
    refresher: str | None = None
    extensions: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """SipError(400) for what breaks the grammar."""
        interval, semicolon, rest = text.partition(";")
        parameters = parse_parameters(semicolon + rest)
        refresher = find_parameter(parameters, "refresher")
        if refresher is not None and (refresher := refresher.lower()) not in ("uac", "uas"):
            raise SipError(f"not a refresher: {refresher[:40]!r}")
        return cls(
            parse_number(interval.rstrip(LWS), "Session-Expires", DELTA_LIMIT),
            refresher,
            tuple(p for p in parameters if p[0].lower() != "refresher"),
        )

    def __str__(self) -> str:
        refresher = "" if self.refresher is None else f";refresher={self.refresher}"
        return f"{self.interval}{refresher}{format_parameters(self.extensions)}"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type, or a range of Accept with its '*'; both parts in lower case (RFC 3261 §20.15)."""

    type: str
    subtype: str
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> MediaType:
        """SipError(400) for what breaks the grammar."""
        essence, semicolon, rest = text.partition(";")
        kind, _, subtype = essence.partition("/")
        return cls(
            parse_token(kind.strip(LWS), "a media type").lower(),
            parse_token(subtype.strip(LWS), "a media subtype").lower(),
            parse_parameters(semicolon + rest),
        )

    def __str__(self) -> str:
        return self.essence + format_parameters(self.parameters)

    @property
    def essence(self) -> str:
        """type/subtype without the parameters."""
        return f"{self.type}/{self.subtype}"

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, "" for one without a value, None if it is not there."""
        return find_parameter(self.parameters, name)

    def includes(self, essence: str) -> bool:
        """Whether this range of an Accept covers a type."""
        return self.essence in ("*/*", essence, essence.partition("/")[0] + "/*")
