"""QR codes (ISO/IEC 18004) of what a phone is to open; segno is loaded when the first is drawn."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segno import QRCode

QUIET = 4  # modules around it, ISO/IEC 18004 §6.3.8
SCALE = 8  # pixels a module
WHITE_ON_BLACK, RESET = "\x1b[97;40m", "\x1b[0m"  # ECMA-48 §8.3.117; the light modules are what is drawn


def text(content: str, colours: bool) -> str:
    """For a terminal, two modules a character; with `colours` it is dark on light whatever the terminal's own are."""
    drawn = io.StringIO()
    _code(content).terminal(drawn, border=QUIET // 2, compact=True)
    lines = drawn.getvalue().rstrip("\n").split("\n")
    return "\n".join(f"{WHITE_ON_BLACK}{line}{RESET}" if colours else line for line in lines)


def svg(content: str) -> str:
    """An SVG document without a size, so that it fills its place."""
    drawn = io.BytesIO()
    _code(content).save(drawn, kind="svg", border=QUIET, omitsize=True, light="white", xmldecl=False, nl=False)
    return drawn.getvalue().decode()


def png(content: str) -> bytes:
    """A picture to print or to show."""
    drawn = io.BytesIO()
    _code(content).save(drawn, kind="png", border=QUIET, scale=SCALE)
    return drawn.getvalue()


def _code(content: str) -> QRCode:
    import segno

    return segno.make(content, error="m", micro=False)
