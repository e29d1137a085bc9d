"""What this machine is, read from /sys and /dev: the default role and name of a node."""

from __future__ import annotations

import socket
from pathlib import Path


def suggested_role(root: Path = Path("/")) -> str:
    """`door` for a machine with a camera and no display, else `screen`, which may found a home and admit others."""
    return "door" if has_camera(root) and not has_display(root) else "screen"


def has_camera(root: Path = Path("/")) -> bool:
    """A V4L2 device that captures, or a Pi camera's media node."""
    names = (root / "sys/class/video4linux").glob("video*/name")
    return any(_captures(name.read_text(errors="replace")) for name in names)


def has_display(root: Path = Path("/")) -> bool:
    """A connected DRM connector."""
    states = (root / "sys/class/drm").glob("*/status")
    return any(state.read_text(errors="replace").strip() == "connected" for state in states)


def suggested_name(host: str | None = None) -> str:
    """The host name as a person would write it: `kitchen-screen` is `Kitchen screen`."""
    host = (socket.gethostname() if host is None else host).split(".")[0]
    words = " ".join(host.replace("-", " ").replace("_", " ").split())
    return (words[:1].upper() + words[1:])[:64] or "Node"


def _captures(name: str) -> bool:
    """A Pi's codec and ISP blocks are video devices too, but no cameras."""
    return not any(word in name for word in ("codec", "isp", "hevc"))
