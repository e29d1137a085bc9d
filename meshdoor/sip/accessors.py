"""Typed, lazy and cached reading of a message's headers (RFC 3261 §20)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from meshdoor.errors import SipError
from meshdoor.sip.fields import Headers
from meshdoor.sip.grammar import LWS, parse_number, parse_token
from meshdoor.sip.headers import (
    DELTA_LIMIT,
    RSEQ_LIMIT,
    Challenge,
    Credentials,
    CSeq,
    MediaType,
    NameAddr,
    RAck,
    Reason,
    SessionExpires,
    Via,
)

MAX_FORWARDS_LIMIT: Final = 255  # RFC 3261 §20.22
# Ours: no honest message comes near these.
MAX_VIAS: Final = 64
MAX_VALUES: Final = 64  # of any other list

T = TypeVar("T")


class Accessors:
    """What Request and Response share: each property reads one header.

    A malformed header raises SipError(400) when it is read, and so does a missing one whose type has
    no None; those that a call can do without (`accept`, `allow`, `expires`, `min_expires`, `min_se`,
    `proxy_require`, `reasons`, `retry_after`, `supported`, `unsupported` and the authentication headers)
    read as if the malformed ones were not there (§8.2). What was read is kept until the headers change.
    """

    __slots__ = ()
    headers: Headers

    @property
    def vias(self) -> tuple[Via, ...]:
        """All Via values, the sender's first."""
        return self._many("via", Via.parse, MAX_VIAS)

    @property
    def via(self) -> Via:
        """The topmost Via."""
        vias = self.vias
        if not vias:
            raise SipError("Via is missing")
        return vias[0]

    @property
    def from_(self) -> NameAddr:
        """From."""
        return self._one("from", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        """To."""
        return self._one("to", NameAddr.parse)

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self._one("call-id", str)

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return self._one("cseq", CSeq.parse)

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All Contact values; "*" gives none, see `contact_wildcard`."""
        return () if self.contact_wildcard else self._many("contact", NameAddr.parse)

    @property
    def contact_wildcard(self) -> bool:
        """Whether Contact is "*" (RFC 3261 §10.2.2)."""
        return self.headers.get("contact") == "*"

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """All Route values."""
        return self._many("route", NameAddr.parse)

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """All Record-Route values."""
        return self._many("record-route", NameAddr.parse)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards."""
        return self._number("max-forwards", MAX_FORWARDS_LIMIT)

    @property
    def require(self) -> tuple[str, ...]:
        """The option tags of Require, in lower case."""
        return _present(self._many("require", _parse_tag))

    @property
    def proxy_require(self) -> tuple[str, ...]:
        """The option tags of Proxy-Require, in lower case."""
        return _present(self._lenient("proxy-require", _parse_tag))

    @property
    def supported(self) -> tuple[str, ...]:
        """The option tags of Supported, in lower case."""
        return _present(self._lenient("supported", _parse_tag))

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The option tags of Unsupported, in lower case."""
        return _present(self._lenient("unsupported", _parse_tag))

    @property
    def allow(self) -> tuple[str, ...]:
        """The methods of Allow, as spelled."""
        return _present(self._lenient("allow", _parse_method))

    @property
    def media_type(self) -> MediaType | None:
        """Content-Type with its parameters."""
        return self._maybe("content-type", MediaType.parse)

    @property
    def content_type(self) -> str | None:
        """type/subtype of Content-Type, in lower case."""
        media_type = self.media_type
        return None if media_type is None else media_type.essence

    @property
    def accept(self) -> tuple[MediaType, ...]:
        """The media ranges of Accept."""
        return self._lenient("accept", MediaType.parse)

    @property
    def expires(self) -> int | None:
        """Expires, in seconds."""
        return _first(self._lenient("expires", _parse_seconds))

    @property
    def min_expires(self) -> int | None:
        """Min-Expires, in seconds."""
        return _first(self._lenient("min-expires", _parse_seconds))

    @property
    def retry_after(self) -> int | None:
        """The seconds of Retry-After, without its comment and parameters."""
        return _first(self._lenient("retry-after", _parse_seconds))

    @property
    def rseq(self) -> int | None:
        """RSeq (RFC 3262)."""
        return self._number("rseq", RSEQ_LIMIT)

    @property
    def rack(self) -> RAck | None:
        """RAck (RFC 3262)."""
        return self._maybe("rack", RAck.parse)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All Reason values (RFC 3326)."""
        return self._lenient("reason", Reason.parse)

    @property
    def session_expires(self) -> SessionExpires | None:
        """Session-Expires (RFC 4028)."""
        return self._maybe("session-expires", SessionExpires.parse)

    @property
    def min_se(self) -> int | None:
        """The seconds of Min-SE (RFC 4028)."""
        return _first(self._lenient("min-se", _parse_seconds))

    @property
    def authorization(self) -> tuple[Credentials, ...]:
        """All Authorization headers."""
        return self._lenient("authorization", Credentials.parse)

    @property
    def proxy_authorization(self) -> tuple[Credentials, ...]:
        """All Proxy-Authorization headers."""
        return self._lenient("proxy-authorization", Credentials.parse)

    @property
    def www_authenticate(self) -> tuple[Challenge, ...]:
        """All WWW-Authenticate headers, in the order of the server's preference."""
        return self._lenient("www-authenticate", Challenge.parse)

    @property
    def proxy_authenticate(self) -> tuple[Challenge, ...]:
        """All Proxy-Authenticate headers, in the order of the server's preference."""
        return self._lenient("proxy-authenticate", Challenge.parse)

    def _one(self, key: str, parse: Callable[[str], T]) -> T:
        value = self._maybe(key, parse)
        if value is None:
            raise SipError(f"{key} is missing")
        return value

    def _maybe(self, key: str, parse: Callable[[str], T]) -> T | None:
        typed: dict[str, Any] = self.headers.typed
        if key not in typed:
            text = self.headers.get(key)
            typed[key] = None if text is None else parse(text)
        value: T | None = typed[key]
        return value

    def _many(self, key: str, parse: Callable[[str], T], maximum: int = MAX_VALUES) -> tuple[T, ...]:
        typed: dict[str, Any] = self.headers.typed
        if key not in typed:
            texts = self.headers.get_all(key)
            if len(texts) > maximum:
                raise SipError(f"{len(texts)} values of {key} are too many")
            typed[key] = tuple([parse(text) for text in texts])
        values: tuple[T, ...] = typed[key]
        return values

    def _lenient(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        try:
            values = self._many(key, partial(_attempt, parse))
        except SipError:
            return ()
        return tuple([value for value in values if value is not None])

    def _number(self, key: str, maximum: int) -> int | None:
        return self._maybe(key, lambda text: parse_number(text, key, maximum))


def _attempt(parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except SipError:
        return None


def _present(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The tokens without what a stray comma leaves."""
    return tuple([token for token in tokens if token])


def _parse_method(text: str) -> str:
    return parse_token(text, "a method") if text else ""


def _parse_tag(text: str) -> str:
    return parse_token(text, "an option tag").lower() if text else ""


def _first(values: tuple[T, ...]) -> T | None:
    return values[0] if values else None


def _parse_seconds(text: str) -> int:
    """delta-seconds without the comment and the parameters that may follow it."""
    seconds = text.partition(";")[0].partition("(")[0]
    return parse_number(seconds.rstrip(LWS), "a number of seconds", DELTA_LIMIT)
