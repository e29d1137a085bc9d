"""Blackens what nobody is to see, in the pictures themselves: no encoder, snapshot or memory has it after that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import av

from meshdoor.settings.camera import Mask

BLACK, GREY = 16, 128  # of luma and of both chromas (BT.601, limited range)


@cache
def _lines(value: int, length: int) -> bytes:
    return bytes((value,)) * length


def burn_in(frame: av.VideoFrame, masks: Sequence[Mask]) -> None:
    """In I420. Whatever a mask touches is black: its edges are rounded outwards, to whole dots of colour."""
    if not masks:
        return
    frame.make_writable()  # a decoder may need it as it was for the next one
    for mask in masks:
        left, right = _span(mask.left, mask.right, frame.width)
        top, bottom = _span(mask.top, mask.bottom, frame.height)
        for number, plane in enumerate(frame.planes):
            part = 1 if number == 0 else 2
            columns = slice(left // part, min(-(-right // part), plane.width))
            rows = range(top // part, min(-(-bottom // part), plane.height))
            _fill(plane, rows, columns, BLACK if number == 0 else GREY)


def _span(begin: float, end: float, size: int) -> tuple[int, int]:
    """Even numbers around a part in percent."""
    first = int(begin * size / 100) & ~1
    last = -(-end * size // 100)
    return first, min(size, int(last) + 1 & ~1)


def _fill(plane: av.video.plane.VideoPlane, rows: range, columns: slice, value: int) -> None:
    room, line = memoryview(plane).cast("B"), _lines(value, columns.stop - columns.start)
    for row in rows:
        start = row * plane.line_size
        room[start + columns.start : start + columns.stop] = line
