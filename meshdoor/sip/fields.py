"""The header fields of a message: an ordered multimap that loses nothing (RFC 3261 §7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from meshdoor.errors import LocalProtocolError, SipError
from meshdoor.sip.grammar import LWS, check_safe, is_token, split_list

# Ours: no honest message comes near these.
MAX_HEADERS: Final = 128
MAX_LINE: Final = 8192  # bytes of one header with its continuation lines

_COMPACT: Final = {
    "a": "accept-contact",  # RFC 3841
    "b": "referred-by",  # RFC 3892
    "c": "content-type",
    "d": "request-disposition",  # RFC 3841
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",  # RFC 3841
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",  # RFC 4474
    "o": "event",  # RFC 6665
    "r": "refer-to",  # RFC 3515
    "s": "subject",
    "t": "to",
    "u": "allow-events",  # RFC 6665
    "v": "via",
    "x": "session-expires",  # RFC 4028
    "y": "identity",  # RFC 8224
}
# The headers whose grammar is a comma list; any other may hold commas of its own.
LISTS: Final = frozenset(
    {
        "accept", "accept-contact", "accept-encoding", "accept-language", "alert-info", "allow",
        "allow-events", "call-info", "contact", "content-encoding", "content-language", "diversion",
        "error-info", "history-info", "in-reply-to", "p-asserted-identity", "p-associated-uri",
        "p-preferred-identity", "path", "proxy-require", "reason", "record-route", "recv-info",
        "reject-contact", "request-disposition", "require", "route", "security-client",
        "security-server", "security-verify", "service-route", "supported", "unsupported", "via",
        "warning",
    }
)
_USUAL: Final = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Type",
    "Content-Length", "Content-Disposition", "Allow", "Supported", "Require", "Proxy-Require",
    "Unsupported", "User-Agent", "Server", "Route", "Record-Route", "Expires", "Session-Expires",
    "Min-SE", "Accept", "Accept-Encoding", "Accept-Language", "Allow-Events", "Event", "Subject",
    "Reason", "RSeq", "RAck", "Date", "Authorization", "Warning", "Proxy-Authorization",
    "WWW-Authenticate", "Proxy-Authenticate", "P-Asserted-Identity", "Privacy", "Organization",
)
# Spellings that need no check and no folding: nearly every header of nearly every message.
_KNOWN: Final = {spelled: name.lower() for name in _USUAL for spelled in (name, name.lower())} | _COMPACT


class Field(NamedTuple):
    """One header as it stands in the message. `key` is the long name in lower case, `value` is unfolded."""

    key: str
    value: str
    line: str


def key_of(name: str) -> str:
    """The key of a header name, in any case or compact form."""
    key = _KNOWN.get(name)
    if key is None:
        key = name.lower()
        key = _COMPACT.get(key, key)
    return key


def parse_field(line: str) -> Field:
    """One header line, continuations included. SipError(400) if it is none."""
    name, colon, value = line.partition(":")
    key = _KNOWN.get(name)
    if key is None or not colon:
        key = _parse_name(line)
    if len(line) > MAX_LINE:
        raise SipError(f"the header {key[:40]} is too long")
    if "\r" in value:
        value = " ".join([part.strip(LWS) for part in value.split("\r\n")])
    return Field(key, value.strip(LWS), line)


def _parse_name(line: str) -> str:
    name, colon, _ = line.partition(":")
    name = name.rstrip(LWS)
    if not colon or not is_token(name):
        raise SipError(f"not a header: {line[:60]!r}")
    return key_of(name)


def build_field(name: str, value: str) -> Field:
    """A header of our own making. LocalProtocolError if it could break out of its line."""
    if not is_token(name):
        raise LocalProtocolError(f"not a header name: {name[:60]!r}")
    value = check_safe(value, name).strip(LWS)
    return Field(key_of(name), value, f"{name}: {value}")


@dataclass(init=False, repr=False, slots=True)
class Headers:
    """Ordered header fields. Names are found in any case and in compact form.

    What came from the network is kept byte for byte (bytes that are no UTF-8 as lone surrogates);
    what we set is checked, so that no value can end its line.
    """

    _fields: list[Field]
    typed: dict[str, Any] = field(compare=False)  # what Accessors has parsed of them; emptied by every change

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = [build_field(name, value) for name, value in pairs]
        self.typed = {}

    @classmethod
    def of(cls, fields: list[Field]) -> Headers:
        """The headers made of parsed fields; the list is kept."""
        headers = cls()
        headers._fields = fields
        return headers

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.of(self._fields.copy())

    def get(self, name: str) -> str | None:
        """The value of the first header of that name, whole."""
        key = key_of(name)
        for entry in self._fields:
            if entry.key == key:
                return entry.value
        return None

    def get_lines(self, name: str) -> list[str]:
        """The values of all headers of that name, one for each line, not cut at commas."""
        key = key_of(name)
        return [entry.value for entry in self._fields if entry.key == key]

    def get_all(self, name: str) -> list[str]:
        """All values of that name, in order; a line that is a comma list gives one value for each element."""
        values = self.get_lines(name)
        if key_of(name) not in LISTS:
            return values
        return [element for value in values for element in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Append a header."""
        self._insert(len(self._fields), name, value)

    def prepend(self, name: str, value: str) -> None:
        """Put a header above the first one of its name, or on top."""
        self._insert(self._place(key_of(name), 0), name, value)

    def set(self, name: str, value: str) -> None:
        """Put one header in the place of all of its name."""
        place = self._place(key_of(name), len(self._fields))
        new = build_field(name, value)
        kept = [entry for entry in self._fields[place:] if entry.key != new.key]
        self._fields[place:] = [new, *kept]
        self.typed.clear()

    def remove(self, name: str) -> None:
        """Drop all headers of that name."""
        key = key_of(name)
        self._fields = [entry for entry in self._fields if entry.key != key]
        self.typed.clear()

    def copy_from(self, other: Headers, *names: str) -> None:
        """Append the headers of these names from another message, byte for byte, name by name."""
        for key in map(key_of, names):
            self._fields += [entry for entry in other._fields if entry.key == key]
        self.typed.clear()

    def keys(self) -> list[str]:
        """The long names in lower case, one for each header."""
        return [entry.key for entry in self._fields]

    def fields(self) -> list[Field]:
        """The fields themselves, to be read only."""
        return self._fields

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(name as spelled, value) of each header."""
        for entry in self._fields:
            yield entry.line.partition(":")[0].rstrip(LWS), entry.value

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def _place(self, key: str, otherwise: int) -> int:
        return next((i for i, entry in enumerate(self._fields) if entry.key == key), otherwise)

    def _insert(self, place: int, name: str, value: str) -> None:
        self._fields.insert(place, build_field(name, value))
        self.typed.clear()
