"""The cameras that this machine has, and which of them is used. Loads no codec.

A Pi camera is `rpicam`, or `rpicam:1` for a second one; a USB camera `/dev/video0`. This is also what `[media] camera`
takes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from meshdoor.media import v4l2

RPICAM: Final = "rpicam"
PROGRAMS: Final = ("rpicam-vid", "libcamera-vid")  # the second is what systems before 2024 call it
LIST_TIMEOUT: Final = 5.0  # s; ours
MAX_CAMERAS: Final = 16

# Parts of a Pi that are V4L2 devices, but no cameras of their own: `rpicam-vid` uses them.
NOT_CAMERAS: Final = ("unicam", "rp1-cfe", "bcm2835-isp", "bcm2835-codec", "pispbe", "rpi-hevc", "rpivid")

# `0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)`
_LISTED = re.compile(r"^\s*(\d+) : (.{1,80}?) \[([^\]]{1,80})\] \(([^)]*)\)", re.MULTILINE)

Examine = Callable[[str], v4l2.VideoDevice | None]


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """`path` is what `[media] camera` takes; `formats` what it gives, by FFmpeg's names, the cheapest first."""

    path: str
    name: str
    formats: tuple[str, ...]


class Choice(NamedTuple):
    """What is used of what there is, and why. `camera` is None where there is nothing to use."""

    camera: FoundCamera | None
    why: str


def found(root: Path = Path("/"), examine: Examine = v4l2.examine) -> tuple[FoundCamera, ...]:
    """All of them, the Pi's own first. May take a second: `rpicam-vid` is asked."""
    program = rpicam_program()
    own = tuple(_listed(_list(program))) if program else ()
    return (*own, *_devices(root, examine))


def choose(cameras: Sequence[FoundCamera]) -> Choice:
    """What `auto` means."""
    if not cameras:
        return Choice(None, "no camera was found")
    first = cameras[0]
    kind = "the Pi's own camera" if first.path.startswith(RPICAM) else "the first USB camera"
    return Choice(first, f"{kind}, {first.name}")


def present(root: Path = Path("/")) -> frozenset[str]:
    """What there is of V4L2 devices now: cheap, and different when a camera came or went."""
    return frozenset(path.name for path in (root / "dev").glob("video*"))


def rpicam_program() -> str | None:
    """The program that reads a Pi camera, if it is installed."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def _list(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--list-cameras"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIST_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def _listed(text: str) -> Iterator[FoundCamera]:
    """It knows USB cameras too; those are read without it."""
    for match in list(_LISTED.finditer(text))[:MAX_CAMERAS]:
        number, name, mode, where = match.groups()
        if "usb" not in where.lower():
            yield FoundCamera(RPICAM if number == "0" else f"{RPICAM}:{number}", f"{name} [{mode}]", ("yuv420p",))


def _devices(root: Path, examine: Examine) -> Iterator[FoundCamera]:
    paths = sorted((root / "dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    for path in paths[:64]:
        device = examine(str(path))
        if device is None or not device.formats or device.driver.startswith(NOT_CAMERAS):
            continue
        yield FoundCamera(str(path), device.name, device.formats)
