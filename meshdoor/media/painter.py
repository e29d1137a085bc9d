"""Draws scenes in a window."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any, Final

from meshdoor.media import masks, page_files, sdl
from meshdoor.media.gallery import Drawable, Gallery, Live
from meshdoor.media.lettering import Lettering
from meshdoor.media.textures import Texture, Textures
from meshdoor.media.window import Window
from meshdoor.wall import icons
from meshdoor.wall.layout import line_height
from meshdoor.wall.scene import Align, Box, Color, Icon, Item, Picture, Rect, Scene, Text

MAX_TEXT: Final = 6_000_000  # pixels of letters, icons and corners that are kept: 24 MB; ours
MAX_PICTURES: Final = 8_000_000  # pixels of pictures: 32 MB, some 1.5 for each live one of 1280x720; ours
CHORDS: Final = 8  # of a round corner
BLACK: Final = Color(0, 0, 0)


class Painter:
    """Belongs to the thread of the window. `nudge` is called when a picture came that was missing."""

    def __init__(self, window: Window, lettering: Lettering, live: Live, nudge: Callable[[], None]) -> None:
        self._window = window
        self._lettering = lettering
        self._live = live
        self._small = Textures(window.renderer, MAX_TEXT)
        self._large = Textures(window.renderer, MAX_PICTURES)
        self._gallery = Gallery(self._large, live, nudge)
        self._painters: dict[type, Callable[[Any], None]] = {
            Rect: self._rect,
            Text: self._text,
            Picture: self._picture,
            Icon: self._icon,
        }

    def draw(self, scene: Scene, dim: int = 0) -> None:
        """Not yet seen. `dim`: how much darker than it is, 0 to 255."""
        self._window.begin(BLACK)
        for item in scene.items:
            self._draw(item)
        if dim:
            self._window.fill((0, 0, *self._window.size), BLACK._replace(a=dim))

    @property
    def waits(self) -> bool:
        """Will there be a picture soon that is missing now?"""
        return self._gallery.waits

    def presented(self, now: float) -> None:
        """What was drawn is seen now."""
        self._live.presented(now)

    def clear(self) -> None:
        """Forget every texture: the renderer has."""
        self._small.clear()
        self._large.clear()
        self._gallery.clear()

    def close(self) -> None:
        self._gallery.close()
        self.clear()

    def _draw(self, item: Item) -> None:
        self._painters[type(item)](item)

    def _rect(self, rect: Rect) -> None:
        box, color = rect.box, rect.color
        radius = min(rect.radius, box.w // 2, box.h // 2)
        if radius <= 0:
            self._window.fill(box, color)
            return
        disc = self._small.get(("disc", radius), lambda: self._disc(radius))
        assert disc is not None
        _tint(disc, color)
        right, bottom = box.right - radius, box.bottom - radius
        for x, left in ((box.x, 0), (right, radius)):
            for y, top in ((box.y, 0), (bottom, radius)):
                self._window.copy(disc.handle, (x, y, radius, radius), (left, top, radius, radius))
        self._window.fill((box.x + radius, box.y, box.w - 2 * radius, box.h), color)
        self._window.fill((box.x, box.y + radius, radius, box.h - 2 * radius), color)
        self._window.fill((right, box.y + radius, radius, box.h - 2 * radius), color)

    def _disc(self, radius: int) -> Texture:
        return self._small.of_mask(masks.disc(radius), 2 * radius, 2 * radius)

    def _text(self, text: Text) -> None:
        high = line_height(text.size)
        top = text.box.y + (text.box.h - high * len(text.lines)) // 2
        for line in text.lines:
            self._line(text, line, top + high // 2)
            top += high

    def _line(self, text: Text, line: str, middle: int) -> None:
        key = line, text.size, str(text.weight)
        drawn = self._small.get(key, lambda: self._letters(*key))
        if drawn is None:
            return
        _tint(drawn, text.color)
        box = text.box
        room = box.w - drawn.width
        left = box.x + {Align.LEFT: 0, Align.CENTER: room // 2, Align.RIGHT: room}[text.align]
        self._window.copy(drawn.handle, (left, middle - drawn.height // 2, drawn.width, drawn.height))

    def _letters(self, line: str, size: int, weight: str) -> Texture | None:
        surface = self._lettering.draw(line, size, weight)
        return None if surface is None else self._small.of_surface(surface)

    def _icon(self, icon: Icon) -> None:
        size = min(icon.box.w, icon.box.h)
        drawn = self._small.get(("icon", icon.name, size), lambda: self._symbol(icon.name, size))
        if drawn is None:
            return
        _tint(drawn, icon.color)
        left, top = icon.box.x + (icon.box.w - size) // 2, icon.box.y + (icon.box.h - size) // 2
        self._window.copy(drawn.handle, (left, top, size, size))

    def _symbol(self, name: str, size: int) -> Texture | None:
        path = page_files.drawings().get(name)
        return None if path is None else self._small.of_mask(icons.mask(path, size), size, size)

    def _picture(self, picture: Picture) -> None:
        found = self._gallery.find(picture)
        if found is None:
            return
        radius = min(picture.radius, found.box[2] // 2, found.box[3] // 2)
        if radius > 0:
            self._rounded(found, radius)
        else:
            self._window.copy(found.texture.handle, found.box, found.part)

    def _rounded(self, found: Drawable, radius: int) -> None:
        """A fan of triangles around the middle."""
        library = sdl.library()
        corners = rounded(Box(*found.box), radius)
        points = [(found.box[0] + found.box[2] / 2, found.box[1] + found.box[3] / 2), *corners]
        vertices = (library.SDL_Vertex * len(points))()
        white = library.SDL_Color(255, 255, 255, 255)
        for vertex, (x, y) in zip(vertices, points, strict=True):
            vertex.position = library.SDL_FPoint(x, y)
            vertex.color = white
            vertex.tex_coord = library.SDL_FPoint(*_seen(found, x, y))
        fan = [n for each in range(len(corners)) for n in (0, each + 1, (each + 1) % len(corners) + 1)]
        indices = (ctypes.c_int * len(fan))(*fan)
        geometry = library.SDL_RenderGeometry
        drawn = geometry(self._window.renderer, found.texture.handle, vertices, len(vertices), indices, len(fan))
        sdl.check(drawn, "a picture cannot be drawn")


def rounded(box: Box, radius: int) -> list[tuple[float, float]]:
    """The outline of a box with round corners, clockwise."""
    centres = (
        (box.right - radius, box.y + radius, -90),
        (box.right - radius, box.bottom - radius, 0),
        (box.x + radius, box.bottom - radius, 90),
        (box.x + radius, box.y + radius, 180),
    )
    return [
        (x + radius * math.cos(angle), y + radius * math.sin(angle))
        for x, y, begin in centres
        for angle in (math.radians(begin + 90 * n / CHORDS) for n in range(CHORDS + 1))
    ]


def _seen(found: Drawable, x: float, y: float) -> tuple[float, float]:
    """Which point of the texture, 0 to 1, goes to a point of its box."""
    (left, top, width, height), (u, v, part_w, part_h) = found.box, found.part
    texture = found.texture
    return (u + (x - left) / width * part_w) / texture.width, (v + (y - top) / height * part_h) / texture.height


def _tint(texture: Texture, color: Color) -> None:
    library = sdl.library()
    library.SDL_SetTextureColorMod(texture.handle, *color[:3])
    library.SDL_SetTextureAlphaMod(texture.handle, color.a)
