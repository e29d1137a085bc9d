"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966); any other scheme is kept as it is.

Components hold what the wire carries, escapes included; `escape` and `unescape` convert.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import Final

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.grammar import MAX_PARAMETERS, Parameters, parse_number

# '#' and raw UTF-8 are not in the RFC's user-unreserved, but door panels and soft phones send them.
_USER: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#\x80-\U0010ffff]++|%[0-9A-Fa-f]{2})++")
_PASSWORD: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]++|%[0-9A-Fa-f]{2})*+")
_PART: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$?=]++|%[0-9A-Fa-f]{2})*+")
_PARTS: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$?=;]++|%[0-9A-Fa-f]{2})*+")  # with the ';'
_HOST: Final = re.compile(r"[A-Za-z0-9\-_.]{1,255}")
_IPV6: Final = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45}(?:%[A-Za-z0-9\-_.~%]{1,32})?")
_SIP: Final = re.compile(
    rf"([Ss][Ii][Pp][Ss]?):(?:({_USER.pattern})(?::({_PASSWORD.pattern}))?@)?"
    rf"(\[[^\]]*+\]|[^:;?@\[]*+)(?::([0-9]*+))?(?:;([^?]*+))?(?:\?(.*+))?",
    re.DOTALL,
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+")
_VISIBLE: Final = re.compile(r'[^\x00-\x20\x7f<>"]*+')
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/"
)

# RFC 3261 §19.1.4: these never match a URI without them; any other may be missing on one side.
_BINDING: Final = frozenset({"user", "ttl", "method", "maddr", "transport"})


def escape(text: str) -> str:
    """`text` as it may stand in a user part: what is not allowed there becomes %HH of its UTF-8."""
    octets = text.encode("utf-8", "surrogateescape")
    return "".join([chr(o) if o in _UNRESERVED else f"%{o:02X}" for o in octets])


def unescape(text: str) -> str:
    """`text` with each %HH decoded; octets that are no UTF-8 become lone surrogates."""
    if "%" not in text:
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda m: bytes((int(m[1], 16),)), octets).decode("utf-8", "surrogateescape")


def parse_host(text: str) -> str:
    """A host name or address; an IPv6 reference loses its brackets (RFC 3261 §25.1, RFC 5118)."""
    if _HOST.fullmatch(text) is not None:
        return text
    host = text[1:-1]
    if not (text.startswith("[") and text.endswith("]")) or _IPV6.fullmatch(host) is None:
        raise SipError(f"not a host: {text[:60]!r}")
    return host


def parse_port(text: str) -> int:
    """A port number."""
    return parse_number(text, "a port", 65535)


def format_host_port(host: str, port: int | None) -> str:
    """host[:port], an IPv6 address in brackets; LocalProtocolError for what is no host."""
    if _HOST.fullmatch(host) is None:
        if _IPV6.fullmatch(host) is None:
            raise LocalProtocolError(f"not a host: {host[:60]!r}")
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip or sips URI. `host` has no brackets; a parameter without '=' has the value None."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    parameters: Parameters = ()
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """SipError(400) for what breaks the grammar."""
        match = _SIP.fullmatch(text)
        if match is None:
            raise SipError(f"not a SIP URI: {text[:60]!r}")
        scheme, user, password, host, port, parameters, headers = match.groups()
        return cls(
            scheme.lower(),
            user,
            password,
            parse_host(host),
            None if port is None else parse_port(port),
            () if parameters is None else _parse_parameters(parameters),
            () if headers is None else _parse_headers(headers),
        )

    def __str__(self) -> str:
        text = [self.scheme, ":"]
        if self.user is not None:
            text.append(_checked(_USER, self.user))
            if self.password is not None:
                text.append(":" + _checked(_PASSWORD, self.password))
            text.append("@")
        text.append(format_host_port(self.host, self.port))
        for name, value in self.parameters:
            text.append(";" + _checked(_PART, name))
            if value is not None:
                text.append("=" + _checked(_PART, value))
        for index, (name, value) in enumerate(self.headers):
            text.append(("&" if index else "?") + _checked(_PART, name) + "=" + _checked(_PART, value))
        return "".join(text)

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, "" for one without a value, None if it is not there."""
        for key, value in self.parameters:
            if key.lower() == name:
                return value or ""
        return None

    def with_parameter(self, name: str, value: str | None) -> SipUri:
        """This URI with the parameter set, at the end."""
        kept = tuple(p for p in self.parameters if p[0].lower() != name.lower())
        return replace(self, parameters=(*kept, (name, value)))

    def equivalent(self, other: object) -> bool:
        """Whether both mean the same (RFC 3261 §19.1.4); `==` compares what is carried."""
        return (
            isinstance(other, SipUri)
            and self.scheme == other.scheme
            and _same_user(self, other)
            and _host_key(self.host) == _host_key(other.host)
            and self.port == other.port
            and _same_parameters(_folded(self.parameters), _folded(other.parameters))
            and _folded(self.headers) == _folded(other.headers)
        )


@dataclass(frozen=True, slots=True)
class TelUri:
    """A tel URI (RFC 3966): the number as carried, with its visual separators."""

    number: str
    parameters: Parameters = ()

    @classmethod
    def parse(cls, text: str) -> TelUri:
        """SipError(400) for what breaks the grammar."""
        scheme, _, rest = text.partition(":")
        if scheme.lower() != "tel":
            raise SipError(f"not a tel URI: {text[:60]!r}")
        number, semicolon, parameters = rest.partition(";")
        if not number or not set(number) <= set("+0123456789abcdefABCDEF*#-.()"):
            raise SipError(f"not a telephone number: {number[:40]!r}")
        return cls(number, _parse_parameters(parameters) if semicolon else ())

    def __str__(self) -> str:
        parameters = [f";{name}" if value is None else f";{name}={value}" for name, value in self.parameters]
        return "tel:" + _checked(_VISIBLE, self.number + "".join(parameters))

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, "" for one without a value, None if it is not there."""
        for key, value in self.parameters:
            if key.lower() == name:
                return value or ""
        return None

    def equivalent(self, other: object) -> bool:
        """Whether both mean the same number (RFC 3966 §4)."""
        return (
            isinstance(other, TelUri)
            and _digits(self.number) == _digits(other.number)
            and _folded(self.parameters) == _folded(other.parameters)
        )


