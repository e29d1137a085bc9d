from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from meshdoor.errors import StateError
from meshdoor.store.files import Files, OsFiles, temporary_of
from meshdoor.store.rosterfile import StoredRoster
from meshdoor.store.state import FILES, IDENTITY, ROSTER, Keys, StateDirectory, StoredTable, Table
from meshdoor.trust.identity import Identity
from tests.fakes.files import MemoryFiles, cut_everywhere

ME = Identity.generate()
STATEMENTS = [b"one", b"two"]
IN_MEMORY = Path("/home/state")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def state(path: Path) -> Iterator[StateDirectory]:
    with StateDirectory.open(path) as opened:
        yield opened


def refused(path: Path, files: Files | None = None, **options: bool) -> StateError:
    with pytest.raises(StateError) as caught:
        StateDirectory.open(path, files=files, **options)
    return caught.value


def test_a_new_directory_is_empty_and_private(state: StateDirectory, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o700
    assert state.load_identity() is None
    assert state.load_roster() == StoredRoster()
    assert state.load_table(Table.NODE) == StoredTable()


def test_what_was_saved_is_loaded(state: StateDirectory, path: Path) -> None:
    assert state.save_identity(ME)
    assert state.save_roster(STATEMENTS)
    assert state.save_table(Table.NODE, {"name": "Küche", "role": "screen"})
    state.close()
    with StateDirectory.open(path) as again:
        assert again.load_identity() == ME
        assert again.load_roster() == StoredRoster(tuple(STATEMENTS))
        assert again.load_table(Table.NODE).values == {"name": "Küche", "role": "screen"}
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o600}


def test_saving_the_same_writes_nothing() -> None:
    files = MemoryFiles()
    state = StateDirectory.open(IN_MEMORY, files=files)
    for _ in range(2):
        state.save_identity(ME)
        state.save_roster(STATEMENTS)
        state.save_table(Table.PEERS, {"b": 1, "a": 2})
        writes, files.calls = files.writes(), []
    assert writes == 0


def test_a_second_node_is_refused(state: StateDirectory, path: Path) -> None:
    error = refused(path)
    assert str(error) == f"another node runs in {path}"
    assert "--state" in error.hint
    StateDirectory.open(path, lock=False).close()
    state.close()
    StateDirectory.open(path).close()


def test_a_refused_directory_is_let_go(path: Path) -> None:
    with StateDirectory.open(path) as state:
        state.save_identity(ME)
    (path / IDENTITY).chmod(0o644)
    refused(path)
    (path / IDENTITY).chmod(0o600)
    StateDirectory.open(path).close()


def test_a_directory_open_to_others(path: Path) -> None:
    path.mkdir(0o755)
    path.chmod(0o750)
    assert refused(path).hint == f"chmod 700 {path}"


def test_keys_are_kept_as_they_are(tmp_path: Path) -> None:
    with StateDirectory.open(tmp_path / "hall") as state:
        assert state.load_keys(Keys.WEB) is None
        assert state.save_keys(Keys.WEB, b"pem")
        assert not state.save_keys(Keys.WEB, b"pem")
        assert state.load_keys(Keys.WEB) == b"pem"
        assert (state.path / Keys.WEB).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", FILES)
def test_a_file_open_to_others(path: Path, name: str) -> None:
    StateDirectory.open(path).close()
    (path / name).write_bytes(b"x")
    (path / name).chmod(0o640)
    error = refused(path)
    assert error.hint == f"chmod 600 {path / name}"
    assert "(mode 640)" in str(error)


def test_the_hint_can_be_pasted_whatever_the_path(tmp_path: Path) -> None:
    path = tmp_path / "my state"
    path.mkdir()
    path.chmod(0o755)
    assert os.system(refused(path).hint) == 0
    StateDirectory.open(path).close()


def test_modes_are_checked_at_every_read(state: StateDirectory, path: Path) -> None:
    state.save_identity(ME)
    (path / IDENTITY).chmod(0o604)
    with pytest.raises(StateError, match="others may read"):
        state.load_identity()


def test_a_linked_key_is_refused_and_the_hint_mends_it(path: Path, tmp_path: Path) -> None:
    StateDirectory.open(path).close()
    elsewhere = tmp_path / "key.pem"
    elsewhere.write_bytes(ME.to_pem())
    elsewhere.chmod(0o600)
    (path / IDENTITY).symlink_to(elsewhere)
    error = refused(path)
    assert "not a plain file" in str(error)
    assert os.system(error.hint) == 0
    with StateDirectory.open(path) as state:
        assert state.load_identity() == ME


def test_a_linked_directory_will_do(path: Path, tmp_path: Path) -> None:
    StateDirectory.open(path).close()
    (tmp_path / "link").symlink_to(path)
    StateDirectory.open(tmp_path / "link").close()


def test_not_a_directory(path: Path) -> None:
    path.touch(0o600)
    assert "not a directory" in str(refused(path))


def test_none_there_and_none_made(path: Path) -> None:
    assert "no state directory" in str(refused(path, create=False))
    assert not path.exists()


