"""DNS messages as multicast DNS carries them (RFC 1035 §4.1, RFC 6762 §18).

Names are tuples of labels, as DNS has them: the instance of a service may hold dots, which a name written as text
cannot tell from those between labels. Messages are written without compression; what is read may have it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from meshdoor.errors import AnnouncementError

A, PTR, TXT, AAAA, SRV, ANY = 1, 12, 16, 28, 33, 255  # RFC 1035 §3.2.2, RFC 3596, RFC 2782
IN = 1  # RFC 1035 §3.2.4
TOP_BIT = 0x8000  # of the class: flush the cache (RFC 6762 §10.2), or answer by unicast (§5.4)
RESPONSE = 0x8400  # authoritative (§18)
QUERY = 0

MAX_NAME = 255  # bytes, RFC 1035 §2.3.4
MAX_LABEL = 63
MAX_JUMPS = 32
MAX_ENTRIES = 300  # questions and records of one message

Name = tuple[bytes, ...]

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!2HIH")
_SERVICE = struct.Struct("!3H")


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks for; `unicast` is its wish to be answered alone."""

    name: Name
    type: int
    unicast: bool = False

    def __bytes__(self) -> bytes:
        return _name(self.name) + _QUESTION.pack(self.type, IN | TOP_BIT * self.unicast)

    def matches(self, record: Record) -> bool:
        """Whether the record is an answer."""
        return self.type in (record.type, ANY) and folded(self.name) == folded(record.name)


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record of class IN; `data` is its RDATA, with no compressed name in it."""

    name: Name
    type: int
    ttl: int
    data: bytes
    unique: bool = False

    def __bytes__(self) -> bytes:
        head = _RECORD.pack(self.type, IN | TOP_BIT * self.unique, self.ttl, len(self.data))
        return _name(self.name) + head + self.data

    @property
    def target(self) -> Name:
        """What a PTR points to, or the host of an SRV."""
        return _read_name(self.data, _SERVICE.size if self.type == SRV else 0)[0]

    @property
    def port(self) -> int:
        """Of an SRV."""
        return int(_SERVICE.unpack_from(self.data)[2])


@dataclass(frozen=True, slots=True)
class Message:
    """A query or a response. `records` are all but those of the authority section, which a probe has (§8.2)."""

    questions: tuple[Question, ...] = ()
    records: tuple[Record, ...] = ()
    proposed: tuple[Record, ...] = ()
    response: bool = False
    id: int = 0

    def __bytes__(self) -> bytes:
        flags = RESPONSE if self.response else QUERY
        counts = len(self.questions), len(self.records), len(self.proposed), 0
        parts = [*map(Question.__bytes__, self.questions), *map(Record.__bytes__, (*self.records, *self.proposed))]
        return _HEADER.pack(self.id, flags, *counts) + b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Raises AnnouncementError. Questions and records of other classes than IN are left out."""
        try:
            return _parse(data)
        except (struct.error, IndexError):
            raise AnnouncementError("a DNS message that ends too early") from None


def pointer(name: Name, to: Name, ttl: int) -> Record:
    """A PTR; many may have one name."""
    return Record(name, PTR, ttl, _name(to))


def service(name: Name, port: int, host: Name, ttl: int) -> Record:
    """An SRV, of priority and weight 0."""
    return Record(name, SRV, ttl, _SERVICE.pack(0, 0, port) + _name(host), unique=True)


def text(name: Name, strings: tuple[bytes, ...], ttl: int) -> Record:
    """A TXT; each string is cut to 255 bytes."""
    return Record(name, TXT, ttl, b"".join(bytes((len(each[:255]),)) + each[:255] for each in strings), unique=True)


def folded(name: Name) -> Name:
    """For comparing: ASCII letters in lower case (RFC 6762 §16)."""
    return tuple(label.lower() for label in name)


def written(name: Name) -> str:
    """For a person: labels with dots between them."""
    return ".".join(label.decode(errors="replace") for label in name)


def _name(name: Name) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in name) + b"\0"


def _parse(data: bytes) -> Message:
    identifier, flags, asked, answers, authority, additional = _HEADER.unpack_from(data)
    if asked + answers + authority + additional > MAX_ENTRIES:
        raise AnnouncementError("a DNS message of too many records")
    place = _HEADER.size
    questions: list[Question] = []
    for _ in range(asked):
        name, place = _read_name(data, place)
        kind, class_ = _QUESTION.unpack_from(data, place)
        place += _QUESTION.size
        if class_ & ~TOP_BIT in (IN, ANY):
            questions.append(Question(name, kind, bool(class_ & TOP_BIT)))
    first, place = _records(data, place, answers)
    proposed, place = _records(data, place, authority)
    more, _ = _records(data, place, additional)
    return Message(tuple(questions), (*first, *more), tuple(proposed), bool(flags & 0x8000), identifier)


def _records(data: bytes, place: int, count: int) -> tuple[list[Record], int]:
    found: list[Record] = []
    for _ in range(count):
        name, place = _read_name(data, place)
        kind, class_, ttl, length = _RECORD.unpack_from(data, place)
        place += _RECORD.size
        if place + length > len(data):
            raise AnnouncementError("a DNS record that ends too early")
        if class_ & ~TOP_BIT == IN:
            held = _data(data, place, place + length, kind)
            found.append(Record(name, kind, ttl, held, bool(class_ & TOP_BIT)))
        place += length
    return found, place


def _data(data: bytes, place: int, end: int, kind: int) -> bytes:
    """RDATA, with the name in it written out."""
    if kind == PTR:
        return _name(_read_name(data, place)[0])
    if kind == SRV:
        fixed = data[place : place + _SERVICE.size]
        return fixed + _name(_read_name(data, place + _SERVICE.size)[0])
    held = data[place:end]
    if len(held) != {A: 4, AAAA: 16}.get(kind, len(held)):
        raise AnnouncementError("an address of the wrong length")
    return held


def _read_name(data: bytes, place: int) -> tuple[Name, int]:
    """The name, and where what follows it begins. Pointers may only lead backwards (RFC 1035 §4.1.4)."""
    labels: list[bytes] = []
    end, size, jumps = 0, 0, 0
    while length := data[place]:
        if length > MAX_LABEL:
            to = int.from_bytes(data[place : place + 2], "big") & 0x3FFF
            if length < 0xC0 or to >= place or jumps >= MAX_JUMPS:
                raise AnnouncementError("a DNS name that leads nowhere")
            end, place, jumps = end or place + 2, to, jumps + 1
            continue
        label = data[place + 1 : place + 1 + length]
        place += 1 + length
        size += 1 + length
        labels.append(label)
        if size >= MAX_NAME:
            raise AnnouncementError("a DNS name that is too long")
    return tuple(labels), end or place + 1
