"""The lexical rules that SIP header fields share (RFC 3261 §25.1).

Every function runs in time linear in its input: patterns are possessive or anchored, never nested.
"""

from __future__ import annotations

import re
from typing import Final

from meshdoor.errors import LocalProtocolError, SipError

# Ours: no honest message comes near these.
MAX_ELEMENTS: Final = 128  # elements of one comma list
MAX_PARAMETERS: Final = 64  # parameters of one header value or URI

LWS: Final = " \t"

Parameters = tuple[tuple[str, str | None], ...]

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_QUOTED: Final = re.compile(r'"(?:[^"\\\x00]++|\\.)*+"', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_ESCAPE: Final = re.compile(r'(["\\\x00])')
# Wider than gen-value: base64 with its '=', bare IPv6 addresses (RFC 5118 §4.5) and such are in use.
_VALUE: Final = re.compile(r'[^\x00-\x20\x7f",;<>]*+')
_UNSAFE: Final = re.compile(r"[\r\n\x00]")
_STOPS: Final = {separator: re.compile(f'[{separator}"<]') for separator in ",;"}


def is_token(text: str) -> bool:
    """Whether `text` is a `token` and nothing else."""
    return _TOKEN.fullmatch(text) is not None


def parse_token(text: str, what: str) -> str:
    """`text` if it is a token; a 400 that names `what` otherwise."""
    if _TOKEN.fullmatch(text) is None:
        raise SipError(f"{what} is not a token: {text[:40]!r}")
    return text


def parse_number(text: str, what: str, maximum: int = 2**32 - 1) -> int:
    """The value of 1*DIGIT, refused with 400 beyond `maximum`."""
    if not (text.isascii() and text.isdigit()):
        raise SipError(f"{what} is not a number: {text[:40]!r}")
    digits = text.lstrip("0")
    if len(digits) > 10 or (value := int(digits or "0")) > maximum:
        raise SipError(f"{what} is too large: {text[:40]}")
    return value


def end_of_quoted(text: str, start: int) -> int:
    """The index after the quoted string that opens at `start`."""
    match = _QUOTED.match(text, start)
    if match is None:
        raise SipError("a quoted string does not end")
    return match.end()


def quote(text: str) -> str:
    """`text` as a quoted-string. A line break cannot be carried in one: LocalProtocolError."""
    if "\r" in text or "\n" in text:
        raise LocalProtocolError(f"a quoted string cannot hold a line break: {text[:40]!r}")
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", text) + '"'


def unquote(text: str) -> str:
    """The content of a quoted-string; anything else comes back as it is."""
    if len(text) < 2 or text[0] != '"':
        return text
    inner = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote_value(text: str) -> str:
    """A parameter value as it goes on the wire: bare if the grammar allows that, else quoted."""
    if text and _VALUE.fullmatch(text) is not None:
        return text
    return quote(text)


def check_safe(text: str, what: str) -> str:
    """`text` unless it could break out of its header line; then LocalProtocolError.

    NUL is let through where it is the second half of a quoted-pair, which the grammar allows.
    """
    if _UNSAFE.search(text) is None:
        return text
    if _UNSAFE.search(text.replace("\\\\", "").replace("\\\0", "")) is None:
        return text
    raise LocalProtocolError(f"{what} cannot hold CR, LF or NUL: {text[:40]!r}")


def split_outside(text: str, separator: str) -> list[str]:
    """`text` cut at each `separator` (',' or ';') outside quoted strings and <>, parts stripped."""
    if '"' not in text and "<" not in text:
        return [part.strip(LWS) for part in text.split(separator)]
    parts: list[str] = []
    search = _STOPS[separator].search
    start = position = 0
    while (match := search(text, position)) is not None:
        found = match.start()
        if text[found] == separator:
            parts.append(text[start:found].strip(LWS))
            start = position = found + 1
        elif text[found] == '"':
            position = end_of_quoted(text, found)
        elif not (position := text.find(">", found) + 1):
            raise SipError("a '<' is not closed")
    parts.append(text[start:].strip(LWS))
    return parts


def split_list(text: str) -> list[str]:
    """The elements of a comma list; none if it is empty, "" for an element that is missing."""
    if "," not in text:
        return [text.strip(LWS)] if text else []
    parts = split_outside(text, ",")
    if len(parts) > MAX_ELEMENTS:
        raise SipError(f"a list of {len(parts)} elements is too long")
    return parts


def parse_parameters(text: str) -> Parameters:
    """What follows a header value: "" or ";name", ";name=value", … Values stay as carried."""
    if not text:
        return ()
    if text[0] != ";":
        raise SipError(f"unexpected text after a value: {text[:40]!r}")
    parts = split_outside(text[1:], ";")
    if len(parts) > MAX_PARAMETERS:
        raise SipError(f"{len(parts)} parameters are too many")
    return tuple([_parse_parameter(part) for part in parts])


def _parse_parameter(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not equals:
        return parse_token(name, "a parameter name"), None
    value = value.lstrip(LWS)
    if value.startswith('"'):
        if end_of_quoted(value, 0) != len(value):
            raise SipError(f"unexpected text after a quoted string: {value[:40]!r}")
    elif _VALUE.fullmatch(value) is None:
        raise SipError(f"a parameter value is malformed: {value[:40]!r}")
    return parse_token(name.rstrip(LWS), "a parameter name"), value


def format_parameters(parameters: Parameters) -> str:
    """The inverse of `parse_parameters`."""
    if not parameters:
        return ""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in parameters])


def find_parameter(parameters: Parameters, name: str) -> str | None:
    """The value of the first parameter of that (lower-case) name, unquoted; "" for one without a value."""
    for key, value in parameters:
        if key == name or key.lower() == name:
            return "" if value is None else unquote(value)
    return None


def replace_parameter(parameters: Parameters, name: str, value: str | None) -> Parameters:
    """`parameters` with `name` set, in its old place or at the end; the value is quoted where needed."""
    if not is_token(name):
        raise LocalProtocolError(f"not a parameter name: {name!r}")
    pair = (name, None if value is None else quote_value(value))
    kept = [p for p in parameters if p[0].lower() != name.lower()]
    place = next((i for i, p in enumerate(parameters) if p[0].lower() == name.lower()), len(kept))
    return (*kept[:place], pair, *kept[place:])
