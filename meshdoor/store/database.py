"""A small SQLite database in the state directory; the only importer of sqlite3. It blocks.

It is a write-ahead log with synchronous=NORMAL: what was written last may be lost with the power, the file never is.
A transaction that is `durable` is on the disk when it ends. A file that is damaged is set aside and a new one begun.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from meshdoor.errors import StateError
from meshdoor.store.files import PRIVATE_FILE, OsFiles

BUSY = 5.0  # seconds to wait for another program that looks into the file
LOG_LIMIT = 1 << 20  # bytes that the write-ahead log keeps when it is empty

Migration = Sequence[str]


class _Unusable(Exception):
    """The file cannot be read, and why."""


class Database:
    """An open database of the schema that `migrations` lead to, one statement after the other.

    `damage` is a sentence on a file that had to be set aside, else empty. Methods raise StateError.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration]) -> None:
        self.path = path
        self.damage = ""
        self._migrations = migrations
        try:
            self._open()
        except (_Unusable, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.OperationalError):  # not its content: the disk, a lock, a right
                raise StateError(f"{path} cannot be opened: {error}", "see: meshdoor doctor") from None
            self._set_aside(str(error))
            self._open()

    def close(self) -> None:
        """Move the log into the file and close it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[None]:
        """One transaction: all of it is written, or nothing."""
        self.run("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def run(self, statement: str, *values: Any) -> list[Any]:
        """The rows that a statement gives."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"{self.path}: {error}", "free some space, or restart the node") from error

    def one(self, statement: str, *values: Any) -> Any:
        """The first row; None if there is none."""
        return next(iter(self.run(statement, *values)), None)

    def _open(self) -> None:
        _make_private(self.path)
        self._connection = sqlite3.connect(self.path, BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(self._connection)
            for number in range(self._version(), len(self._migrations)):
                self._migrate(number)
        except BaseException:
            self.close()
            raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _Unusable(str(verdict))
        if self._version() > len(self._migrations):
            raise _Unusable("a newer Meshdoor wrote it")
        if self._version() == 0 and self.one("SELECT 1 FROM sqlite_master") is not None:
            raise _Unusable("it is the database of something else")

    def _version(self) -> int:
        return int(self.one("PRAGMA user_version")[0])

    def _migrate(self, number: int) -> None:
        """All of a step or nothing of it, whenever the power goes."""
        with self.writing(durable=True):
            for statement in self._migrations[number]:
                self.run(statement)
            self.run(f"PRAGMA user_version = {number + 1}")

    def _set_aside(self, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged")
        try:
            for suffix in ("-wal", "-shm"):  # they must not be taken for those of the new file
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            os.replace(self.path, aside)
        except OSError as error:
            raise StateError(f"{self.path} is damaged ({why}) and cannot be set aside: {error.strerror}") from error
        self.damage = f"{self.path} could not be used ({why}): it is set aside as {aside.name}, and a new one begins"


def _make_private(path: Path) -> None:
    """Make an empty file that only this user can read; SQLite gives its log the same mode."""
    files = OsFiles()
    try:
        files.close(files.create(path, PRIVATE_FILE))
        files.fsync_directory(path.parent)
    except FileExistsError:
        if not files.status(path).is_file:
            raise StateError(f"{path} is not a plain file but a link or the like", "remove it") from None
    except OSError as error:
        raise StateError(f"cannot make {path}: {error.strerror}") from error

