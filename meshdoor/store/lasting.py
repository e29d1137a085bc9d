"""Does what is written to a directory outlive a power cut? On a read-only root it may be in memory only."""

from __future__ import annotations

import re
from pathlib import Path

IN_MEMORY = {"tmpfs", "ramfs"}
OVERLAY_ROOT = re.compile(r"\b(boot=overlay|overlayroot=(?!disabled))")  # of raspi-config, of Debian's overlayroot


def lasts(directory: Path, proc: Path = Path("/proc")) -> bool:
    """Read from the kernel; true where it does not say."""
    try:
        mounts = (proc / "self/mountinfo").read_text(errors="replace")
        command_line = (proc / "cmdline").read_text(errors="replace")
    except OSError:
        return True
    kind = kind_of(directory.resolve(), mounts)
    return kind not in IN_MEMORY and not (kind == "overlay" and OVERLAY_ROOT.search(command_line))


def kind_of(path: Path, mounts: str) -> str:
    """The file system that the path is on, from /proc/self/mountinfo (proc(5)); empty if it is not told."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:  # of two at one point the later hides the other
            best, kind = len(point.parts), after.split()[0]
    return kind
