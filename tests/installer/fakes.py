"""A machine that is only a directory: its commands are played, and told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from meshdoor.installer.steps import UNITS
from meshdoor.installer.system import System

PASSWD = "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n"
GROUP = "root:x:0:\naudio:x:29:pi\nvideo:x:44:pi\nrender:x:106:\ninput:x:105:\n"


class FakeHost:
    """Does what the commands of a Debian do to its files, as far as an installer sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[str] = []
        self.owners: dict[str, tuple[int, int]] = {}
        self.packages = {"libc6", "ca-certificates"}
        self.known = {"alsa-utils"}
        self.fails = ""  # a command that has this in it

    def own(self, path: Path, user: int, group: int) -> None:
        name = path.name.removeprefix(".").removesuffix(".tmp") if path.name.endswith(".tmp") else path.name
        self.owners[str(path.with_name(name).relative_to(self.root))] = (user, group)

    def owner(self, path: Path) -> int:
        return self.owners.get(str(path.relative_to(self.root)), (0, 0))[0]

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        words = list(command)
        if words[0] == "chroot":
            assert words[1] == str(self.root)
            words = words[2:]
        line = " ".join(words)
        self.commands.append(line)
        if self.fails and self.fails in line:
            return 1, "line one\nno space left on device\n"
        name = re.sub(r"\W", "_", Path(words[0]).name)
        play = getattr(self, f"_{name}", None)
        return play(words[1:]) if play else (0, "")

    def did(self, pattern: str) -> list[str]:
        """The commands that the pattern is found in."""
        return [line for line in self.commands if re.search(pattern, line)]

    def _dpkg_query(self, words: list[str]) -> tuple[int, str]:
        there = [name for name in words[3:] if name in self.packages]
        return int(len(there) < len(words[3:])), "".join(f"{name} installed\n" for name in there)

    def _apt_cache(self, words: list[str]) -> tuple[int, str]:
        rows = [(name, "1.0" if name in self.known else "(none)") for name in words[1:]]
        return 0, "".join(f"{name}:\n  Installed: (none)\n  Candidate: {version}\n" for name, version in rows)

    def _apt_get(self, words: list[str]) -> tuple[int, str]:
        names = [word for word in words[1:] if not word.startswith("-")]
        if words[0] == "install":
            self.packages.update(names)
        if words[0] == "purge":
            self.packages.difference_update(names)
        removable = sorted(getattr(self, "auto", set()) & self.packages)
        return 0, "".join(f"Remv {name} [1.0]\n" for name in removable) if "autoremove" in words else ""

    def _apt_mark(self, words: list[str]) -> tuple[int, str]:
        self.auto = set(words[1:])
        return 0, ""

    def _groupadd(self, words: list[str]) -> tuple[int, str]:
        return self._append("group", f"{words[-1]}:x:{980 + len(self.commands)}:")

    def _useradd(self, words: list[str]) -> tuple[int, str]:
        self._append("group", f"{words[-1]}:x:997:")
        return self._append("passwd", f"{words[-1]}:x:997:997::/var/lib/meshdoor:/usr/sbin/nologin")

    def _usermod(self, words: list[str]) -> tuple[int, str]:
        wanted, file = words[2].split(","), self.root / "etc/group"
        rows = [line.split(":") for line in file.read_text().splitlines()]
        for row in rows:
            if row[0] in wanted:
                row[3] = ",".join(filter(None, (row[3], words[3])))
        file.write_text("".join(":".join(row) + "\n" for row in rows))
        return 0, ""

    def _userdel(self, words: list[str]) -> tuple[int, str]:
        for name in ("passwd", "group"):
            file = self.root / "etc" / name
            rows = [line for line in file.read_text().splitlines() if not line.startswith(f"{words[0]}:")]
            file.write_text("".join(re.sub(rf",{words[0]}$|(?<=:){words[0]}$", "", row) + "\n" for row in rows))
        return 0, ""

    def _groupdel(self, words: list[str]) -> tuple[int, str]:
        file = self.root / "etc/group"
        rows = [line for line in file.read_text().splitlines(True) if not line.startswith(f"{words[0]}:")]
        file.write_text("".join(rows))
        return 0, ""

    def _python3(self, words: list[str]) -> tuple[int, str]:
        if "venv" in words:
            place = self.root / words[-1].lstrip("/")
            place.mkdir(parents=True)
            (place / "pyvenv.cfg").write_text("home = /usr/bin\n")
        return 0, "3 11\n"

    def _python(self, words: list[str]) -> tuple[int, str]:
        if "wheel" in words:
            folder = words[words.index("--wheel-dir") + 1]
            (self.root / folder.lstrip("/") / "meshdoor-0.1.0-py3-none-any.whl").write_bytes(b"PK")
        return 0, ""

    def _systemctl(self, words: list[str]) -> tuple[int, str]:
        wants = self.root / str(UNITS).lstrip("/") / "multi-user.target.wants" / words[-1]
        if words[0] == "enable":
            wants.parent.mkdir(exist_ok=True)
            wants.symlink_to(UNITS / words[-1])
        if words[0] == "disable":
            wants.unlink(missing_ok=True)
        return 0, ""

    def _append(self, file: str, row: str) -> tuple[int, str]:
        with (self.root / "etc" / file).open("a") as rows:
            rows.write(row + "\n")
        return 0, ""


def fake_system(root: Path) -> tuple[System, FakeHost]:
    """A Debian with systemd, just flashed."""
    for file, text in (
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("usr/lib/systemd/systemd", ""),
        ("usr/bin/apt-get", ""),
        ("usr/bin/python3", ""),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    host = FakeHost(root)
    return System(root, host), host
