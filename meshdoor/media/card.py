"""The test card: what a node shows that has no camera, and a picture from which a machine can read its number.

The top fifth holds 48 cells, black or white, in three rows of sixteen: the frame number (32 bits, the highest first)
and its CRC-16. They are so large that they survive H.264 at any bit rate, and any size of the picture. Below are a
clock, a bar that moves once across the picture in two seconds, and colours.

The number of a frame is its time: `frame_number(now, fps)` of the monotonic clock, which all processes of a host share.
So whoever reads it can tell how old the picture is.
"""

from __future__ import annotations

import binascii
from functools import cache

import av

COLUMNS, ROWS = 16, 3
BAND = 15  # a row of cells is a fifteenth of the height
BLACK, GREY, WHITE = 32, 96, 224
THRESHOLD = 128
FRAMES = 4
_CRC_START = 0x5A5A  # not 0: a black picture must not read as number 0

# A 5x7 font, a row a number; only what is written here.
_FONT = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    ":": (0, 12, 12, 0, 12, 12, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    " ": (0, 0, 0, 0, 0, 0, 0),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "N": (17, 17, 25, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
}


def frame_number(now: float, fps: int) -> int:
    return int(now * fps) & 0xFFFFFFFF


class Card:
    """Draws cards of one size, which is a multiple of 16 each way. The frames are used in turn: a card that was drawn
    stays as it is until `FRAMES` more were."""

    def __init__(self, width: int = 1280, height: int = 720) -> None:
        self.width, self.height = width, height
        self._frames = [self._blank() for _ in range(FRAMES)]
        self._next = 0

    def draw(self, number: int, clock: str) -> av.VideoFrame:
        """`clock` is written as it is: digits, colons and points."""
        self._next = (self._next + 1) % FRAMES
        frame = self._frames[self._next]
        _put(frame, 0, self._cells(number))
        _put(frame, self.height // 3, _text(clock, self.width, _scale(self.height)))
        _put(frame, self.height * 3 // 4, self._bar(number))
        return frame

    def no_picture(self) -> av.VideoFrame:
        """What is shown while the camera is gone; has no number."""
        frame = self._blank()
        _put(frame, self.height // 3, _text("NO PICTURE", self.width, _scale(self.height)))
        return frame

    def _blank(self) -> av.VideoFrame:
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        _put(frame, 0, _background(self.width, self.height))
        for plane, data in zip(frame.planes[1:], _colours(self.width, self.height), strict=True):
            _write(plane, 0, data)
        return frame

    def _cells(self, number: int) -> bytes:
        cell, height = self.width // COLUMNS, self.height // BAND
        shades = [bytes((WHITE if bit == "1" else BLACK,)) * cell for bit in f"{_coded(number):048b}"]
        rows = (b"".join(shades[at : at + COLUMNS]) * height for at in range(0, COLUMNS * ROWS, COLUMNS))
        return b"".join(rows)

    def _bar(self, number: int) -> bytes:
        """A block that goes across the picture in 60 frames."""
        block = self.width // 16
        left = (self.width - block) * (number % 60) // 59
        line = bytes((GREY,)) * left + bytes((WHITE,)) * block + bytes((GREY,)) * (self.width - block - left)
        return line * (self.height // 12)


def read(frame: av.VideoFrame) -> int | None:
    """The number on a card, however it was scaled; None when there is none."""
    if not frame.format.name.startswith(("yuv", "nv", "gray")):
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    luma, stride = memoryview(plane).cast("B"), plane.line_size
    value = 0
    for row in range(ROWS):
        middle = (2 * row + 1) * frame.height // (2 * BAND)
        for column in range(COLUMNS):
            at = middle * stride + (2 * column + 1) * frame.width // (2 * COLUMNS)
            value = value << 1 | (sum(luma[at - 1 : at + 2]) > 3 * THRESHOLD)
    number = value >> 16
    return number if _coded(number) == value else None


def _coded(number: int) -> int:
    return number << 16 | binascii.crc_hqx(number.to_bytes(4, "big"), _CRC_START)


def _put(frame: av.VideoFrame, row: int, lines: bytes) -> None:
    _write(frame.planes[0], row, lines)


def _write(plane: av.video.plane.VideoPlane, row: int, lines: bytes) -> None:
    """Whole lines, from `row` on."""
    room, width, stride = memoryview(plane).cast("B"), plane.width, plane.line_size
    if width == stride:
        room[row * width : row * width + len(lines)] = lines
        return
    for at in range(0, len(lines), width):
        start = (row + at // width) * stride
        room[start : start + width] = lines[at : at + width]


def _scale(height: int) -> int:
    """The size of a dot of the writing."""
    return max(1, height // 90)


def _background(width: int, height: int) -> bytes:
    """A grey that grows lighter to the right, with a checkerboard at the foot."""
    ramp = bytes(GREY - 40 + 80 * at // width for at in range(width))
    square = max(2, width // 32)
    tiles = bytes(BLACK if at // square % 2 else WHITE for at in range(width))
    foot = height - height // 8
    rows = (ramp if row < foot else (tiles if row // square % 2 else tiles[::-1]) for row in range(height))
    return b"".join(rows)


def _colours(width: int, height: int) -> tuple[bytes, bytes]:
    """U and V: grey where the cells and the clock are, bars of colour between the two."""
    columns, rows = width // 2, height // 2
    grey = bytes((128,)) * columns
    u = bytes(64 + 128 * (at * 8 // columns) // 8 for at in range(columns))
    bars = range(rows // 2 + rows // 16, rows * 3 // 4)
    return (
        b"".join(u if row in bars else grey for row in range(rows)),
        b"".join(u[::-1] if row in bars else grey for row in range(rows)),
    )


@cache
def _glyph(character: str, scale: int) -> tuple[bytes, ...]:
    rows = _FONT.get(character, _FONT[" "])
    dots = (bytes((BLACK,)) * scale, bytes((WHITE,)) * scale)
    return tuple(b"".join(dots[row >> bit & 1] for bit in (5, 4, 3, 2, 1, 0)) for row in rows)


def _text(text: str, width: int, scale: int) -> bytes:
    """Seven rows of dots across the whole width, the text in their middle."""
    glyphs = [_glyph(character, scale) for character in text]
    empty = bytes((BLACK,)) * width
    lines = []
    for row in range(7):
        line = b"".join(glyph[row] for glyph in glyphs).center(width, bytes((BLACK,)))[:width]
        lines.append(line * scale)
    return b"".join((empty * scale, *lines, empty * scale))
