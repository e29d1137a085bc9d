"""The machine that is installed on: a root directory, its commands, its users."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from meshdoor.errors import UserError
from meshdoor.store.files import OsFiles, discard, temporary_of

HOME = Path("/opt/meshdoor")
RECORD = HOME / "made.json"
TAIL = 12  # lines of a failed command's output that a person is shown


class Host(Protocol):
    """What a test stands in for."""

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run it to its end: exit code, and what it wrote to standard output and standard error."""
        ...

    def own(self, path: Path, user: int, group: int) -> None: ...

    def owner(self, path: Path) -> int: ...


class RealHost:
    """`Host` of the system."""

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                check=False,
            )
        except FileNotFoundError:
            return 127, f"there is no {command[0]} here"
        return done.returncode, done.stdout.decode(errors="replace")

    def own(self, path: Path, user: int, group: int) -> None:
        os.chown(path, user, group, follow_symlinks=False)

    def owner(self, path: Path) -> int:
        return path.lstat().st_uid


@dataclass(slots=True)
class System:
    """`root` is the directory that the machine's files are in; one that is not running may be mounted anywhere.

    Paths of steps are those that the machine itself will see. `changed` tells the last steps that an earlier one had
    something to do.
    """

    root: Path = Path("/")
    host: Host = field(default_factory=RealHost)
    changed: bool = False

    @property
    def booted(self) -> bool:
        """Does systemd run it now? (sd_booted(3))"""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()

    def path(self, path: Path) -> Path:
        """Where a path of the machine is seen from here."""
        return self.root / path.relative_to("/")

    def read(self, path: Path) -> bytes | None:
        """The file; None if there is none, or something else."""
        place = self.path(path)
        return place.read_bytes() if place.is_file() and not place.is_symlink() else None

    def write(self, path: Path, data: bytes, mode: int, group: str = "root") -> None:
        """Put it there for root, whole after a power cut at any moment."""
        place, files = self.path(path), OsFiles()
        place.parent.mkdir(parents=True, exist_ok=True)
        new = temporary_of(place)
        discard(files, new)
        descriptor = files.create(new, mode)
        try:
            os.write(descriptor, data)
            files.fsync(descriptor)
        finally:
            files.close(descriptor)
        self.host.own(new, 0, self.group(group) or 0)
        files.rename(new, place)
        files.fsync_directory(place.parent)

    def run(self, *command: str, **environment: str) -> str:
        """Run a command of the machine. Raises UserError with the end of its output."""
        code, output = self.ask(*command, **environment)
        if code:
            tail = "\n  ".join(output.strip().splitlines()[-TAIL:])
            raise UserError(f"{' '.join(command[:3])} ... failed (exit code {code}):\n  {tail}")
        return output

    def ask(self, *command: str, **environment: str) -> tuple[int, str]:
        """Exit code and output of a command of the machine."""
        inside = command if self.root == Path("/") else ("chroot", str(self.root), *command)
        return self.host.run(inside, {"LC_ALL": "C.UTF-8", **environment})

    def user(self, name: str) -> int | None:
        """The number of a user."""
        return self._number("etc/passwd", name)

    def group(self, name: str) -> int | None:
        """The number of a group."""
        return self._number("etc/group", name)

    def groups_of(self, user: str) -> set[str]:
        """The groups that name the user as a member."""
        rows = (row for row in self._rows("etc/group") if len(row) > 3)
        return {row[0] for row in rows if user in row[3].split(",")}

    def record(self) -> dict[str, Any]:
        """What the installer added to this machine, which nobody else may be robbed of when it goes."""
        data = self.read(RECORD)
        try:
            read = json.loads(data or b"{}")
        except ValueError:
            read = {}
        return read if isinstance(read, dict) else {}

    def remember(self, what: str, added: Sequence[str], *, anew: bool = False) -> None:
        """Add to the record."""
        record = self.record()
        record[what] = sorted({*([] if anew else record.get(what, ())), *added})
        self.write(RECORD, json.dumps(record, indent=1).encode() + b"\n", 0o644)

    def remove(self, path: Path) -> None:
        """Take away a file, a link or a directory with all that it holds."""
        place = self.path(path)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def _number(self, file: str, name: str) -> int | None:
        return next((int(row[2]) for row in self._rows(file) if row[0] == name and len(row) > 2), None)

    def _rows(self, file: str) -> list[list[str]]:
        place = self.root / file
        return [line.split(":") for line in place.read_text().splitlines()] if place.is_file() else []
