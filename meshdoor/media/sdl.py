"""SDL, which knows sound cards and the screen on the wall. This is the one place that imports it, and only when a
device asks for it.

A part of SDL is begun by each who uses it and ended as often; SDL counts. `VIDEO` and all that follows from it belong
to the one thread that began it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from enum import Enum
from functools import cache
from typing import Any

from meshdoor.errors import EngineError

_SYSTEM = "libSDL2-2.0.so.0"
_counting = threading.Lock()


class Part(Enum):
    """SDL_INIT_*."""

    AUDIO = 0x10
    VIDEO = 0x20


@cache
def library() -> Any:
    """The functions of SDL under their own names. Raises EngineError where there is none."""
    _prefer_the_system()
    try:
        import sdl2
    except (ImportError, OSError) as error:
        raise EngineError(f"no SDL ({error}): apt install libsdl2-2.0-0, pip install meshdoor[screen]") from None
    # The engine has its own idea of what a signal means.
    sdl2.SDL_SetHint(b"SDL_NO_SIGNAL_HANDLERS", b"1")
    sdl2.SDL_SetHint(b"SDL_APP_NAME", b"Meshdoor")
    return sdl2


@cache
def text_library() -> Any:
    """The functions of SDL_ttf under their own names. Raises EngineError where there is none."""
    library()
    try:
        from sdl2 import sdlttf
    except (ImportError, OSError) as error:
        raise EngineError(f"SDL_ttf is missing ({error}): apt install libsdl2-ttf-2.0-0") from None
    return sdlttf


def begin(part: Part) -> None:
    """Raises EngineError."""
    sdl = library()
    with _counting:
        check(sdl.SDL_InitSubSystem(part.value), f"SDL's {part.name.lower()} does not begin")


def end(part: Part) -> None:
    with _counting:
        library().SDL_QuitSubSystem(part.value)


def check(result: int, what: str) -> int:
    """What a function of SDL returned, unless it is negative. Raises EngineError, `what` with SDL's reason."""
    if result < 0:
        raise failed(what)
    return result


def failed(what: str) -> EngineError:
    """`what`, with the reason that SDL gave last in this thread."""
    reason = library().SDL_GetError().decode(errors="replace")
    return EngineError(f"{what}: {reason or 'no reason given'}")


def _prefer_the_system() -> None:
    """The SDL of the system knows its screens and sound servers; the one of the wheel is for where there is none."""
    try:
        ctypes.CDLL(_SYSTEM)
    except OSError:
        return
    os.environ.setdefault("PYSDL2_DLL_PATH", "system")
