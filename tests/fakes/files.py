"""A disk in memory whose power can be cut before any call, and that forgets as a real one does."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from meshdoor.store.files import READ_LIMIT, Status

UID = 1000


class PowerCut(BaseException):
    """The machine is off. Not an Exception: nothing may catch it and go on."""


@dataclass
class Node:
    """A file or a directory: what programs see, and what the disk holds for certain."""

    mode: int
    is_directory: bool = False
    seen: bytes = b""
    durable: bytes = b""

    def survivors(self) -> set[bytes]:
        """Every content that a power cut may leave: old, new, nothing, torn, zeros, a hole at either end."""
        if self.seen == self.durable:
            return {self.durable}
        size, half = len(self.seen), len(self.seen) // 2
        return {
            self.durable,
            self.seen,
            b"",
            bytes(size),
            self.seen[:half],
            self.seen[:-1],
            self.seen[:half] + bytes(size - half),
            bytes(half) + self.seen[half:],
        }


@dataclass(frozen=True)
class Change:
    """A change of a directory that is not on the disk yet: `source` is what the rename took away."""

    path: Path
    node: Node | None
    source: Path | None = None

    def apply(self, entries: dict[Path, Node]) -> None:
        if self.source is not None:
            entries.pop(self.source, None)
        if self.node is None:
            entries.pop(self.path, None)
        else:
            entries[self.path] = self.node


class MemoryFiles:
    """`Files` in memory. `cut_at=n`: the power goes before call n. `fail_at=n`: call n raises ENOSPC."""

    def __init__(self, cut_at: int = -1, fail_at: int = -1, chunk: int = 7) -> None:
        self.cut_at, self.fail_at, self.chunk = cut_at, fail_at, chunk
        self.calls: list[str] = []
        self.seen: dict[Path, Node] = {}
        self.durable: dict[Path, Node] = {}
        self.pending: list[Change] = []
        self.open: dict[int, Node] = {}
        self.locked: dict[int, Path] = {}
        self.descriptors = itertools.count(3)

    def reboots(self) -> Iterator[MemoryFiles]:
        """Every disk that may be found after a power cut now."""
        for kept in itertools.product((True, False), repeat=len(self.pending)):
            entries = dict(self.durable)
            for change, keep in zip(self.pending, kept, strict=True):
                if keep:
                    change.apply(entries)
            paths = list(entries)
            for contents in itertools.product(*(sorted(entries[path].survivors()) for path in paths)):
                disk = MemoryFiles()
                for path, content in zip(paths, contents, strict=True):
                    old = entries[path]
                    disk.seen[path] = Node(old.mode, old.is_directory, content, content)
                disk.durable = dict(disk.seen)
                yield disk

    def writes(self) -> int:
        """How often the disk was written to."""
        return sum(call not in {"read", "names", "status", "lock", "close"} for call in self.calls)

    def user(self) -> int:
        return UID

    def create(self, path: Path, mode: int) -> int:
        self._call("create")
        if path in self.seen:
            raise FileExistsError(path)
        node = Node(mode)
        self._change(Change(path, node))
        return self._descriptor(node)

    def write(self, descriptor: int, data: bytes) -> int:
        self._call("write")
        written = data[: self.chunk] if len(data) < 20 * self.chunk else data
        self.open[descriptor].seen += written
        return len(written)

    def fsync(self, descriptor: int) -> None:
        self._call("fsync")
        node = self.open[descriptor]
        node.durable = node.seen

    def close(self, descriptor: int) -> None:
        if self.locked.pop(descriptor, None) is None:
            del self.open[descriptor]
        self._call("close")

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        self._change(Change(target, self.seen[source], source))

    def fsync_directory(self, path: Path) -> None:
        self._call("fsync_directory")
        for change in [change for change in self.pending if change.path.parent == path]:
            change.apply(self.durable)
            self.pending.remove(change)

    def read(self, path: Path, limit: int = READ_LIMIT) -> bytes:
        self._call("read")
        data = self._find(path).seen
        if len(data) > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return data

    def unlink(self, path: Path) -> None:
        self._call("unlink")
        self._find(path)
        self._change(Change(path, None))

    def names(self, path: Path) -> list[str]:
        self._call("names")
        return [entry.name for entry in self.seen if entry.parent == path]

    def make_directory(self, path: Path, mode: int) -> None:
        self._call("make_directory")
        self._change(Change(path, Node(mode, is_directory=True)))

    def status(self, path: Path, *, follow: bool = False) -> Status:
        self._call("status")
        node = self._find(path)
        return Status(not node.is_directory, node.is_directory, node.mode, UID)

    def lock(self, directory: Path) -> int:
        self._call("lock")
        if directory in self.locked.values():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        descriptor = self._descriptor(self._find(directory))
        self.locked[descriptor] = directory
        return descriptor

    def _call(self, name: str) -> None:
        if self.cut_at == len(self.calls):
            raise PowerCut
        self.calls.append(name)
        if self.fail_at == len(self.calls) - 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _find(self, path: Path) -> Node:
        try:
            return self.seen[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None

    def _change(self, change: Change) -> None:
        change.apply(self.seen)
        self.pending.append(change)

    def _descriptor(self, node: Node) -> int:
        descriptor = next(self.descriptors)
        self.open[descriptor] = node
        return descriptor


def cut_everywhere(
    disk: Callable[[], MemoryFiles], act: Callable[[MemoryFiles], object]
) -> list[MemoryFiles]:
    """The machines whose power went before call 0, 1, 2 … of `act`; the last one had power to the end."""
    machines = []
    for cut_at in itertools.count():
        files = disk()
        files.cut_at = cut_at
        machines.append(files)
        try:
            act(files)
        except PowerCut:
            continue
        return machines
    raise AssertionError
