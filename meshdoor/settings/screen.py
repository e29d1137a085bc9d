"""The screen on the wall. What a person sets on it is kept beside the node's state, and goes before these.

    [screen]
    size = ""                   # of a window, as 800x480; "" is the whole screen
    rotate = 0                  # degrees clockwise: 0, 90, 180 or 270
    font = ""                   # a font file; else one is found
    language = ""               # en, de, fr, or a tag as de-AT; else that of the system
    theme = "auto"              # light by day and dark by night; or light, or dark
    sleep = 300                 # seconds without a touch until the display goes dark; 0 for never
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshdoor.errors import ConfigError

THEMES: Final = ("auto", "light", "dark")
TURNS: Final = (0, 90, 180, 270)
MAX_SLEEP: Final = 24 * 3600

_SIZE = re.compile(r"(\d{3,4})x(\d{3,4})")
_TAG = re.compile(r"[a-z]{2}([-_][A-Z]{2})?")


@dataclass(frozen=True, slots=True)
class ScreenConfig:
    """See above."""

    size: str = ""
    rotate: int = 0
    font: str = ""
    language: str = ""
    theme: str = "auto"
    sleep: int = 300

    def __post_init__(self) -> None:
        if self.rotate not in TURNS:
            raise ConfigError(f"screen.rotate: {self.rotate} is none of 0, 90, 180, 270")
        if self.theme not in THEMES:
            raise ConfigError(f"screen.theme: {self.theme!r} is none of {', '.join(THEMES)}")
        if not 0 <= self.sleep <= MAX_SLEEP:
            raise ConfigError(f"screen.sleep: {self.sleep} is not from 0 to {MAX_SLEEP} seconds")
        if self.language and not _TAG.fullmatch(self.language):
            raise ConfigError(f"screen.language: {self.language!r} is no language", "for example: de, or de-AT")
        _ = self.window

    @property
    def window(self) -> tuple[int, int] | None:
        """The size of a window; None for the whole screen. Raises ConfigError."""
        if not self.size:
            return None
        found = _SIZE.fullmatch(self.size)
        if found is None:
            raise ConfigError(f"screen.size: {self.size!r} is no size", "for example: 800x480")
        return int(found[1]), int(found[2])
