"""The steps of `meshdoor uninstall`: what it leaves is the state of the node, for root alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshdoor.config import SYSTEM_FILE
from meshdoor.installer.config import KEPT, is_as_made
from meshdoor.installer.plan import (
    COMMAND,
    ENROLMENT_UNIT,
    FILES,
    FIREWALL,
    FIREWALL_UNIT,
    INSTALLED,
    JOURNAL,
    SCREEN_PART,
    UDEV,
    WATCHDOG,
)
from meshdoor.installer.steps import STATE, UNIT, UNITS, USER, Absent, Step, give_tree
from meshdoor.installer.system import HOME, System

# Only where they hold nothing of somebody else.
FOLDERS: Final = (UNITS / f"{UNIT}.d", SYSTEM_FILE.parent, JOURNAL.parent, WATCHDOG.parent, UDEV.parent)


def steps(packages: bool = True) -> list[Step]:
    """All of them, in the order in which they are done."""
    return list(_steps(packages))


def _steps(packages: bool) -> Iterator[Step]:
    for unit in (UNIT, ENROLMENT_UNIT, FIREWALL_UNIT):
        yield Disabled(unit)
    yield SettingsKept()
    for _, path, _ in INSTALLED:
        yield Absent(path)
    for path in (SCREEN_PART, FIREWALL, UNITS / FIREWALL_UNIT, COMMAND):
        yield Absent(path)
    yield EmptyFolders()
    yield StateKept()
    yield NoAccount()
    if packages:
        yield PackagesGiven()
    yield Absent(HOME)
    yield Forgotten()


@dataclass(frozen=True, slots=True)
class Disabled:
    """A unit that does not run and does not start any more."""

    unit: str

    def pending(self, system: System) -> str:
        there = system.path(UNITS / self.unit).exists()
        return f"stop {self.unit}" if there else ""

    def apply(self, system: System) -> None:
        now = ("--now",) if system.booted else ()
        system.run("systemctl", "disable", "--quiet", *now, self.unit)


@dataclass(frozen=True, slots=True)
class SettingsKept:
    """Settings that a person wrote go to the state; those that `install` made go."""

    def pending(self, system: System) -> str:
        there = system.read(SYSTEM_FILE)
        if there is None:
            return ""
        return f"remove {SYSTEM_FILE}" if self._as_made(there) else f"keep {SYSTEM_FILE} as {KEPT}"

    def apply(self, system: System) -> None:
        there = system.read(SYSTEM_FILE) or b""
        if not self._as_made(there):
            system.write(KEPT, there, 0o600)
        system.remove(SYSTEM_FILE)

    def _as_made(self, there: bytes) -> bool:
        return is_as_made(there.decode(errors="replace"), (FILES / "config.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class EmptyFolders:
    """Directories that were made for our files."""

    def pending(self, system: System) -> str:
        found = self._found(system)
        return f"remove {', '.join(str(each) for each in found)}" if found else ""

    def apply(self, system: System) -> None:
        for each in self._found(system):
            system.path(each).rmdir()

    def _found(self, system: System) -> list[Path]:
        made = [each for each in FOLDERS if each != UDEV.parent]  # udev has its own
        return [each for each in made if system.path(each).is_dir() and not any(system.path(each).iterdir())]


@dataclass(frozen=True, slots=True)
class StateKept:
    """Its user goes, and the number of the user may become somebody else's: what it leaves belongs to root."""

    def pending(self, system: System) -> str:
        place = system.path(STATE)
        theirs = place.is_dir() and system.host.owner(place) != 0
        return f"keep {STATE}, for root alone" if theirs else ""

    def apply(self, system: System) -> None:
        give_tree(system, system.path(STATE), 0, 0)


@dataclass(frozen=True, slots=True)
class NoAccount:
    """The user, and the groups that were not there before."""

    def pending(self, system: System) -> str:
        return f"remove the user {USER}" if system.user(USER) is not None else ""

    def apply(self, system: System) -> None:
        system.run("userdel", USER)
        for name in system.record().get("groups", ()):
            system.ask("groupdel", name)  # fails, and may, when it has become somebody's main group


@dataclass(frozen=True, slots=True)
class PackagesGiven:
    """Packages that were installed for Meshdoor, and which nothing else has come to need."""

    def pending(self, system: System) -> str:
        ours = system.record().get("packages", [])
        return f"remove {', '.join(ours)}, where nothing else needs them" if ours else ""

    def apply(self, system: System) -> None:
        ours = system.record().get("packages", [])
        before = _removable(system)
        system.run("apt-mark", "auto", *ours)
        unneeded = _removable(system) - before
        if unneeded:
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            system.run("apt-get", "purge", "-y", "-qq", *sorted(unneeded), **quiet)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """systemd and udev read anew what is left."""

    def pending(self, system: System) -> str:
        return "let systemd read what is left" if system.changed and system.booted else ""

    def apply(self, system: System) -> None:
        system.run("systemctl", "daemon-reload")
        system.ask("systemctl", "reset-failed", UNIT)
        system.ask("udevadm", "control", "--reload")


def _removable(system: System) -> set[str]:
    _, output = system.ask("apt-get", "--simulate", "autoremove")
    return set(re.findall(r"^Remv (\S+)", output, re.MULTILINE))
