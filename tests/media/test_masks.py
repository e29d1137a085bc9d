from __future__ import annotations

import math

from meshdoor.media import masks


def test_a_disc_has_its_area() -> None:
    for radius in (1, 4, 17, 40):
        disc = masks.disc(radius)
        assert len(disc) == 4 * radius * radius
        assert abs(sum(disc) / 255 - math.pi * radius * radius) < 0.02 * len(disc) + 1
        assert disc == disc[::-1], "it is the same from both ends"


def test_a_corner() -> None:
    corner = masks.corner(10)
    assert corner[0] == 0
    assert corner[-1] == 255
