"""The colours, which are those of the page of phones (style/base.css, style/call.css)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshdoor.wall.scene import Color

DAY_BEGINS: Final = 7  # o'clock: `auto` is light from then
DAY_ENDS: Final = 20


def rgb(text: str, alpha: int = 255) -> Color:
    """Of `#rrggbb`."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return Color(red, green, blue, alpha)


@dataclass(frozen=True, slots=True)
class Palette:
    """Names as in base.css."""

    paper: Color
    card: Color
    raised: Color
    ink: Color
    soft: Color
    line: Color
    accent: Color
    accent_deep: Color
    on_accent: Color
    tint: Color
    on_tint: Color
    bad: Color
    bad_tint: Color
    on_bad_tint: Color
    warm: Color
    on_warm: Color
    quiet: Color


LIGHT: Final = Palette(
    paper=rgb("#f6f4ef"),
    card=rgb("#ffffff"),
    raised=rgb("#ffffff"),
    ink=rgb("#1b1d1f"),
    soft=rgb("#5a5e64"),
    line=rgb("#e3dfd6"),
    accent=rgb("#0f6b5c"),
    accent_deep=rgb("#0b5448"),
    on_accent=rgb("#ffffff"),
    tint=rgb("#e0efea"),
    on_tint=rgb("#0b5448"),
    bad=rgb("#b3261e"),
    bad_tint=rgb("#fbe9e6"),
    on_bad_tint=rgb("#8a1a13"),
    warm=rgb("#f3ecdc"),
    on_warm=rgb("#5b4a1f"),
    quiet=rgb("#8b8f95"),
)

DARK: Final = Palette(
    paper=rgb("#121517"),
    card=rgb("#1b1f22"),
    raised=rgb("#242a2e"),
    ink=rgb("#edebe6"),
    soft=rgb("#a9aeb4"),
    line=rgb("#2b3135"),
    accent=rgb("#62cdb7"),
    accent_deep=rgb("#86dccb"),
    on_accent=rgb("#06241e"),
    tint=rgb("#18342e"),
    on_tint=rgb("#a3e6d7"),
    bad=rgb("#ff8e83"),
    bad_tint=rgb("#3a1f1d"),
    on_bad_tint=rgb("#ffb9b1"),
    warm=rgb("#2b271d"),
    on_warm=rgb("#e8d9ae"),
    quiet=rgb("#7d838a"),
)

# The layer of a call is dark in every theme, and what lies on the picture lets it through.
STAGE: Final = rgb("#0c0f11")
ON_STAGE: Final = rgb("#ffffff")
SOFT_ON_STAGE: Final = rgb("#e4e7e7")
TIME_ON_STAGE: Final = rgb("#b6e8dc")
DIM_ON_STAGE: Final = rgb("#aeb6b8")
VEIL: Final = rgb("#060809", 150)
GLASS: Final = rgb("#ffffff", 46)
PANEL: Final = rgb("#14181a", 220)
YES: Final = rgb("#1c9a6c")
NO: Final = rgb("#d23b30")
HOLDING: Final = rgb("#62cdb7")
WAITING: Final = rgb("#ffcf6b")
FREE_DOT: Final = rgb("#2aa36b")
BUSY_DOT: Final = rgb("#d88a1d")
NOTICE: Final = rgb("#262b2e", 240)
ON_NOTICE: Final = rgb("#f2f0eb")
GOOD_ON_NOTICE: Final = rgb("#8fdccb")
BAD_ON_NOTICE: Final = rgb("#ffa79d")
PRESSED: Final = rgb("#000000", 40)


def palette(theme: str, hour: int) -> Palette:
    """`auto` is light by day."""
    if theme == "auto":
        theme = "light" if DAY_BEGINS <= hour < DAY_ENDS else "dark"
    return DARK if theme == "dark" else LIGHT
