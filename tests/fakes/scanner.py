"""The camera of a phone: what a QR code says, read by a decoder that is not ours."""

from __future__ import annotations

import io

import av
import zxingcpp

MODULE = 4  # pixels of a module read off a terminal
HALVES = {" ": (0, 0), "▀": (255, 0), "▄": (0, 255), "█": (255, 255)}  # light is what is drawn


def read_png(data: bytes) -> str:
    """Of a picture."""
    with av.open(io.BytesIO(data), "r") as container:
        frame = next(container.decode(video=0)).reformat(format="gray")
    plane = frame.planes[0]
    pixels = bytes(plane)
    starts = range(0, frame.height * plane.line_size, plane.line_size)
    return _read([pixels[start : start + frame.width] for start in starts])


def read_terminal(text: str) -> str:
    """Of what a terminal shows, two modules a character."""
    rows: list[bytes] = []
    for line in text.split("\n"):
        for half in (0, 1):
            row = b"".join(bytes([HALVES[character][half]]) * MODULE for character in line)
            rows += [row] * MODULE
    return _read(rows)


def _read(rows: list[bytes]) -> str:
    picture = memoryview(b"".join(rows)).cast("B", (len(rows), len(rows[0])))
    (found,) = zxingcpp.read_barcodes(picture)
    return str(found.text)
