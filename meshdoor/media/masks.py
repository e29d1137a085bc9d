"""Round corners as masks: how much of each pixel is covered (0 to 255, row by row). Made once for each size, and
coloured where they are drawn."""

from __future__ import annotations

import math


def corner(radius: int) -> bytes:
    """The upper left quarter of a disc, in a square of `radius` pixels."""
    steps = [radius - n - 0.5 for n in range(radius)]
    return bytes(_share(math.hypot(x, y) - radius) for y in steps for x in steps)


def disc(radius: int) -> bytes:
    """In a square of twice that."""
    quarter = corner(radius)
    rows = [quarter[n * radius :][:radius] for n in range(radius)]
    upper = [row + row[::-1] for row in rows]
    return b"".join(upper + upper[::-1])


def _share(distance: float) -> int:
    """Of a pixel whose centre is so far outside of an edge."""
    return round(255 * min(1.0, max(0.0, 0.5 - distance)))
