"""The line drawings of the page of phones (web/page/ui/drawings.js), as they are on a wall: masks of coverage.

A drawing is the path of an SVG on 24 x 24, with the commands M L H V C S A Z, stroked 1.8 wide with round ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

GRID: Final = 24.0
STROKE: Final = 1.8
CURVE, ARC = 12, 0.25  # lines for a curve; radians for a line of an arc

_PART = re.compile(r"([MLHVCSAZ])|(-?(?:\d+\.\d*|\.\d+|\d+))", re.IGNORECASE)
_COUNT: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "A": 7, "Z": 0}


class Point(NamedTuple):
    x: float
    y: float


Line = tuple[Point, Point]


def lines(path: str) -> list[Line]:
    """The path as straight lines, in its own units. Raises ValueError: a fault of ours."""
    found: list[Line] = []
    pen = _Pen()
    for command, numbers in _commands(path):
        if command in "Mm":
            pen.jump(command, numbers)
            continue
        for point in pen.draw(command, numbers):
            found.append((pen.at, point))
            pen.at = point
    return found


@lru_cache(maxsize=256)
def mask(path: str, side: int) -> bytes:
    """How much of each pixel of a square is covered, 0 to 255, row by row."""
    scale = side / GRID
    half = STROKE / 2 * scale
    covered = bytearray(side * side)
    for start, end in lines(path):
        _stroke(covered, side, (Point(start.x * scale, start.y * scale), Point(end.x * scale, end.y * scale)), half)
    return bytes(covered)


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers; one that is repeated needs not be said again."""
    command = ""
    numbers: list[float] = []
    for letter, number in _PART.findall(path):
        if letter:
            command, numbers = letter, []
        else:
            numbers.append(float(number))
        if command and len(numbers) == _COUNT[command.upper()]:
            yield command, numbers
            command, numbers = {"M": "L", "m": "l", "Z": "", "z": ""}.get(command, command), []


class _Pen:
    """Where it is, where the outline began, and the last control point."""

    def __init__(self) -> None:
        self.at = self.began = self.control = Point(0.0, 0.0)

    def jump(self, command: str, numbers: list[float]) -> None:
        self.at = self.began = self.control = self._point(command, numbers)

    def draw(self, command: str, numbers: list[float]) -> list[Point]:
        """The ends of the lines from here."""
        kind, control = command.upper(), self.at
        if kind == "Z":
            points = [self.began]
        elif kind == "H":
            points = [Point(numbers[0] + (self.at.x if command == "h" else 0.0), self.at.y)]
        elif kind == "V":
            points = [Point(self.at.x, numbers[0] + (self.at.y if command == "v" else 0.0))]
        elif kind == "A":
            points = list(_arc(self.at, numbers, self._point(command, numbers[5:])))
        elif kind == "L":
            points = [self._point(command, numbers)]
        else:
            first = self._point(command, numbers) if kind == "C" else self._mirrored()
            control, end = (self._point(command, numbers[index:]) for index in (len(numbers) - 4, len(numbers) - 2))
            points = [_bezier((self.at, first, control, end), step / CURVE) for step in range(1, CURVE + 1)]
        self.control = control if kind in "CS" else points[-1]
        return points

    def _mirrored(self) -> Point:
        return Point(2 * self.at.x - self.control.x, 2 * self.at.y - self.control.y)

    def _point(self, command: str, numbers: list[float]) -> Point:
        x, y = numbers[:2]
        return Point(self.at.x + x, self.at.y + y) if command.islower() else Point(x, y)


def _bezier(points: tuple[Point, Point, Point, Point], at: float) -> Point:
    weights = (1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3
    return Point(
        sum(weight * point.x for weight, point in zip(weights, points, strict=True)),
        sum(weight * point.y for weight, point in zip(weights, points, strict=True)),
    )


def _arc(start: Point, numbers: list[float], end: Point) -> Iterator[Point]:
    """Of a circle: the radii of the drawings are equal (SVG 2, appendix B.2.4)."""
    radius, _, _, large, sweep = numbers[:5]
    dx, dy = end.x - start.x, end.y - start.y
    chord = math.hypot(dx, dy)
    radius = max(radius, chord / 2)
    height = math.sqrt(max(0.0, radius**2 - chord**2 / 4)) * (1 if bool(large) != bool(sweep) else -1)
    middle = Point((start.x + end.x) / 2 - dy / chord * height, (start.y + end.y) / 2 + dx / chord * height)
    first = math.atan2(start.y - middle.y, start.x - middle.x)
    turn = math.atan2(end.y - middle.y, end.x - middle.x) - first
    turn = turn % math.tau if sweep else -(-turn % math.tau)
    steps = max(1, math.ceil(abs(turn) / ARC))
    for step in range(1, steps):
        angle = first + turn * step / steps
        yield Point(middle.x + radius * math.cos(angle), middle.y + radius * math.sin(angle))
    yield end


def _stroke(covered: bytearray, side: int, line: Line, half: float) -> None:
    """Only pixels near the line are looked at."""
    (ax, ay), (bx, by) = line
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    reach = half + 1
    for y in range(max(0, int(min(ay, by) - reach)), min(side, int(max(ay, by) + reach) + 1)):
        for x in range(max(0, int(min(ax, bx) - reach)), min(side, int(max(ax, bx) + reach) + 1)):
            px, py = x + 0.5 - ax, y + 0.5 - ay
            along = max(0.0, min(1.0, (px * dx + py * dy) / square)) if square else 0.0
            part = half + 0.5 - math.hypot(px - along * dx, py - along * dy)
            value = int(255 * max(0.0, min(1.0, part)))
            covered[y * side + x] = max(covered[y * side + x], value)
