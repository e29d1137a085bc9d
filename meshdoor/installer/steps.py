"""The kinds of steps. Each asks the machine, and does only what is missing."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from meshdoor.installer.system import System

USER: Final = "meshdoor"
STATE: Final = Path("/var/lib/meshdoor")
UNITS: Final = Path("/etc/systemd/system")
UNIT: Final = "meshdoor.service"


class Step(Protocol):
    """One thing that is to be so."""

    def pending(self, system: System) -> str:
        """What there is to do, in one line; empty when it is so already."""
        ...

    def apply(self, system: System) -> None:
        """Do it. Raises UserError or OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages of the system: those that are needed, and those that are taken where the system knows them."""

    needed: tuple[str, ...]
    welcome: tuple[str, ...] = ()

    def pending(self, system: System) -> str:
        missing = self._missing(system, (*self.needed, *self._known(system)))
        return f"install {', '.join(missing)} (apt-get)" if missing else ""

    def apply(self, system: System) -> None:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        system.ask("apt-get", "update", "-qq")  # fails on a network that is down: then the lists that are here may do
        missing = self._missing(system, (*self.needed, *self._known(system)))
        if missing:
            system.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, **quiet)
            system.remember("packages", missing)

    def _known(self, system: System) -> list[str]:
        """Those of the welcome that apt could install."""
        if not self.welcome:
            return []
        _, output = system.ask("apt-cache", "policy", *self.welcome)
        found = re.findall(r"^(\S+):\n\s+Installed: .*\n\s+Candidate: (.*)$", output, re.MULTILINE)
        return [name for name, candidate in found if candidate != "(none)"]

    def _missing(self, system: System, names: Sequence[str]) -> list[str]:
        _, output = system.ask("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names)
        there = {line.removesuffix(" installed") for line in output.splitlines() if line.endswith(" installed")}
        return [name for name in names if name not in there]


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a node runs as, in the groups that own its devices."""

    groups: tuple[str, ...]

    def pending(self, system: System) -> str:
        if system.user(USER) is None:
            return f"add the user {USER}, in the groups {', '.join(self.groups)}"
        missing = self._missing(system)
        return f"add the user {USER} to {', '.join(missing)}" if missing else ""

    def apply(self, system: System) -> None:
        if unknown := [name for name in self.groups if system.group(name) is None]:
            for name in unknown:
                system.run("groupadd", "--system", name)
            system.remember("groups", unknown)
        if system.user(USER) is None:
            home = ("--home-dir", str(STATE), "--no-create-home", "--shell", "/usr/sbin/nologin")
            system.run("useradd", "--system", "--user-group", *home, "--comment", "Meshdoor node", USER)
        if missing := self._missing(system):
            system.run("usermod", "--append", "--groups", ",".join(missing), USER)

    def _missing(self, system: System) -> list[str]:
        there = system.groups_of(USER)
        return [name for name in self.groups if name not in there]


@dataclass(frozen=True, slots=True)
class File:
    """A file of ours, as it is."""

    path: Path
    data: bytes
    mode: int = 0o644

    def pending(self, system: System) -> str:
        there = system.read(self.path)
        if there is None:
            return f"write {self.path}"
        mode = stat.S_IMODE(system.path(self.path).stat().st_mode)
        return "" if (there, mode) == (self.data, self.mode) else f"write {self.path} anew"

    def apply(self, system: System) -> None:
        system.write(self.path, self.data, self.mode)


@dataclass(frozen=True, slots=True)
class Absent:
    """A file of ours that is wanted no more."""

    path: Path

    def pending(self, system: System) -> str:
        place = system.path(self.path)
        return f"remove {self.path}" if place.exists() or place.is_symlink() else ""

    def apply(self, system: System) -> None:
        system.remove(self.path)


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, replaced in one stroke."""

    path: Path
    target: Path

    def pending(self, system: System) -> str:
        place = system.path(self.path)
        same = place.is_symlink() and place.readlink() == self.target
        return "" if same else f"link {self.path} to {self.target}"

    def apply(self, system: System) -> None:
        place = system.path(self.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f".{place.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(self.target)
        new.replace(place)


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The one directory that a node writes to, for its user alone."""

    def pending(self, system: System) -> str:
        place = system.path(STATE)
        if not place.is_dir():
            return f"make {STATE}, which only the node can read"
        if stat.S_IMODE(place.stat().st_mode) != 0o700 or system.host.owner(place) != system.user(USER):
            return f"give {STATE} and what it holds to the user {USER}"
        return ""

    def apply(self, system: System) -> None:
        place = system.path(STATE)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_tree(system, place, system.user(USER) or 0, system.group(USER) or 0)
        place.chmod(0o700)


@dataclass(frozen=True, slots=True)
class EnrolmentFile:
    """An enrolment file for the node to join with. Once used it is gone, and is not put there again by itself."""

    data: bytes

    @property
    def path(self) -> Path:
        return STATE / "meshdoor.enrol"

    def pending(self, system: System) -> str:
        return "" if system.read(self.path) == self.data else f"put the enrolment file into {STATE}"

    def apply(self, system: System) -> None:
        system.write(self.path, self.data, 0o600)
        system.host.own(system.path(self.path), system.user(USER) or 0, system.group(USER) or 0)


@dataclass(frozen=True, slots=True)
class Enabled:
    """A unit that starts with the machine."""

    unit: str

    def pending(self, system: System) -> str:
        wants = system.path(UNITS / "multi-user.target.wants" / self.unit)
        return "" if wants.is_symlink() else f"start {self.unit} with the machine"

    def apply(self, system: System) -> None:
        system.run("systemctl", "enable", "--quiet", self.unit)


@dataclass(frozen=True, slots=True)
class Running:
    """The units as they are now: read again, and the node started anew, when anything else was done."""

    units: tuple[str, ...]

    def pending(self, system: System) -> str:
        if not system.booted:
            return ""
        if system.changed:
            return f"start {', '.join(self.units)} anew"
        idle = [unit for unit in self.units if system.ask("systemctl", "is-active", "--quiet", unit)[0]]
        return f"start {', '.join(idle)}" if idle else ""

    def apply(self, system: System) -> None:
        system.run("systemctl", "daemon-reload")
        system.ask("udevadm", "control", "--reload")
        for subsystem in ("backlight", "dma_heap", "gpio", "leds"):
            system.ask("udevadm", "trigger", "--action=add", f"--subsystem-match={subsystem}")
        system.ask("systemctl", "try-restart", "systemd-journald.service")
        system.run("systemctl", "restart", *self.units)


def give_tree(system: System, place: Path, user: int, group: int) -> None:
    """Make a directory and what it holds belong to a user; links are not followed."""
    for each in (place, *place.rglob("*")):
        system.host.own(each, user, group)
