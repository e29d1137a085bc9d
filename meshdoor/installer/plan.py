"""What an installed node consists of, by its role: the steps in their order."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meshdoor.config import check_name
from meshdoor.errors import UserError
from meshdoor.installer.config import Settings, role_of
from meshdoor.installer.program import CURRENT, PYTHON, Program, Source, Tidy
from meshdoor.installer.steps import (
    UNIT,
    UNITS,
    Absent,
    Account,
    Enabled,
    EnrolmentFile,
    File,
    Link,
    Packages,
    Running,
    StateDirectory,
    Step,
)
from meshdoor.installer.system import HOME, System

FILES: Final = Path(__file__).with_name("files")
LIBEXEC: Final = HOME / "libexec"
COMMAND: Final = Path("/usr/local/bin/meshdoor")
ENROLMENT_UNIT: Final = "meshdoor-enrolment.service"
FIREWALL_UNIT: Final = "meshdoor-firewall.service"
FIREWALL: Final = Path("/etc/meshdoor/firewall.nft")
SCREEN_PART: Final = UNITS / f"{UNIT}.d" / "screen.conf"
GROUPS: Final = ("video", "render", "audio", "input", "gpio")
OLDEST: Final = (3, 11)
MACHINES: Final = ("aarch64", "x86_64")  # for which PyAV and the like are there ready-made

UDEV: Final = Path("/etc/udev/rules.d/60-meshdoor.rules")
JOURNAL: Final = Path("/etc/systemd/journald.conf.d/meshdoor.conf")
WATCHDOG: Final = Path("/etc/systemd/system.conf.d/meshdoor.conf")

# File of `services/`, where it goes, mode.
INSTALLED: Final = (
    ("take-enrolment", LIBEXEC / "take-enrolment", 0o755),
    ("back-off", LIBEXEC / "back-off", 0o755),
    (UNIT, UNITS / UNIT, 0o644),
    (ENROLMENT_UNIT, UNITS / ENROLMENT_UNIT, 0o644),
    ("60-meshdoor.rules", UDEV, 0o644),
    ("journald.conf", JOURNAL, 0o644),
    ("watchdog.conf", WATCHDOG, 0o644),
)


@dataclass(frozen=True, slots=True)
class Kit:
    """What a role needs: packages that must be there, packages for what may be there, extras of the program."""

    needed: tuple[str, ...]
    welcome: tuple[str, ...]
    extras: tuple[str, ...]


_BASE: Final = ("python3-venv", "ca-certificates")
_SOUND: Final = ("libsdl2-2.0-0",)
# What SDL loads by itself to draw without a desktop, and the letters.
_DRAWING: Final = ("libsdl2-ttf-2.0-0", "libgbm1", "libegl1", "libgles2", "libgl1-mesa-dri", "fonts-dejavu-core")

KITS: Final = {
    "door": Kit((*_BASE, *_SOUND), ("rpicam-apps-lite", "alsa-utils"), ("door", "screen", "aec")),
    "screen": Kit((*_BASE, *_SOUND, *_DRAWING), ("alsa-utils",), ("door", "screen", "aec")),
    "lock": Kit(_BASE, (), ("lock",)),
}
ANY: Final = Kit(KITS["screen"].needed, KITS["door"].welcome, KITS["screen"].extras)  # for who does not say a role


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for. No extras: those of the role."""

    role: str = ""
    name: str = ""
    extras: tuple[str, ...] = ()
    enrolment: bytes = b""
    packages: bool = True
    firewall: bool = False


def as_before(wish: Wish, system: System) -> Wish:
    """What the wish does not say stays as an earlier one said it."""
    role = wish.role or role_of(system)
    extras = wish.extras or tuple(system.record().get("extras", ()))
    return replace(wish, role=role, extras=extras, firewall=wish.firewall or system.path(FIREWALL).exists())


def steps(wish: Wish, source: Source) -> list[Step]:
    """All of them, in the order in which they are done."""
    return list(_steps(wish, source))


def _steps(wish: Wish, source: Source) -> Iterator[Step]:
    check_name(wish.name)
    kit = KITS.get(wish.role, ANY)
    program = Program(source, wish.extras or kit.extras)
    if wish.packages:
        yield Packages((*kit.needed, "nftables") if wish.firewall else kit.needed, kit.welcome)
    yield Account(GROUPS)
    yield program
    yield Link(COMMAND, CURRENT / "bin/meshdoor")
    yield StateDirectory()
    yield Settings(_text("config.toml"), wish.role, wish.name)
    for name, path, mode in INSTALLED:
        yield File(path, (FILES / name).read_bytes(), mode)
    part = File(SCREEN_PART, (FILES / "screen.conf").read_bytes())
    yield Absent(SCREEN_PART) if wish.role in ("door", "lock") else part
    if wish.enrolment:
        yield EnrolmentFile(wish.enrolment)
    units = [ENROLMENT_UNIT, UNIT]
    if wish.firewall:
        yield File(FIREWALL, (FILES / "firewall.nft").read_bytes())
        yield File(UNITS / FIREWALL_UNIT, (FILES / FIREWALL_UNIT).read_bytes())
        units.append(FIREWALL_UNIT)
    for unit in units:
        yield Enabled(unit)
    yield Running((*units[2:], UNIT))
    yield Tidy(program)


def check_machine(system: System, packages: bool = True) -> None:
    """Can it be installed here at all? Raises UserError."""
    machine = platform.machine()
    if machine not in MACHINES:
        raise UserError(
            f"this is a {machine} system, for which the codecs are not there ready-made",
            "on a Pi 3, 4, 5 or Zero 2 W use the 64-bit Raspberry Pi OS",
        )
    if not system.path(Path("/usr/lib/systemd/systemd")).exists():
        raise UserError("there is no systemd here", "to run a node otherwise: meshdoor run")
    if packages and not system.path(Path("/usr/bin/apt-get")).exists():
        raise UserError("this system has no apt-get", f"install {', '.join(ANY.needed)} by hand, then --no-packages")
    if system.path(Path(PYTHON)).exists():
        _, version = system.ask(PYTHON, "-c", "import sys; print(*sys.version_info[:2])")
        if tuple(int(part) for part in version.split()) < OLDEST:
            raise UserError(f"{PYTHON} is {version.strip().replace(' ', '.')}", "Debian 12 or newer has Python 3.11")


def _text(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")
