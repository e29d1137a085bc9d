"""The state directory: everything a node must not forget.

    identity.pem      the private key and its certificate; whoever can read it *is* this device
    roster            the signed statements (see rosterfile)
    node.json         what this node was told to be: name and role
    peers.json        last-known addresses
    enrolments.json   tokens that were handed out and not used yet
    ledger.db         the ring ledger, on screens (see ledgerfile)
    phones.json       what phones asked of this node: quiet hours, where to push
    web.json          the fingerprints of the certificates that phones were paired with
    wall.json         what a person set on the screen on the wall
    sip.json          what it takes to check the secrets of SIP clients that register by digest
    adopted.json      where the SIP clients are that were adopted here
    openers.json      the keys with which this node opens locks for SIP clients, and hashes of their codes
    web.pem, ca.pem   key and certificate of the page, and of the authority that phones may trust
    sip.pem           the authority of the certificate that SIP devices are shown
    push.pem          the key that signs messages to push services (RFC 8292)

The directory is 0700 and its files are 0600, of this user; anything else is refused with the command that
mends it. One node at a time holds the directory's lock. Saving what is there already writes nothing.
"""

from __future__ import annotations

import errno
import json
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from meshdoor.errors import IdentityError, StateError
from meshdoor.store.files import (
    PRIVATE_DIRECTORY,
    READ_LIMIT,
    Files,
    OsFiles,
    Status,
    discard,
    temporary_of,
    write_atomic,
)
from meshdoor.store.rosterfile import StoredRoster, dump
from meshdoor.trust.identity import Identity

IDENTITY = "identity.pem"
ROSTER = "roster"
ROSTER_LIMIT = 32 << 20  # bytes: 4096 statements of the greatest size

FULL = {errno.ENOSPC, errno.EDQUOT}


class Table(StrEnum):
    """A small table kept as JSON."""

    NODE = "node.json"
    PEERS = "peers.json"
    ENROLMENTS = "enrolments.json"
    PHONES = "phones.json"
    WEB = "web.json"
    SIP = "sip.json"
    ADOPTED = "adopted.json"
    STATIONS = "stations.json"
    SLEEPERS = "sleepers.json"
    OPENERS = "openers.json"
    WALL = "wall.json"


class Keys(StrEnum):
    """A private key kept as PEM, with its certificate where it has one."""

    WEB = "web.pem"
    SIP = "sip.pem"
    AUTHORITY = "ca.pem"
    PUSH = "push.pem"