@dataclass(frozen=True, slots=True)
class OpaqueUri:
    """A URI of a scheme that we do not read; `rest` is all after the colon."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> OpaqueUri:
        """SipError(400) for what is not a URI at all."""
        scheme, colon, rest = text.partition(":")
        if not colon or _SCHEME.fullmatch(scheme) is None or _VISIBLE.fullmatch(rest) is None:
            raise SipError(f"not a URI: {text[:60]!r}")
        return cls(scheme, rest)

    def __str__(self) -> str:
        return _checked(_SCHEME, self.scheme) + ":" + _checked(_VISIBLE, self.rest)

    def parameter(self, name: str) -> str | None:
        """None: what a parameter is depends on the scheme."""
        return None

    def equivalent(self, other: object) -> bool:
        """Whether both are the same text."""
        return isinstance(other, OpaqueUri) and str(self) == str(other)


Uri = SipUri | TelUri | OpaqueUri


def parse_uri(text: str) -> Uri:
    """Any URI. SipError(400) for what breaks the grammar of its scheme."""
    scheme = text[:5].lower()
    if scheme.startswith(("sip:", "sips:")):
        return SipUri.parse(text)
    if scheme.startswith("tel:"):
        return TelUri.parse(text)
    return OpaqueUri.parse(text)


def _parse_parameters(text: str) -> Parameters:
    parts = text.split(";")
    if len(parts) > MAX_PARAMETERS or _PARTS.fullmatch(text) is None:
        raise SipError(f"malformed URI parameters: {text[:60]!r}")
    pairs: list[tuple[str, str | None]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        if not name:
            raise SipError("a URI parameter has no name")
        pairs.append((name, value if equals else None))
    return tuple(pairs)


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    parts = text.split("&")
    if len(parts) > MAX_PARAMETERS or _PART.fullmatch(text) is None:
        raise SipError(f"malformed URI headers: {text[:60]!r}")
    pairs = [part.partition("=") for part in parts]
    if not all(name and equals for name, equals, _ in pairs):
        raise SipError(f"malformed URI headers: {text[:60]!r}")
    return tuple([(name, value) for name, _, value in pairs])


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise LocalProtocolError(f"cannot stand in a URI: {text[:60]!r}")
    return text


def _digits(number: str) -> str:
    return number.translate({ord(c): None for c in "-.()"}).lower()


def _same_user(one: SipUri, other: SipUri) -> bool:
    return all(
        (a is None) == (b is None) and unescape(a or "") == unescape(b or "")
        for a, b in ((one.user, other.user), (one.password, other.password))
    )


def _host_key(host: str) -> object:
    try:
        return IPv6Address(host)
    except ValueError:
        return host.lower()


def _folded(pairs: Parameters) -> dict[str, str]:
    return {unescape(name).lower(): unescape(value or "").lower() for name, value in pairs}


def _same_parameters(one: dict[str, str], other: dict[str, str]) -> bool:
    return all(
        one.get(name) == other.get(name) if name in _BINDING else one.get(name, v) == other.get(name, v)
        for name, v in (one | other).items()
    )


def is_address(host: str) -> bool:
    """Is this host an address, with a scope or without, rather than a name?"""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
