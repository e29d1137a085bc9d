"""What screens say to each other so that each has the whole history (sans-IO); this docstring is the specification.

A ledger numbers its changes; `epoch` names the ledger, whose numbers begin again when it is made anew. A screen asks
another what changed there after the number that it has seen, takes what it lacks, and remembers the number.

    since    {"epoch", "after"}                       asks
    summary  {"epoch", "last", "more", "items"}       items: [id, revision, seen], at most 64, changed up to `last`
    want     {"ids"}                                  asks for these entries
    entries  {"entries": [{"kind", "entry", "seen"}], "gone": [id]}    as many as fit; `gone`: not there any more
    news     {}                                       there is something new: ask
    seen     {"ids"}                                  a person has seen these missed visitors
    opening  {"opening"}                              a lock was asked to open
    ask      {"id"}                                   asks for the picture of a missed visitor
    picture  {"id", "data"}                           base64; empty if there is none

Each is an object with the word above as "do". Entries, once there, never change but by a higher revision and by being
seen, so that whatever order they come in, all screens end with the same.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshdoor.calls.records import OpeningRecord, PressRecord, hex_id
from meshdoor.errors import RemoteProtocolError

PAGE = 64  # items of a summary
MAX_IDS = 1000
MAX_PICTURE = 128 * 1024  # bytes

Json = dict[str, Any]
Entry = PressRecord | OpeningRecord


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry of a ledger, and whether a person has seen it."""

    entry: Entry
    seen: bool

    def to_json(self) -> Json:
        kind = "press" if isinstance(self.entry, PressRecord) else "opening"
        return {"kind": kind, "entry": self.entry.to_json(), "seen": self.seen}

    @classmethod
    def parse(cls, document: Any) -> Stored:
        match document:
            case {"kind": "press", "entry": entry, "seen": bool(seen)}:
                return cls(PressRecord.parse(entry), seen)
            case {"kind": "opening", "entry": entry, "seen": bool(seen)}:
                return cls(OpeningRecord.parse(entry), seen)
        raise RemoteProtocolError("an entry that is none")


@dataclass(frozen=True, slots=True)
class Item:
    """What a summary says of an entry."""

    id: str
    revision: int
    seen: bool


@dataclass(frozen=True, slots=True)
class Since:
    epoch: str
    after: int

    def to_json(self) -> Json:
        return {"do": "since", "epoch": self.epoch, "after": self.after}


@dataclass(frozen=True, slots=True)
class Summary:
    epoch: str
    last: int
    more: bool
    items: tuple[Item, ...]

    def to_json(self) -> Json:
        items = [[item.id, item.revision, item.seen] for item in self.items]
        return {"do": "summary", "epoch": self.epoch, "last": self.last, "more": self.more, "items": items}


@dataclass(frozen=True, slots=True)
class Want:
    ids: tuple[str, ...]

    def to_json(self) -> Json:
        return {"do": "want", "ids": list(self.ids)}


@dataclass(frozen=True, slots=True)
class Entries:
    entries: tuple[Stored, ...]
    gone: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {"do": "entries", "entries": [stored.to_json() for stored in self.entries], "gone": list(self.gone)}


@dataclass(frozen=True, slots=True)
class News:
    def to_json(self) -> Json:
        return {"do": "news"}


@dataclass(frozen=True, slots=True)
class Seen:
    ids: tuple[str, ...]

    def to_json(self) -> Json:
        return {"do": "seen", "ids": list(self.ids)}


@dataclass(frozen=True, slots=True)
class Opening:
    opening: OpeningRecord

    def to_json(self) -> Json:
        return {"do": "opening", "opening": self.opening.to_json()}


@dataclass(frozen=True, slots=True)
class Ask:
    id: str

    def to_json(self) -> Json:
        return {"do": "ask", "id": self.id}


@dataclass(frozen=True, slots=True)
class Picture:
    id: str
    data: bytes

    def to_json(self) -> Json:
        return {"do": "picture", "id": self.id, "data": base64.b64encode(self.data).decode()}


Message = Since | Summary | Want | Entries | News | Seen | Opening | Ask | Picture


def parse(message: Json) -> Message:
    """Raises RemoteProtocolError."""
    word = message.get("do")
    if not isinstance(word, str) or word not in PARSERS:
        raise RemoteProtocolError(f"history: nobody understands {word!r:.40}")
    return PARSERS[word](message)


def is_picture(data: bytes) -> bool:
    """Is it a JPEG or a PNG that may be kept?"""
    return len(data) <= MAX_PICTURE and data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _since(message: Json) -> Since:
    return Since(hex_id(message.get("epoch")), _number(message.get("after")))


def _summary(message: Json) -> Summary:
    items = _list(message.get("items"), PAGE)
    more = message.get("more") is True
    return Summary(hex_id(message.get("epoch")), _number(message.get("last")), more, tuple(map(_item, items)))


def _item(document: Any) -> Item:
    match document:
        case [identifier, revision, bool(seen)]:
            return Item(hex_id(identifier), _number(revision), seen)
    raise RemoteProtocolError("history: an item that is none")


def _entries(message: Json) -> Entries:
    entries = tuple(map(Stored.parse, _list(message.get("entries"), PAGE)))
    return Entries(entries, _ids(message.get("gone"), PAGE))


def _picture(message: Json) -> Picture:
    try:
        data = base64.b64decode(str(message.get("data")), validate=True)
    except (binascii.Error, ValueError):
        raise RemoteProtocolError("history: a picture that is not base64") from None
    if data and not is_picture(data):
        raise RemoteProtocolError("history: a picture that is none")
    return Picture(hex_id(message.get("id")), data)


PARSERS: dict[str, Callable[[Json], Message]] = {
    "since": _since,
    "summary": _summary,
    "want": lambda message: Want(_ids(message.get("ids"), PAGE)),
    "entries": _entries,
    "news": lambda message: News(),
    "seen": lambda message: Seen(_ids(message.get("ids"), MAX_IDS)),
    "opening": lambda message: Opening(OpeningRecord.parse(message.get("opening"))),
    "ask": lambda message: Ask(hex_id(message.get("id"))),
    "picture": _picture,
}


def _list(value: Any, limit: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise RemoteProtocolError("history: a list that is too long, or none")
    return value


def _ids(value: Any, limit: int) -> tuple[str, ...]:
    return tuple(map(hex_id, _list(value, limit)))


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise RemoteProtocolError("history: a number that cannot be")
    return value
