"""The database under the ledger: private, upgraded in whole steps, set aside when it is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.errors import StateError
from meshdoor.store.database import Database

FIRST = ("CREATE TABLE things (name TEXT)",)
SECOND = ("ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 1", "CREATE INDEX sizes ON things (size)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path, [FIRST])
    yield database
    database.close()


def names(path: Path, *migrations: tuple[str, ...]) -> tuple[list[str], str]:
    """What the file holds when it is opened again, and what was said of it."""
    database = Database(path, migrations or [FIRST])
    try:
        return [name for (name,) in database.run("SELECT name FROM things")], database.damage
    finally:
        database.close()


def add(database: Database, name: str) -> None:
    with database.writing():
        database.run("INSERT INTO things (name) VALUES (?)", name)


def test_only_this_user_reads_it(database: Database, path: Path) -> None:
    add(database, "bell")
    files = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert files == {"things.db": 0o600, "things.db-wal": 0o600, "things.db-shm": 0o600}


def test_what_was_written_is_there_again(database: Database, path: Path) -> None:
    add(database, "bell")
    database.close()
    assert names(path) == (["bell"], "")


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(StateError):
        _add_half(database)
    assert database.one("SELECT * FROM things") is None
    add(database, "chime")
    assert database.run("SELECT * FROM things") == [("chime",)]


def _add_half(database: Database) -> None:
    with database.writing(durable=True):
        database.run("INSERT INTO things VALUES ('bell')")
        database.run("INSERT INTO nowhere VALUES ('bell')")


def test_what_sqlite_says_reaches_the_person(database: Database, path: Path) -> None:
    with pytest.raises(StateError, match=f"{path}: no such table: bells"):
        database.run("SELECT * FROM bells")


def test_a_reader_beside_a_writer_waits_for_nothing(database: Database, path: Path) -> None:
    add(database, "bell")
    with database.writing():
        database.run("INSERT INTO things VALUES ('chime')")
        reader = sqlite3.connect(path, timeout=0)
        assert reader.execute("SELECT name FROM things").fetchall() == [("bell",)]
        reader.close()


def test_a_later_version_upgrades_what_is_there(database: Database, path: Path) -> None:
    add(database, "bell")
    database.close()
    upgraded = Database(path, [FIRST, SECOND])
    assert upgraded.run("SELECT name, size FROM things") == [("bell", 1)]
    upgraded.close()


def test_an_upgrade_that_fails_changes_nothing(database: Database, path: Path) -> None:
    add(database, "bell")
    database.close()
    with pytest.raises(StateError):
        Database(path, [FIRST, (*SECOND, "CREATE TABLE things (name TEXT)")])
    assert names(path) == (["bell"], "")


def test_a_file_of_a_newer_version_is_set_aside(path: Path) -> None:
    Database(path, [FIRST, SECOND]).close()
    kept, damage = names(path)
    assert kept == []
    assert "a newer Meshdoor wrote it" in damage
    assert "things.db.damaged" in damage


def test_a_file_of_something_else_is_set_aside(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (colour TEXT)")
    other.close()
    assert "something else" in names(path)[1]


@pytest.mark.parametrize("place", [0, 2000, 4096, 9000])
def test_a_damaged_file_is_set_aside_and_kept(path: Path, place: int) -> None:
    database = Database(path, [FIRST])
    for number in range(200):
        add(database, f"bell {number}" * 20)
    database.close()
    content = bytearray(path.read_bytes())
    content[place : place + 3000] = b"\xaa" * 3000
    path.write_bytes(content)
    kept, damage = names(path)
    assert kept == []
    assert "set aside as things.db.damaged" in damage
    assert path.with_name("things.db.damaged").read_bytes() == content
    assert names(path) == ([], "")


def test_the_log_of_a_damaged_file_is_not_taken_for_that_of_the_new_one(path: Path) -> None:
    path.write_bytes(b"no database" * 500)
    path.with_name("things.db-wal").write_bytes(b"log")
    names(path)
    assert {file.name for file in path.parent.iterdir()} == {"things.db", "things.db.damaged"}


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch(0o600)
    assert names(path) == ([], "")


def test_what_is_no_file_is_refused(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(StateError, match="not a plain file"):
        Database(path, [FIRST])
    path.unlink()
    path.mkdir()
    with pytest.raises(StateError):
        Database(path, [FIRST])


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot make"):
        Database(tmp_path / "nowhere" / "things.db", [FIRST])


def test_a_file_that_another_holds_is_not_set_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.store.database.BUSY", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="cannot be opened: database is locked"):
        Database(path, [FIRST])
    other.close()


def test_a_damaged_file_that_cannot_be_set_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"no database" * 500)
    path.with_name("things.db.damaged").mkdir()
    with pytest.raises(StateError, match="cannot be set aside"):
        Database(path, [FIRST])
