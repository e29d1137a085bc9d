"""Whether there is a screen at all; loads nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CONNECTORS: Final = Path("/sys/class/drm")
NONE: Final = frozenset({"dummy", "offscreen"})  # what SDL is told where nothing is to be seen


def has_screen(connectors: Path = CONNECTORS) -> bool:
    """Is there something that a window could be on?"""
    if os.environ.get("SDL_VIDEODRIVER") in NONE:
        return False
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    states = (file.read_text(errors="replace").strip() for file in connectors.glob("card*-*/status"))
    return "connected" in states
