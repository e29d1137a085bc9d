"""Pictures in the memory of the renderer: kept while they are drawn, and forgotten when others need their place."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import av

from meshdoor.errors import EngineError
from meshdoor.media import sdl

# What FFmpeg calls the matrix and the range of colours (libavutil/pixfmt.h).
BT709, FULL_RANGE = 1, 2
JPEG, LIMITED_601, LIMITED_709 = 0, 1, 2  # SDL_YUV_CONVERSION_MODE
PLANAR = frozenset({"yuv420p", "yuvj420p"})


class Texture(NamedTuple):
    handle: Any
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


class Textures:
    """At most so many pixels, what was used longest ago goes first. Belongs to the thread of its renderer."""

    def __init__(self, renderer: Any, most: int) -> None:
        self._renderer = renderer
        self._most = most
        self._kept: OrderedDict[Hashable, Texture | None] = OrderedDict()
        self._pixels = 0

    def get(self, key: Hashable, make: Callable[[], Texture | None]) -> Texture | None:
        """The texture of this key, made if it is not there; None is kept, too."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = self._kept[key] = make()
        self._pixels += 0 if made is None else made.pixels
        while self._pixels > self._most and len(self._kept) > 1:
            self.forget(next(iter(self._kept)))
        return made

    def forget(self, key: Hashable) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._pixels -= gone.pixels
            sdl.library().SDL_DestroyTexture(gone.handle)

    def clear(self) -> None:
        for key in tuple(self._kept):
            self.forget(key)

    def of_mask(self, mask: bytes, width: int, height: int) -> Texture:
        """White where the mask says so."""
        white = bytearray(b"\xff" * (4 * width * height))
        white[3::4] = mask
        return self.of_pixels(bytes(white), width, height)

    def of_pixels(self, pixels: bytes, width: int, height: int) -> Texture:
        """Of BGRA."""
        library = sdl.library()
        made = self._made(library.SDL_PIXELFORMAT_ARGB8888, library.SDL_TEXTUREACCESS_STATIC, width, height)
        library.SDL_UpdateTexture(made.handle, None, pixels, 4 * width)
        return made

    def of_surface(self, surface: Any) -> Texture | None:
        """The surface is used up."""
        library = sdl.library()
        width, height = surface.contents.w, surface.contents.h
        handle = library.SDL_CreateTextureFromSurface(self._renderer, surface)
        library.SDL_FreeSurface(surface)
        return Texture(handle, width, height) if handle else None

    def live(self, key: Hashable, width: int, height: int) -> Texture:
        """For pictures of this size that follow each other. Raises EngineError."""
        library = sdl.library()
        kept = self._kept.get(key)
        if kept is not None and (kept.width, kept.height) != (width, height):
            self.forget(key)
        streaming = library.SDL_TEXTUREACCESS_STREAMING
        made = self.get(key, lambda: self._made(library.SDL_PIXELFORMAT_IYUV, streaming, width, height))
        assert made is not None
        return made

    def _made(self, pixels: int, access: int, width: int, height: int) -> Texture:
        library = sdl.library()
        handle = library.SDL_CreateTexture(self._renderer, pixels, access, width, height)
        if not handle:
            raise sdl.failed("a picture cannot be drawn")
        library.SDL_SetTextureBlendMode(handle, library.SDL_BLENDMODE_BLEND)
        return Texture(handle, width, height)


def fill(texture: Texture, frame: av.VideoFrame) -> None:
    """With the pixels of a planar frame of its size, in the frame's own colours. Raises EngineError."""
    library = sdl.library()
    if frame.format.name not in PLANAR:
        raise EngineError(f"a picture in {frame.format.name}")
    full = frame.format.name == "yuvj420p" or frame.color_range == FULL_RANGE
    limited = LIMITED_709 if frame.colorspace == BT709 else LIMITED_601
    library.SDL_SetYUVConversionMode(JPEG if full else limited)
    planes = []
    for plane in frame.planes:
        planes += [ctypes.cast(plane.buffer_ptr, ctypes.POINTER(ctypes.c_ubyte)), plane.line_size]
    sdl.check(library.SDL_UpdateYUVTexture(texture.handle, None, *planes), "a picture cannot be drawn")
