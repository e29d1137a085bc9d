"""Icons and round corners as masks: how much of each pixel is covered (0 to 255, row by row). They are made once for
each size, and coloured where they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

Point = tuple[float, float]


def strokes(lines: Iterable[Sequence[Point]], width: float, size: int) -> bytes:
    """Lines with round ends in a square of so many pixels. A line of one point is a dot."""
    covered = bytearray(size * size)
    for points in lines:
        for chord in pairwise(points if len(points) > 1 else (*points, *points)):
            _cover(covered, size, chord, width / 2)
    return bytes(covered)


def _cover(covered: bytearray, size: int, chord: tuple[Point, Point], reach: float) -> None:
    (ax, ay), (bx, by) = chord
    top, bottom = int(min(ay, by) - reach) - 1, int(max(ay, by) + reach) + 2
    left, right = int(min(ax, bx) - reach) - 1, int(max(ax, bx) + reach) + 2
    for row in range(max(0, top), min(size, bottom)):
        for column in range(max(0, left), min(size, right)):
            share = _share(_distance((column + 0.5, row + 0.5), chord) - reach)
            at = row * size + column
            if share > covered[at]:
                covered[at] = share


def corner(radius: int) -> bytes:
    """The upper left quarter of a disc, in a square of `radius` pixels."""
    steps = [radius - n - 0.5 for n in range(radius)]
    return bytes(_share(math.hypot(x, y) - radius) for y in steps for x in steps)


def _share(distance: float) -> int:
    """Of a pixel whose centre is so far outside of an edge."""
    return round(255 * min(1.0, max(0.0, 0.5 - distance)))


def _distance(point: Point, chord: tuple[Point, Point]) -> float:
    (x, y), ((ax, ay), (bx, by)) = point, chord
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    part = 0.0 if length == 0 else min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / length))
    return math.hypot(x - ax - part * dx, y - ay - part * dy)