class ForeignFiles(OsFiles):
    """As if another user ran this."""

    def user(self) -> int:
        return super().user() + 1


def test_of_another_user(path: Path) -> None:
    StateDirectory.open(path).close()
    assert refused(path, ForeignFiles()).hint == f"sudo chown {os.geteuid() + 1} {path}"


def test_a_damaged_identity_says_what_to_do(state: StateDirectory, path: Path) -> None:
    state.save_identity(ME)
    (path / IDENTITY).write_bytes(b"zeros")
    with pytest.raises(StateError, match="is damaged") as caught:
        state.load_identity()
    assert "meshdoor import" in caught.value.hint


def test_a_damaged_roster_keeps_the_good_prefix(state: StateDirectory, path: Path) -> None:
    state.save_roster(STATEMENTS)
    whole = (path / ROSTER).read_bytes()
    (path / ROSTER).write_bytes(whole.replace(b"dHdv", b"dHdw"))
    stored = state.load_roster()
    assert stored.statements == (b"one",)
    assert "damaged after statement 1" in stored.damage
    assert state.save_roster(STATEMENTS)
    assert not state.load_roster().damage


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_table_counts_as_empty(state: StateDirectory, path: Path, content: bytes) -> None:
    state.save_table(Table.PEERS, {})
    (path / Table.PEERS).write_bytes(content)
    stored = state.load_table(Table.PEERS)
    assert stored.values == {}
    assert "is damaged" in stored.damage


def test_a_file_that_grew_beyond_bounds(state: StateDirectory, path: Path) -> None:
    state.save_table(Table.PEERS, {})
    (path / Table.PEERS).write_bytes(b" " * (1 << 21))
    with pytest.raises(StateError, match="File too large"):
        state.load_table(Table.PEERS)


def test_leftovers_are_swept(path: Path) -> None:
    StateDirectory.open(path).close()
    temporary_of(path / ROSTER).write_bytes(b"torn")
    StateDirectory.open(path, lock=False).close()
    assert list(path.iterdir())
    StateDirectory.open(path).close()
    assert not list(path.iterdir())


def test_what_is_forgotten_stays_so_after_a_power_cut() -> None:
    files = MemoryFiles()
    life(files)
    files.seen[IN_MEMORY / "kept"] = files.durable[IN_MEMORY / "kept"] = files.seen[IN_MEMORY / ROSTER]
    again = next(files.reboots())
    with StateDirectory.open(IN_MEMORY, files=again) as state:
        state.forget()
        state.forget()
    for disk in again.reboots():
        assert disk.names(IN_MEMORY) == ["kept"]


def what_a_visit_says(files: MemoryFiles) -> str:
    try:
        with StateDirectory.open(IN_MEMORY, files=files) as state:
            state.save_roster(STATEMENTS)
            state.load_roster()
    except StateError as error:
        return error.hint
    except OSError as error:
        return str(error)
    return ""


def test_a_full_disk_is_said_at_every_call_and_nothing_is_lost() -> None:
    for fail_at in count():
        files = MemoryFiles()
        with StateDirectory.open(IN_MEMORY, files=files) as state:
            state.save_roster([b"one"])
        files.calls, files.fail_at = [], fail_at
        said = what_a_visit_says(files)
        assert said in ("", "make room on the disk") or files.calls[fail_at] == "close"
        assert not files.locked
        if fail_at >= len(files.calls):
            break
        files.fail_at = -1
        with StateDirectory.open(IN_MEMORY, files=files) as state:
            assert state.load_roster() in (StoredRoster((b"one",)), StoredRoster(tuple(STATEMENTS)))
    assert fail_at > 20


def life(files: MemoryFiles) -> list[str]:
    """A first boot; what was saved for certain."""
    done: list[str] = []
    state = StateDirectory.open(IN_MEMORY, files=files)
    state.save_identity(ME)
    done.append(IDENTITY)
    state.save_roster(STATEMENTS[:1])
    state.save_roster(STATEMENTS)
    done.append(ROSTER)
    state.save_table(Table.NODE, {"name": "Kitchen"})
    done.append(Table.NODE)
    return done


def test_power_cut_at_every_call_of_a_first_boot() -> None:
    machines = cut_everywhere(MemoryFiles, life)
    assert len(machines) > 40
    for files in machines:
        for disk in files.reboots():
            with StateDirectory.open(IN_MEMORY, files=disk) as state:
                assert state.load_identity() in (None, ME)
                assert state.load_roster() in [StoredRoster(tuple(STATEMENTS[:n])) for n in range(3)]
                assert state.load_table(Table.NODE) in (StoredTable(), StoredTable({"name": "Kitchen"}))
            assert life(disk)
    for disk in machines[-1].reboots():
        with StateDirectory.open(IN_MEMORY, files=disk) as state:
            assert state.load_identity() == ME
            assert state.load_roster().statements == tuple(STATEMENTS)
            assert state.load_table(Table.NODE).values
