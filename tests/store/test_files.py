from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from meshdoor.store.files import OsFiles, discard, temporary_of, write_atomic
from tests.fakes.files import MemoryFiles, cut_everywhere

PATH = Path("/state/roster")
OLD = b"the old content, of several writes"
NEW = b"the new content, which is of another and greater length"


def disk_with(content: bytes | None, leftover: bytes | None = None) -> MemoryFiles:
    files = MemoryFiles()
    for path, data in ((PATH, content), (temporary_of(PATH), leftover)):
        if data is not None:
            write_atomic(files, path, data)
    files.calls.clear()
    return files


def content_of(files: MemoryFiles) -> bytes | None:
    return files.seen[PATH].seen if PATH in files.seen else None


@pytest.mark.parametrize("old", [None, OLD])
@pytest.mark.parametrize("leftover", [None, b"torn"])
def test_power_cut_at_every_call_leaves_old_or_new(old: bytes | None, leftover: bytes | None) -> None:
    machines = cut_everywhere(lambda: disk_with(old, leftover), lambda files: write_atomic(files, PATH, NEW))
    assert len(machines) > 10
    for files in machines:
        assert {content_of(disk) for disk in files.reboots()} <= {old, NEW}
    assert {content_of(disk) for disk in machines[-1].reboots()} == {NEW}


def test_power_cut_without_fsync_would_be_seen() -> None:
    """The fake is not too kind: the usual mistake loses both contents."""

    def careless(files: MemoryFiles) -> None:
        descriptor = files.create(temporary_of(PATH), 0o600)
        files.write(descriptor, NEW)
        files.close(descriptor)
        files.rename(temporary_of(PATH), PATH)

    machines = cut_everywhere(lambda: disk_with(OLD), careless)
    assert b"" in {content_of(disk) for files in machines for disk in files.reboots()}


def test_every_call_may_fail_and_the_old_content_stays() -> None:
    for fail_at in count():
        files = disk_with(OLD)
        files.fail_at = fail_at
        try:
            write_atomic(files, PATH, NEW)
        except OSError:
            assert content_of(files) in (OLD, NEW)
            assert not files.open
        if fail_at >= len(files.calls):
            break
        if files.calls[fail_at] not in {"unlink", "read"}:
            assert temporary_of(PATH) not in files.seen
    assert fail_at > 10


def test_nothing_is_written_when_nothing_changed() -> None:
    files = disk_with(OLD)
    assert not write_atomic(files, PATH, OLD)
    assert files.calls == ["read"]
    assert write_atomic(files, PATH, NEW)


def test_os_files_write(tmp_path: Path) -> None:
    files, path = OsFiles(), tmp_path / "file"
    old_mask = os.umask(0o077)
    try:
        assert write_atomic(files, path, NEW, 0o640)
    finally:
        os.umask(old_mask)
    assert not write_atomic(files, path, NEW)
    assert write_atomic(files, path, OLD)
    assert files.read(path) == OLD
    assert files.names(tmp_path) == ["file"]
    assert files.status(path).mode == 0o600
    discard(files, path)
    discard(files, path)


def test_os_files_never_follows_a_link(tmp_path: Path) -> None:
    files = OsFiles()
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        files.read(tmp_path / "link")
    assert not files.status(tmp_path / "link").is_file
    assert files.status(tmp_path / "link", follow=True).is_file
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "link", 0o600)


def test_os_files_reads_no_more_than_the_limit(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"12345")
    assert OsFiles().read(tmp_path / "big", 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        OsFiles().read(tmp_path / "big", 4)


def test_os_files_directory_and_lock(tmp_path: Path) -> None:
    files, path = OsFiles(), tmp_path / "a" / "b"
    files.make_directory(path, 0o700)
    found = files.status(path)
    assert (found.is_directory, found.mode, found.uid) == (True, 0o700, files.user())
    descriptor = files.lock(path)
    with pytest.raises(BlockingIOError):
        files.lock(path)
    files.close(descriptor)
    files.close(files.lock(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for another user")
def test_root_leaves_a_directory_to_the_user_it_is_of(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4322)
    files = OsFiles.of(tmp_path)
    assert write_atomic(files, tmp_path / "roster", NEW)
    found = (tmp_path / "roster").stat()
    assert (files.user(), found.st_uid, found.st_gid) == (4321, 4321, 4322)


def test_a_directory_of_ones_own_or_none_is_for_oneself(tmp_path: Path) -> None:
    assert [OsFiles.of(tmp_path).user(), OsFiles.of(tmp_path / "none").user()] == [os.geteuid()] * 2
