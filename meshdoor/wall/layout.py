"""Boxes in boxes, and text that fits (pure)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from meshdoor.wall.look import Measure
from meshdoor.wall.scene import Align, Box, Color, Text, Weight

TOUCH: Final = 48  # pixels: nothing that can be touched is smaller
ELLIPSIS: Final = "…"
STEP: Final = 92  # percent, by which text that does not fit becomes smaller

Width = Callable[[str], int]

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def line_height(size: int) -> int:
    """Pixels for one line of text of this size."""
    return -(-size * 13 // 10)


def inset(box: Box, x: int, y: int | None = None) -> Box:
    """Less on each side; never less than nothing."""
    y = x if y is None else y
    x, y = min(x, box.w // 2), min(y, box.h // 2)
    return Box(box.x + x, box.y + y, box.w - 2 * x, box.h - 2 * y)


def middle(box: Box, w: int, h: int) -> Box:
    """In the middle of it, no larger than it."""
    w, h = min(w, box.w), min(h, box.h)
    return Box(box.x + (box.w - w) // 2, box.y + (box.h - h) // 2, w, h)


def top(box: Box, h: int, gap: int = 0) -> tuple[Box, Box]:
    """The upper part of this height, and what is left below."""
    h = min(h, box.h)
    rest = min(h + gap, box.h)
    return Box(box.x, box.y, box.w, h), Box(box.x, box.y + rest, box.w, box.h - rest)


def bottom(box: Box, h: int, gap: int = 0) -> tuple[Box, Box]:
    """The lower part of this height, and what is left above."""
    h = min(h, box.h)
    return Box(box.x, box.bottom - h, box.w, h), Box(box.x, box.y, box.w, max(0, box.h - h - gap))


def left(box: Box, w: int, gap: int = 0) -> tuple[Box, Box]:
    """The left part of this width, and what is left of it."""
    w = min(w, box.w)
    rest = min(w + gap, box.w)
    return Box(box.x, box.y, w, box.h), Box(box.x + rest, box.y, box.w - rest, box.h)


def right(box: Box, w: int, gap: int = 0) -> tuple[Box, Box]:
    """The right part of this width, and what is left of it."""
    w = min(w, box.w)
    return Box(box.right - w, box.y, w, box.h), Box(box.x, box.y, max(0, box.w - w - gap), box.h)


def columns(box: Box, count: int, gap: int = 0) -> list[Box]:
    """Side by side, equal to a pixel."""
    edges = [box.x + round(index * (box.w + gap) / count) for index in range(count + 1)]
    return [Box(here, box.y, after - gap - here, box.h) for here, after in itertools.pairwise(edges)]


def rows(box: Box, count: int, gap: int = 0) -> list[Box]:
    """One below the other, equal to a pixel."""
    edges = [box.y + round(index * (box.h + gap) / count) for index in range(count + 1)]
    return [Box(box.x, here, box.w, after - gap - here) for here, after in itertools.pairwise(edges)]


def grid(box: Box, across: int, down: int, gap: int = 0) -> list[Box]:
    """Row by row."""
    return [cell for row in rows(box, down, gap) for cell in columns(row, across, gap)]


@dataclass(frozen=True, slots=True)
class Style:
    """Text is `size` pixels high, smaller down to `least` where it would not fit, and is then cut off."""

    color: Color
    size: int
    least: int
    weight: Weight = Weight.REGULAR
    align: Align = Align.LEFT
    lines: int = 1


def fit(measure: Measure, box: Box, text: str, style: Style) -> Text:
    """The text as large as it fits."""
    plain = _BLANK.sub(" ", text).strip()
    size = style.size
    while size > style.least and not _fits(measure, box, plain, size, style):
        size = max(style.least, size * STEP // 100)
    size = max(1, min(size, box.h * 10 // 13))

    def width(line: str) -> int:
        return measure(line, size, style.weight)

    lines = _cut(width, list(_broken(width, plain, box.w)), _most(box, size, style), box.w)
    return Text(box, "\n".join(lines), size, style.weight, style.align, style.color, style.lines)


def _most(box: Box, size: int, style: Style) -> int:
    return max(1, min(style.lines, box.h // line_height(size)))


def _fits(measure: Measure, box: Box, text: str, size: int, style: Style) -> bool:
    def width(line: str) -> int:
        return measure(line, size, style.weight)

    lines = list(_broken(width, text, box.w))
    if len(lines) > _most(box, size, style) or line_height(size) > box.h:
        return False
    return all(width(line) <= box.w for line in lines)


def _broken(width: Width, text: str, room: int) -> Iterator[str]:
    """Lines of whole words; only a word that is wider than a line stands alone, too wide."""
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and width(longer) > room:
            yield line
            line = word
        else:
            line = longer
    yield line


def _cut(width: Width, lines: list[str], most: int, room: int) -> list[str]:
    """As many lines, each as wide as there is room."""
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] = f"{kept[-1]}{ELLIPSIS}"
    return [_shortened(width, line, room) for line in kept]


def _shortened(width: Width, line: str, room: int) -> str:
    if width(line) <= room:
        return line
    # The longest beginning that fits, found by halving: measuring is what costs.
    bare = line.removesuffix(ELLIPSIS)
    fits, too_long = -1, len(bare)
    while too_long - fits > 1:
        tried = (fits + too_long) // 2
        if width(bare[:tried].rstrip() + ELLIPSIS) <= room:
            fits = tried
        else:
            too_long = tried
    return "" if fits < 0 else bare[:fits].rstrip() + ELLIPSIS
