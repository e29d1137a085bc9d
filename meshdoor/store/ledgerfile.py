"""The ring ledger on disk. It blocks: the event loop talks to `ledger.Ledger`.

Each entry (a press or an opening) is one row, its body the JSON of `calls.records`. Each change gives its row the next
number of `seq`, by which other screens ask for what is new. Pictures of missed visitors are blobs beside them: they
come and go in one transaction with what they belong to. An entry that is complete is on the disk when `put` returns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from meshdoor.calls.records import OpeningRecord, PressRecord
from meshdoor.calls.sync import PAGE, Entry, Item, Stored
from meshdoor.store.database import Database

MAX_AGE = 90 * 86400.0  # seconds
MAX_ENTRIES = 10_000
MAX_BODIES = 32 * 2**20  # bytes
MAX_PICTURES = 64 * 2**20  # bytes
STALE = 600.0  # seconds after which a press that was never finished counts as missed: its door died
END_OF_TIME = 2.0**41  # Unix seconds; later than `calls.records` lets anything be
NOBODY = "0" * 16  # the epoch of a ledger that was never heard of

MIGRATIONS = (
    (
        "CREATE TABLE entries (id TEXT PRIMARY KEY, kind TEXT NOT NULL, revision INTEGER NOT NULL, at REAL NOT NULL,"
        " missed INTEGER NOT NULL, finished INTEGER NOT NULL, seen INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " press TEXT NOT NULL, size INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE UNIQUE INDEX entries_seq ON entries (seq)",
        "CREATE INDEX entries_at ON entries (at)",
        "CREATE INDEX entries_press ON entries (press)",
        "CREATE TABLE pictures (id TEXT PRIMARY KEY, at REAL NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL)",
        "CREATE TABLE cursors (peer BLOB PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL)",
        "CREATE TABLE self (epoch TEXT NOT NULL, seq INTEGER NOT NULL)",
        "INSERT INTO self VALUES (lower(hex(randomblob(8))), 0)",
    ),
)

_UNSEEN = (
    "SELECT id, body, seen FROM entries WHERE missed AND NOT seen AND (finished OR at < ?) ORDER BY at DESC LIMIT ?"
)
_UNSEEN_THESE = "SELECT id FROM entries WHERE NOT seen AND id IN (SELECT value FROM json_each(?))"
_THESE = "SELECT body, seen FROM entries WHERE id IN (SELECT value FROM json_each(?))"
_TOTAL = {
    "entries": "SELECT coalesce(sum(size), 0) FROM entries",
    "pictures": "SELECT coalesce(sum(size), 0) FROM pictures",
}
_OLDEST = {
    "entries": "SELECT id, size FROM entries ORDER BY at",
    "pictures": "SELECT id, size FROM pictures ORDER BY at",
}
_DELETE = {"entries": "DELETE FROM entries WHERE id = ?", "pictures": "DELETE FROM pictures WHERE id = ?"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; the oldest goes first."""

    age: float = MAX_AGE
    entries: int = MAX_ENTRIES
    bodies: int = MAX_BODIES
    pictures: int = MAX_PICTURES


DEFAULT = Bounds()


