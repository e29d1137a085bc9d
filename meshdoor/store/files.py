"""The system calls that the store makes, and the atomic write that is built from them.

Whoever keeps something on disk does it through `Files`: a test can cut the power between any two calls.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
READ_LIMIT = 1 << 20  # bytes, unless the caller says otherwise


@dataclass(frozen=True, slots=True)
class Status:
    """What `stat` says of a path."""

    is_file: bool
    is_directory: bool
    mode: int  # permission bits only
    uid: int


class Files(Protocol):
    """The calls, each of which raises OSError as the system does."""

    def user(self) -> int:
        """The effective user id."""
        ...

    def create(self, path: Path, mode: int) -> int:
        """Make a file that does not exist yet, with exactly this mode; its descriptor."""
        ...

    def write(self, descriptor: int, data: bytes) -> int:
        """Write some of `data`; how much."""
        ...

    def fsync(self, descriptor: int) -> None:
        """Return when the file's content is on the disk."""
        ...

    def close(self, descriptor: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None: ...

    def fsync_directory(self, path: Path) -> None:
        """Return when the directory's entries are on the disk."""
        ...

    def read(self, path: Path, limit: int = READ_LIMIT) -> bytes:
        """The whole file; never through a symbolic link, EFBIG above `limit` bytes."""
        ...

    def unlink(self, path: Path) -> None: ...

    def names(self, path: Path) -> list[str]:
        """What the directory holds."""
        ...

    def make_directory(self, path: Path, mode: int) -> None:
        """Make the directory with exactly this mode, and what is missing above it."""
        ...

    def status(self, path: Path, *, follow: bool = False) -> Status:
        """What is there; of a symbolic link's target only with `follow`."""
        ...

    def lock(self, directory: Path) -> int:
        """Take the directory's lock until the descriptor is closed; BlockingIOError if it is taken."""
        ...


class OsFiles:
    """`Files` of the real system, for this process's user or, by root, for another one."""

    def __init__(self, owner: tuple[int, int] | None = None) -> None:
        """`owner`: the user and group that all is to belong to."""
        self._owner = owner

    @classmethod
    def of(cls, directory: Path) -> OsFiles:
        """For what is there already: root leaves the directory of an installed node to the node's user."""
        try:
            found = directory.stat()
        except OSError:
            return cls()
        theirs = os.geteuid() == 0 and found.st_uid != 0
        return cls((found.st_uid, found.st_gid)) if theirs else cls()

    def user(self) -> int:
        return os.geteuid() if self._owner is None else self._owner[0]

    def create(self, path: Path, mode: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, mode)
        os.fchmod(descriptor, mode)  # whatever the umask is
        if self._owner is not None:
            os.fchown(descriptor, *self._owner)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def fsync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: Path, limit: int = READ_LIMIT) -> bytes:
        # O_NONBLOCK: a pipe put in the file's place must not hold up the node.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return data

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def names(self, path: Path) -> list[str]:
        return os.listdir(path)

    def make_directory(self, path: Path, mode: int) -> None:
        for parent in reversed([parent for parent in path.parents if not parent.exists()]):
            parent.mkdir()
            self.fsync_directory(parent.parent)
        path.mkdir(mode)
        path.chmod(mode)  # whatever the umask is

    def status(self, path: Path, *, follow: bool = False) -> Status:
        found = os.stat(path, follow_symlinks=follow)
        kind, permissions = found.st_mode, stat.S_IMODE(found.st_mode)
        return Status(stat.S_ISREG(kind), stat.S_ISDIR(kind), permissions, found.st_uid)

    def lock(self, directory: Path) -> int:
        # The directory itself is locked, so that nothing is written for a lock.
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def write_atomic(files: Files, path: Path, data: bytes, mode: int = PRIVATE_FILE) -> bool:
    """Put `data` at `path`: after a power cut at any moment the old content is there or the new, whole.

    Returns False, and spares the SD card the write, when the file holds `data` already. One writer a path.
    """
    if _holds(files, path, data):
        return False
    temporary = temporary_of(path)
    discard(files, temporary)
    try:
        _write_new(files, temporary, data, mode)
        files.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            discard(files, temporary)
        raise
    files.fsync_directory(path.parent)
    return True


def temporary_of(path: Path) -> Path:
    """Where a new content of `path` is made ready; always the same name, so leftovers cannot pile up."""
    return path.with_name(f".{path.name}.tmp")


def discard(files: Files, path: Path) -> None:
    """Remove `path` if it is there."""
    with suppress(FileNotFoundError):
        files.unlink(path)


def _holds(files: Files, path: Path, data: bytes) -> bool:
    try:
        return files.read(path, len(data)) == data
    except OSError:  # not there, longer, unreadable: the write that follows says what is wrong
        return False


def _write_new(files: Files, path: Path, data: bytes, mode: int) -> None:
    descriptor = files.create(path, mode)
    try:
        rest = data
        while rest:
            rest = rest[files.write(descriptor, rest) :]
        files.fsync(descriptor)
    finally:
        files.close(descriptor)
