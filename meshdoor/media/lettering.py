"""Text for the screen on the wall: measured, and made into pictures of white letters that are coloured when drawn."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from typing import Any, Final

from meshdoor.errors import EngineError
from meshdoor.media import sdl
from meshdoor.media.fonts import Family

MAX_MEASURED: Final = 4096
MAX_FONTS: Final = 32  # sizes and weights that are open at once; ours
RULER: Final = 100  # pixels: the size in which text is measured. Without hinting across, all others are in proportion


class Lettering:
    """Belongs to one thread. Raises EngineError where text cannot be drawn."""

    def __init__(self, family: Family) -> None:
        self._ttf = sdl.text_library()
        self._family = family
        self._fonts: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._widths: OrderedDict[tuple[str, str], int] = OrderedDict()  # of text and weight, at the size of the ruler
        sdl.check(self._ttf.TTF_Init(), "no text can be drawn")

    def measure(self, text: str, size: int, weight: str) -> int:
        """How many pixels one line is wide, rounded up."""
        key = text, str(weight)
        if key in self._widths:
            self._widths.move_to_end(key)
        else:
            self._widths[key] = self._width(*key)
            if len(self._widths) > MAX_MEASURED:
                self._widths.popitem(last=False)
        return -(-self._widths[key] * size // RULER)

    def draw(self, text: str, size: int, weight: str) -> Any:
        """A surface with one line in white, to be freed by who asked for it; None for nothing to see."""
        white = sdl.library().SDL_Color(255, 255, 255, 255)
        return self._ttf.TTF_RenderUTF8_Blended(self._font_for(text, size, str(weight)), text.encode(), white) or None

    def close(self) -> None:
        for font in self._fonts.values():
            self._ttf.TTF_CloseFont(font)
        self._fonts.clear()
        self._ttf.TTF_Quit()

    def _width(self, text: str, weight: str) -> int:
        width = ctypes.c_int()
        self._ttf.TTF_SizeUTF8(self._font_for(text, RULER, weight), text.encode(), ctypes.byref(width), None)
        return width.value

    def _font_for(self, text: str, size: int, weight: str) -> Any:
        """The chosen font, unless it lacks a letter that another one has."""
        family = self._family
        chosen = {"bold": family.bold, "light": family.light}.get(weight, family.regular)
        font = self._font(str(chosen), size)
        if text.isascii() or not family.others or self._has_all(font, text):
            return font
        others = (self._font(str(other), size) for other in family.others)
        return next((other for other in others if self._has_all(other, text)), font)

    def _has_all(self, font: Any, text: str) -> bool:
        return all(self._ttf.TTF_GlyphIsProvided32(font, ord(letter)) for letter in text if not letter.isspace())

    def _font(self, file: str, size: int) -> Any:
        key = file, size
        if key in self._fonts:
            self._fonts.move_to_end(key)
            return self._fonts[key]
        font = self._ttf.TTF_OpenFont(file.encode(), size)
        if not font:
            raise EngineError(f"the font {file} cannot be read")
        self._ttf.TTF_SetFontHinting(font, self._ttf.TTF_HINTING_LIGHT_SUBPIXEL)
        self._fonts[key] = font
        if len(self._fonts) > MAX_FONTS:
            self._ttf.TTF_CloseFont(self._fonts.popitem(last=False)[1])
        return font
