"""The values of the authentication headers (RFC 3261 §20.7, §20.27, §20.28, §20.44; RFC 7616)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.grammar import (
    LWS,
    MAX_PARAMETERS,
    end_of_quoted,
    is_token,
    parse_token,
    quote,
    split_outside,
    unquote,
)

# RFC 7616 §3.4 and §3.5: these go bare; every other known one is quoted.
_BARE: Final = frozenset({"algorithm", "stale", "nc", "userhash"})
_BARE_IN_CREDENTIALS: Final = _BARE | {"qop"}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate value; parameter names in lower case, values unquoted."""

    scheme: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """SipError(400) for what breaks the grammar."""
        return cls(*_parse(text))

    def __str__(self) -> str:
        return _format(self.scheme, self.parameters, _BARE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An Authorization or Proxy-Authorization value; parameter names in lower case, values unquoted."""

    scheme: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """SipError(400) for what breaks the grammar."""
        return cls(*_parse(text))

    def __str__(self) -> str:
        return _format(self.scheme, self.parameters, _BARE_IN_CREDENTIALS)


def parse_auth_parameters(text: str) -> dict[str, str]:
    """`name=value, name="value"`: SipError(400) for a malformed or repeated one."""
    parts = split_outside(text, ",") if text else []
    if len(parts) > MAX_PARAMETERS:
        raise SipError(f"{len(parts)} authentication parameters are too many")
    parameters: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        key = parse_token(name.rstrip(LWS), "an authentication parameter").lower()
        if not equals or key in parameters:
            raise SipError(f"the authentication parameter {key[:40]!r} is malformed or repeated")
        parameters[key] = _parse_value(value.lstrip(LWS))
    return parameters


def format_auth_parameters(parameters: Mapping[str, str], bare: frozenset[str] = _BARE_IN_CREDENTIALS) -> str:
    """The inverse of `parse_auth_parameters`; the names in `bare` are not quoted where that is possible."""
    return ", ".join(
        [
            f"{name}={value if name in bare and is_token(value) else quote(value)}"
            for name, value in parameters.items()
        ]
    )


def _parse(text: str) -> tuple[str, dict[str, str]]:
    scheme, _, rest = text.partition(" ")
    return parse_token(scheme, "an authentication scheme"), parse_auth_parameters(rest.strip(LWS))


def _parse_value(value: str) -> str:
    if not value.startswith('"'):
        return value
    if end_of_quoted(value, 0) != len(value):
        raise SipError(f"unexpected text after a quoted string: {value[:40]!r}")
    return unquote(value)


def _format(scheme: str, parameters: Mapping[str, str], bare: frozenset[str]) -> str:
    if not is_token(scheme) or not all(map(is_token, parameters)):
        raise LocalProtocolError(f"not an authentication scheme or parameter: {scheme!r}")
    return f"{scheme} {format_auth_parameters(parameters, bare)}"
