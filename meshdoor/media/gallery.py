"""The pictures that a scene names: what legs show now, files, and QR codes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple

import av
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter

from meshdoor.media.background import Background
from meshdoor.media.textures import PLANAR, Texture, Textures, fill
from meshdoor.wall.scene import Box, Picture

QUIET: Final = 4  # modules around a QR code, ISO/IEC 18004 §6.3.8
MAX_LOADED: Final = 32  # pictures of files that wait to become textures; ours
REMEMBERED: Final = 600  # latencies

Rectangle = tuple[int, int, int, int]


class Drawable(NamedTuple):
    """A texture, and where it goes: `part` of it into `box`."""

    texture: Texture
    part: Rectangle
    box: Rectangle


class _Live(NamedTuple):
    frame: av.VideoFrame
    came: float
    number: int


class Live:
    """The last picture of each leg. It is given from the threads of the decoders; `nudge` says that there is one."""

    def __init__(self, nudge: Callable[[], None]) -> None:
        self.latencies: deque[float] = deque(maxlen=REMEMBERED)  # s from `show` until it was seen
        self._nudge = nudge
        self._lock = Lock()
        self._frames: dict[str, _Live] = {}
        self._count = 0
        self._waiting: dict[int, float] = {}

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        with self._lock:
            self._count += 1
            self._frames[leg] = _Live(frame, time.monotonic(), self._count)
        self._nudge()

    def hide(self, leg: str) -> None:
        with self._lock:
            self._frames.pop(leg, None)
        self._nudge()

    def get(self, leg: str) -> _Live | None:
        with self._lock:
            return self._frames.get(leg)

    def drawn(self, live: _Live) -> None:
        """It is in the picture that is presented next."""
        self._waiting[live.number] = live.came

    def presented(self, now: float) -> None:
        self.latencies.extend(now - came for came in self._waiting.values())
        self._waiting.clear()


class Gallery:
    """Belongs to the thread of the renderer, but for what `live` says."""

    def __init__(self, textures: Textures, live: Live, nudge: Callable[[], None]) -> None:
        self._textures = textures
        self._live = live
        self._nudge = nudge
        self._filled: dict[str, int] = {}  # by leg: the number of the picture that its texture holds
        self._loader = Background("pictures of the wall")
        self._asked: set[tuple[str, Box, bool]] = set()
        self._loaded: dict[tuple[str, Box, bool], tuple[bytes, int, int] | None] = {}
        self._reformatter = VideoReformatter()

    def find(self, picture: Picture) -> Drawable | None:
        """None while there is nothing to show."""
        kind, _, what = picture.source.partition(":")
        if kind == "leg":
            return self._of_leg(what, picture)
        if kind == "file":
            return self._of_file(what, picture)
        if kind == "qr":
            return self._of_code(what, picture)
        return None

    @property
    def waits(self) -> bool:
        """Is a file being read?"""
        return not self._asked <= self._loaded.keys()

    def clear(self) -> None:
        """The textures are lost, or the pictures are no longer wanted."""
        self._filled.clear()
        self._asked.clear()
        self._loaded.clear()

    def close(self) -> None:
        self._loader.close()

    def _of_leg(self, leg: str, picture: Picture) -> Drawable | None:
        live = self._live.get(leg)
        if live is None:
            self._textures.forget(("leg", leg))
            self._filled.pop(leg, None)
            return None
        frame = live.frame
        texture = self._textures.live(("leg", leg), frame.width, frame.height)
        if self._filled.get(leg) != live.number:
            planar = frame if frame.format.name in PLANAR else self._reformatter.reformat(frame, format="yuv420p")
            fill(texture, planar)
            self._filled[leg] = live.number
            self._live.drawn(live)
        return placed(texture, picture.box, cover=picture.cover)

    def _of_file(self, path: str, picture: Picture) -> Drawable | None:
        key = path, picture.box._replace(x=0, y=0), picture.cover
        if key not in self._asked:
            if len(self._loaded) < MAX_LOADED and self._loader.do(partial(self._load, key)):
                self._asked.add(key)
            return None
        if key not in self._loaded:
            return None
        loaded = self._loaded[key]
        if loaded is None:
            return None
        texture = self._textures.get(("file", key), lambda: self._textures.of_pixels(*loaded))
        return None if texture is None else placed(texture, picture.box, cover=picture.cover)

    def _load(self, key: tuple[str, Box, bool]) -> None:
        """In the thread of the loader."""
        path, box, cover = key
        self._loaded[key] = read(path, box, cover=cover)
        self._nudge()

    def _of_code(self, text: str, picture: Picture) -> Drawable | None:
        side = min(picture.box.w, picture.box.h)
        texture = self._textures.get(("qr", text, side), lambda: self._code(text, side))
        if texture is None:
            return None
        left = picture.box.x + (picture.box.w - texture.width) // 2
        top = picture.box.y + (picture.box.h - texture.height) // 2
        whole = 0, 0, texture.width, texture.height
        return Drawable(texture, whole, (left, top, texture.width, texture.height))

    def _code(self, text: str, side: int) -> Texture | None:
        import segno  # loaded with the first code

        code = segno.make(text, error="m", micro=False)
        modules = int(code.symbol_size(border=QUIET)[0])
        scale = int(side // modules)
        if scale < 1:
            return None
        rows = [
            b"".join(b"\x00\x00\x00\xff" if dark else b"\xff\xff\xff\xff" for dark in row)
            for row in code.matrix_iter(scale=scale, border=QUIET)
        ]
        return self._textures.of_pixels(b"".join(rows), modules * scale, modules * scale)


def placed(texture: Texture, box: Box, *, cover: bool) -> Drawable:
    """The texture in its own shape: whole and in the middle of the box, or covering it."""
    wide, high = texture.width * box.h, texture.height * box.w
    if cover:  # what is too much is cut off
        width = min(texture.width, round(texture.height * box.w / box.h))
        height = min(texture.height, round(texture.width * box.h / box.w))
        part = (texture.width - width) // 2, (texture.height - height) // 2, width, height
        return Drawable(texture, part, (box.x, box.y, box.w, box.h))
    width, height = (box.w, round(high / texture.width)) if wide > high else (round(wide / texture.height), box.h)
    left, top = box.x + (box.w - width) // 2, box.y + (box.h - height) // 2
    return Drawable(texture, (0, 0, texture.width, texture.height), (left, top, width, height))


def read(path: str, box: Box, *, cover: bool) -> tuple[bytes, int, int] | None:
    """A picture in BGRA, as large as it is drawn, with its width and height; None where there is none."""
    try:
        with av.open(path) as file:
            frame = next(file.decode(video=0))
    except (FFmpegError, StopIteration, IndexError, ValueError, OSError):
        return None
    assert isinstance(frame, av.VideoFrame)
    fits = (max if cover else min)(box.w / frame.width, box.h / frame.height)
    width, height = max(2, round(frame.width * fits)), max(2, round(frame.height * fits))
    scaled: Any = VideoReformatter().reformat(frame, width, height, "bgra", interpolation=Interpolation.AREA)
    plane = scaled.planes[0]
    rows = memoryview(plane)
    return b"".join(rows[n * plane.line_size :][: 4 * width] for n in range(height)), width, height
