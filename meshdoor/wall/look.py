"""What a scene is made for: the size and font of the display, the language, the colours, the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshdoor.wall.dates import Moment
from meshdoor.wall.palette import Palette
from meshdoor.wall.scene import Box, Size, Weight
from meshdoor.wall.words import Words

SHORT: Final = 480  # pixels: the shorter side of the smallest display
GROWTH: Final = 0.45

Measure = Callable[[str, int, Weight], int]
"""How many pixels a line of text of this size (in pixels) and weight is wide, rounded up.

The font is one whose lines need no more than `layout.line_height(size)`."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What stays the same: `local` gives the local time of Unix seconds, `words` the sentences of a language tag."""

    size: Size
    measure: Measure
    local: Callable[[float], Moment]
    words: Callable[[str], Words]


@dataclass(frozen=True, slots=True)
class Look:
    """`now` is the monotonic clock, `unix` the time of the day."""

    size: Size
    measure: Measure
    local: Callable[[float], Moment]
    words: Words
    palette: Palette
    now: float
    unix: float

    @property
    def screen(self) -> Box:
        return Box(0, 0, self.size.w, self.size.h)

    def px(self, length: float) -> int:
        """Pixels for a length that is told for a display of 480: larger ones have more room, and larger things."""
        return round(length * (1 + (min(self.size) - SHORT) / SHORT * GROWTH))

    @property
    def portrait(self) -> bool:
        return self.size.h > self.size.w

    @property
    def moment(self) -> Moment:
        return self.local(self.unix)