LEDGER = "ledger.db"
FILES = (IDENTITY, ROSTER, *Table, *Keys, LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", f"{LEDGER}.damaged")


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What could be read (empty if nothing), and one sentence on damage (empty when all is well)."""

    values: dict[str, Any] = field(default_factory=dict)
    damage: str = ""


class StateDirectory:
    """An open state directory; a context manager that lets go of the lock. Methods raise StateError."""

    def __init__(self, path: Path, files: Files, lock: int | None) -> None:
        self.path = path
        self._files = files
        self._lock = lock

    @classmethod
    def open(
        cls, path: Path, *, create: bool = True, lock: bool = True, files: Files | None = None
    ) -> StateDirectory:
        """Check the directory and take it. Without `lock`: to look only, beside a running node."""
        files = files or OsFiles.of(path)
        _check_directory(files, path, create)
        state = cls(path, files, _locked(files, path) if lock else None)
        try:
            for name in FILES:
                state._check_file(path / name)
            if lock:
                state._settle()
        except StateError:
            state.close()
            raise
        return state

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._files.close(self._lock)
            self._lock = None

    def __enter__(self) -> StateDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def load_identity(self) -> Identity | None:
        """This device's identity; None if it has none yet."""
        pem = self._read(IDENTITY)
        if pem is None:
            return None
        try:
            return Identity.from_pem(pem)
        except IdentityError as error:
            raise StateError(
                f"{self.path / IDENTITY} is damaged: {error}",
                "bring it back from a backup (meshdoor import FILE), or delete it and pair this device again",
            ) from None

    def save_identity(self, identity: Identity) -> bool:
        """Keep the identity; False if it is there already."""
        return self._write(IDENTITY, identity.to_pem())

    def load_roster(self) -> StoredRoster:
        """The statements that can be read."""
        data = self._read(ROSTER, ROSTER_LIMIT)
        return StoredRoster() if data is None else StoredRoster.parse(data)

    def save_roster(self, statements: Iterable[bytes]) -> bool:
        """Keep the statements, which stand in causal order; False if nothing changed."""
        return self._write(ROSTER, dump(statements))

    def load_table(self, table: Table) -> StoredTable:
        """The table; empty if there is none or it is damaged."""
        data = self._read(table)
        if data is None:
            return StoredTable()
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            return StoredTable({}, f"{self.path / table} is damaged: it counts as empty")
        return StoredTable(values)

    def save_table(self, table: Table, values: dict[str, Any]) -> bool:
        """Keep the table; False if nothing changed."""
        text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False)
        return self._write(table, text.encode() + b"\n")

    def load_keys(self, keys: Keys) -> bytes | None:
        """The file as it was saved; None if there is none."""
        return self._read(keys)

    def save_keys(self, keys: Keys, pem: bytes) -> bool:
        """Keep it; False if it is there already."""
        return self._write(keys, pem)

    def forget(self) -> None:
        """Remove all that makes this device a member, the identity first."""
        with _told("write to", self.path):
            for name in FILES:
                discard(self._files, self.path / name)
            self._files.fsync_directory(self.path)

    def _settle(self) -> None:
        # A process killed after a rename leaves a content that is seen but perhaps not yet on the disk.
        with _told("write to", self.path):
            for name in FILES:
                discard(self._files, temporary_of(self.path / name))
            self._files.fsync_directory(self.path)

    def _read(self, name: str, limit: int = READ_LIMIT) -> bytes | None:
        path = self.path / name
        self._check_file(path)
        try:
            with _told("read", path):
                return self._files.read(path, limit)
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> bool:
        path = self.path / name
        with _told("write", path):
            return write_atomic(self._files, path, data)

    def _check_file(self, path: Path) -> None:
        try:
            with _told("read", path):
                found = self._files.status(path)
        except FileNotFoundError:
            return
        quoted = shlex.quote(str(path))
        if not found.is_file:
            raise StateError(
                f"{path} is not a plain file but a link or the like",
                f'cp --remove-destination "$(readlink -f {quoted})" {quoted}',
            )
        _check_private(self._files, path, found, "600")


def _check_directory(files: Files, path: Path, create: bool) -> None:
    """The directory itself may be reached through a link: systemd makes it one for a DynamicUser."""
    try:
        with _told("read", path):
            found = files.status(path, follow=True)
    except FileNotFoundError:
        if not create:
            raise StateError(
                f"there is no state directory {path}", "start a node first: meshdoor run"
            ) from None
        with _told("make", path):
            files.make_directory(path, PRIVATE_DIRECTORY)
            files.fsync_directory(path.parent)
            found = files.status(path)
    if not found.is_directory:
        raise StateError(f"{path} is not a directory", "choose another with --state DIR")
    _check_private(files, path, found, "700")


def _check_private(files: Files, path: Path, found: Status, mode: str) -> None:
    quoted = shlex.quote(str(path))
    if found.uid != files.user():
        raise StateError(
            f"{path} belongs to user {found.uid}, not to the one that runs this ({files.user()})",
            f"sudo chown {files.user()} {quoted}",
        )
    if found.mode & 0o077:
        raise StateError(f"others may read or change {path} (mode {found.mode:o})", f"chmod {mode} {quoted}")


def _locked(files: Files, path: Path) -> int:
    try:
        with _told("lock", path):
            return files.lock(path)
    except BlockingIOError:
        raise StateError(
            f"another node runs in {path}",
            "stop it (systemctl stop meshdoor), or give this one a directory of its own with --state DIR",
        ) from None


@contextmanager
def _told(verb: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a StateError; what has a meaning of its own to the caller passes."""
    try:
        yield
    except (FileNotFoundError, BlockingIOError):
        raise
    except OSError as error:
        look = f"look at it: ls -ld {shlex.quote(str(path))}"
        hint = "make room on the disk" if error.errno in FULL else look
        raise StateError(f"cannot {verb} {path}: {error.strerror}", hint) from None