class LedgerFile:
    """An open ledger. Methods raise StateError; `now` and all times are Unix seconds."""

    def __init__(self, path: Path, bounds: Bounds = DEFAULT) -> None:
        self._bounds = bounds
        self._database = Database(path, MIGRATIONS)
        self.damage = self._database.damage

    def close(self) -> None:
        self._database.close()

    @property
    def epoch(self) -> str:
        """The name of this ledger, which numbers its own changes."""
        return str(self._database.one("SELECT epoch FROM self")[0])

    def put(self, *entries: Stored, now: float) -> bool:
        """Take entries in, all or none; True if one is new, a higher revision, or seen for the first time."""
        changed = [fresh for stored in entries if (fresh := self._merged(stored, now)) is not None]
        if not changed:
            return False
        complete = any(not isinstance(stored.entry, PressRecord) or stored.entry.finished for stored in changed)
        with self._database.writing(durable=complete):
            for stored in changed:
                self._write(stored)
            self._prune(now)
        return True

    def mark_seen(self, ids: Iterable[str] | None, now: float) -> list[str]:
        """A person has seen these, or (None) every missed visitor: which of them are marked for the first time."""
        database = self._database
        if ids is None:
            found = [row[0] for row in database.run(_UNSEEN, now - STALE, self._bounds.entries)]
        else:
            found = [row[0] for row in database.run(_UNSEEN_THESE, json.dumps(list(ids)))]
        if found:
            with database.writing(durable=True):
                for identifier in found:
                    database.run("UPDATE entries SET seen = 1, seq = ? WHERE id = ?", self._next(), identifier)
        return found

    def newest(self, limit: int) -> list[Stored]:
        """The newest presses, and openings that belong to none."""
        query = "SELECT body, seen FROM entries WHERE kind = 'press' OR press = '' ORDER BY at DESC LIMIT ?"
        return [_stored(row) for row in self._database.run(query, limit)]

    def visits(self, limit: int, before: str) -> list[Stored]:
        """Presses only, the newest first; those before another one, unless `before` is empty."""
        start = (END_OF_TIME, "")
        if before:
            start = self._database.one("SELECT at, id FROM entries WHERE id = ?", before) or (0.0, "")
        query = "SELECT body, seen FROM entries WHERE kind = 'press' AND (at, id) < (?, ?) ORDER BY at DESC, id DESC"
        return [_stored(row) for row in self._database.run(f"{query} LIMIT ?", *start, limit)]

    def pictured(self, ids: Iterable[str]) -> set[str]:
        """Of which of these visitors there is a picture here."""
        query = "SELECT id FROM pictures WHERE id IN (SELECT value FROM json_each(?))"
        return {identifier for (identifier,) in self._database.run(query, json.dumps(list(ids)))}

    def last_pictures(self) -> dict[str, str]:
        """The press with the newest picture, by the key of the door in hexadecimal."""
        door = "json_extract(e.body, '$.door')"
        query = f"SELECT {door}, e.id FROM pictures AS p JOIN entries AS e ON e.id = p.id ORDER BY p.at"
        return dict(self._database.run(query))

    def unseen(self, limit: int, now: float) -> list[Stored]:
        """The newest missed visitors that nobody has seen."""
        return [_stored(row[1:]) for row in self._database.run(_UNSEEN, now - STALE, limit)]

    def openings_of(self, press: str) -> list[OpeningRecord]:
        """The openings that belong to a press, the first one first."""
        rows = self._database.run("SELECT body FROM entries WHERE press = ? ORDER BY at", press)
        return [entry for (body,) in rows if isinstance(entry := _entry(body), OpeningRecord)]

    def find(self, beginning: str) -> list[str]:
        """The ids of presses that begin so; at most two, which is one too many."""
        query = "SELECT id FROM entries WHERE kind = 'press' AND substr(id, 1, ?) = ? LIMIT 2"
        return [identifier for (identifier,) in self._database.run(query, len(beginning), beginning)]

    def since(self, seq: int) -> tuple[tuple[Item, ...], int, bool]:
        """A page of what changed after `seq`, the number of its last change, and whether there is more."""
        query = "SELECT id, revision, seen, seq FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"
        rows = self._database.run(query, seq, PAGE + 1)
        page = rows[:PAGE]
        last = page[-1][3] if page else int(self._database.one("SELECT seq FROM self")[0])
        return tuple(Item(row[0], row[1], bool(row[2])) for row in page), last, len(rows) > PAGE

    def lacking(self, items: Iterable[Item]) -> list[str]:
        """Which of these entries are not here, or only in an earlier revision."""
        query = "SELECT revision FROM entries WHERE id = ?"
        known = {item: self._database.one(query, item.id) for item in items}
        return [item.id for item, row in known.items() if row is None or row[0] < item.revision]

    def entries(self, ids: Iterable[str]) -> list[Stored]:
        """Those of these entries that are here."""
        return [_stored(row) for row in self._database.run(_THESE, json.dumps(list(ids)))]

    def cursor(self, peer: bytes) -> tuple[str, int]:
        """What this node has seen of the ledger of a peer: its epoch, and the number of a change."""
        row = self._database.one("SELECT epoch, seq FROM cursors WHERE peer = ?", peer)
        return (NOBODY, 0) if row is None else (row[0], row[1])

    def set_cursor(self, peer: bytes, epoch: str, seq: int) -> None:
        """Remember it; nothing is written when nothing changed."""
        if self.cursor(peer) != (epoch, seq):
            with self._database.writing():
                self._database.run("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", peer, epoch, seq)

    def put_picture(self, press: str, data: bytes) -> bool:
        """Keep the picture of a visitor, the first one of a press; False if that press is not known."""
        row = self._database.one("SELECT at FROM entries WHERE id = ? AND kind = 'press'", press)
        if row is None:
            return False
        with self._database.writing(durable=True):
            values = (press, row[0], len(data), data)
            self._database.run("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?)", *values)
            self._shrink("pictures", self._bounds.pictures)
        return True

    def picture(self, press: str) -> bytes:
        """The picture of a visitor; empty if there is none."""
        row = self._database.one("SELECT data FROM pictures WHERE id = ?", press)
        return b"" if row is None else bytes(row[0])

    def _merged(self, stored: Stored, now: float) -> Stored | None:
        """What is to be kept of an entry that came; None if that is what is here already."""
        entry = replace(stored.entry, at=min(stored.entry.at, now))  # a clock ahead must not keep it for ever
        row = self._database.one("SELECT body, seen FROM entries WHERE id = ?", entry.id)
        if row is None:
            return None if entry.at < now - self._bounds.age else Stored(entry, stored.seen)
        known = _stored(row)
        merged = Stored(entry if _is_later(entry, known.entry) else known.entry, known.seen or stored.seen)
        return None if merged == known else merged

    def _write(self, stored: Stored) -> None:
        entry = stored.entry
        body = json.dumps(entry.to_json(), separators=(",", ":"), ensure_ascii=False)
        size, seq = len(body.encode()), self._next()
        columns: tuple[object, ...] = ("opening", 0, entry.at, 0, 1, stored.seen, seq)
        if isinstance(entry, PressRecord):
            columns = ("press", entry.revision, entry.at, entry.missed, entry.finished, stored.seen, seq)
        press = "" if isinstance(entry, PressRecord) else entry.press
        query = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.run(query, entry.id, *columns, press, size, body)

    def _prune(self, now: float) -> None:
        run, bounds = self._database.run, self._bounds
        run("DELETE FROM entries WHERE at < ?", now - bounds.age)
        surplus = self._database.one("SELECT count(*) FROM entries")[0] - bounds.entries
        if surplus > 0:
            run("DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY at LIMIT ?)", surplus)
        self._shrink("entries", bounds.bodies)
        run("DELETE FROM pictures WHERE id NOT IN (SELECT id FROM entries)")

    def _shrink(self, table: str, limit: int) -> None:
        """Delete the oldest of a table until it holds no more than `limit` bytes."""
        excess = self._database.one(_TOTAL[table])[0] - limit
        for identifier, size in self._database.run(_OLDEST[table]) if excess > 0 else ():
            if excess <= 0:
                break
            self._database.run(_DELETE[table], identifier)
            excess -= size

    def _next(self) -> int:
        self._database.run("UPDATE self SET seq = seq + 1")
        return int(self._database.one("SELECT seq FROM self")[0])


def _is_later(entry: Entry, known: Entry) -> bool:
    """Is it a later revision of the same press? Openings never change."""
    return (
        isinstance(entry, PressRecord)
        and isinstance(known, PressRecord)
        and entry.door == known.door
        and entry.revision > known.revision
    )


def _entry(body: str) -> Entry:
    document = json.loads(body)
    return PressRecord.parse(document) if "door" in document else OpeningRecord.parse(document)


def _stored(row: tuple[str, int]) -> Stored:
    return Stored(_entry(row[0]), bool(row[1]))
