"""What a wall shows: values to draw from first to last, and the areas that can be touched.

    Scene(items, touch)
    Rect(box, color, radius)
    Text(box, text, size, weight, align, color, max_lines)
    Picture(box, source, cover, radius)
    Icon(box, name, color)
    Area(box, action, hold)

Boxes are in pixels from the upper left. A radius that is more than half of the shorter side means that half. Colours
are RGBA, 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Size(NamedTuple):
    """Of a screen."""

    w: int
    h: int


class Box(NamedTuple):
    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    def holds(self, x: int, y: int) -> bool:
        """Is this point in it?"""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def within(self, other: Box) -> bool:
        """Is no part of it outside the other?"""
        return other.x <= self.x and other.y <= self.y and self.right <= other.right and self.bottom <= other.bottom

    def overlaps(self, other: Box) -> bool:
        """Do they have a pixel in common?"""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Color(NamedTuple):
    r: int
    g: int
    b: int
    a: int = 255


class Weight(StrEnum):
    """Of a font."""

    LIGHT = "light"
    REGULAR = "regular"
    BOLD = "bold"


class Align(StrEnum):
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Action:
    """What a touch means; the arguments are those of the verb."""

    verb: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rect:
    box: Box
    color: Color
    radius: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """Lines are broken by `\\n` and fit the box as they are: who draws neither breaks nor shortens them.

    Each line is `layout.line_height(size)` high; together they are in the middle of the height of the box.
    """

    box: Box
    text: str
    size: int
    weight: Weight
    align: Align
    color: Color
    max_lines: int = 1

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")


@dataclass(frozen=True, slots=True)
class Picture:
    """`source` is `leg:ID` (what a leg shows now), `file:PATH`, or `qr:TEXT`, dark on light with its quiet zone.

    It keeps its shape: whole and in the middle, or, if it is to cover the box, cut at the sides. A source that has
    nothing to show draws nothing; what lies under it says so.
    """

    box: Box
    source: str
    cover: bool = False
    radius: int = 0


@dataclass(frozen=True, slots=True)
class Icon:
    """A line drawing of `icons`, in the middle of the box, as big as its shorter side."""

    box: Box
    name: str
    color: Color


Item = Rect | Text | Picture | Icon


@dataclass(frozen=True, slots=True)
class Area:
    """Where a touch does something. `hold`: seconds for which the finger must stay."""

    box: Box
    action: Action
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Areas do not overlap."""

    items: tuple[Item, ...] = ()
    touch: tuple[Area, ...] = ()

    def at(self, x: int, y: int) -> Area | None:
        """What is touched there."""
        return next((area for area in self.touch if area.box.holds(x, y)), None)

    def again(self, area: Area) -> Area | None:
        """An area of an earlier scene as it is in this one: where it was, else wherever it does the same."""
        if area in self.touch:
            return area
        return next((each for each in self.touch if each.action == area.action), None)
