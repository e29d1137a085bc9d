"""The window of the screen on the wall, and what is drawn in it: SDL on KMSDRM, Wayland or X11.

All of it belongs to the one thread that opened it, but for `nudge`.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Any, Final, NamedTuple

from meshdoor.errors import EngineError
from meshdoor.media import sdl

DRI: Final = Path("/dev/dri")
# These tell of events by themselves; all others (KMSDRM above all) have to be asked again and again.
WAITING: Final = frozenset({"x11", "wayland"})
ASK_EVERY: Final = 0.025  # s; ours

NAMED: Final = frozenset({"return", "escape", "backspace", "tab", "left", "right", "up", "down"})

Color = tuple[int, int, int, int]
Rectangle = tuple[int, int, int, int]  # left, top, width, height
OPAQUE: Final = 255


@dataclass(frozen=True, slots=True)
class Shape:
    """What window: over the whole screen unless a size is given, turned clockwise by so many degrees."""

    size: tuple[int, int] | None = None
    turned: int = 0


class Touched(NamedTuple):
    """A finger or the mouse: `down`, `moved` while it is down, or `up`."""

    what: str
    x: int
    y: int


class Typed(NamedTuple):
    """A key: the character that it types, or the name of one that types none."""

    key: str


class Exposed(NamedTuple):
    """What was drawn is gone, in part or (`lost`) with every texture; or the window has another size."""

    lost: bool


Input = Touched | Typed | Exposed


class Window:
    """Raises EngineError where there is no screen."""

    def __init__(self, shape: Shape) -> None:
        self._sdl = sdl.library()
        self._shape = shape
        self._window: Any = None
        self._renderer: Any = None
        self._target: Any = None
        self._nudge_type = 0
        self._repeats = False
        self._nudged = Condition()
        self._due = False
        sdl.begin(sdl.Part.VIDEO)
        try:
            self._open(shape)
        except EngineError:
            self.close()
            raise

    def _open(self, shape: Shape) -> None:
        library = self._sdl
        self.driver = (library.SDL_GetCurrentVideoDriver() or b"").decode()
        library.SDL_SetHint(b"SDL_RENDER_SCALE_QUALITY", b"linear")
        library.SDL_SetHint(b"SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR", b"0")
        if not DRI.exists():  # OpenGL would be emulated: slower than SDL's own, and larger
            library.SDL_SetHint(b"SDL_RENDER_DRIVER", b"software")
            library.SDL_SetHint(b"SDL_FRAMEBUFFER_ACCELERATION", b"0")
        width, height = shape.size or (800, 480)
        flags = library.SDL_WINDOW_ALLOW_HIGHDPI
        if shape.size is None:
            flags |= library.SDL_WINDOW_FULLSCREEN_DESKTOP
        centre = library.SDL_WINDOWPOS_CENTERED
        self._window = library.SDL_CreateWindow(b"Meshdoor", centre, centre, width, height, flags)
        if not self._window:
            raise sdl.failed("there is no window")
        vsync = library.SDL_RENDERER_PRESENTVSYNC
        self._renderer = library.SDL_CreateRenderer(self._window, -1, vsync)
        if not self._renderer:
            self._renderer = library.SDL_CreateRenderer(self._window, -1, library.SDL_RENDERER_SOFTWARE)
        if not self._renderer:
            raise sdl.failed("nothing can be drawn")
        library.SDL_SetRenderDrawBlendMode(self._renderer, library.SDL_BLENDMODE_BLEND)
        self._nudge_type = library.SDL_RegisterEvents(1)
        if shape.size is None:
            library.SDL_ShowCursor(library.SDL_DISABLE)
        self.fit()

    @property
    def size(self) -> tuple[int, int]:
        """In pixels, as they are seen."""
        return self._size

    @property
    def renderer(self) -> Any:
        return self._renderer

    @property
    def handle(self) -> Any:
        return self._window

    def fit(self) -> None:
        """The window may have another size now."""
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetRendererOutputSize(self._renderer, ctypes.byref(width), ctypes.byref(height))
        self._output = width.value, height.value
        self._size = self._output[::-1] if self._shape.turned in (90, 270) else self._output
        self._forget_target()
        if self._shape.turned:
            access, pixels = self._sdl.SDL_TEXTUREACCESS_TARGET, self._sdl.SDL_PIXELFORMAT_ARGB8888
            self._target = self._sdl.SDL_CreateTexture(self._renderer, pixels, access, *self._size)
            if not self._target:
                raise sdl.failed("the picture cannot be turned")

    def begin(self, color: Color = (0, 0, 0, OPAQUE)) -> None:
        """A new picture, all of one colour."""
        if self._target is not None:
            self._sdl.SDL_SetRenderTarget(self._renderer, self._target)
        self._sdl.SDL_SetRenderDrawColor(self._renderer, *color)
        self._sdl.SDL_RenderClear(self._renderer)

    def fill(self, box: Rectangle, color: Color) -> None:
        if box[2] <= 0 or box[3] <= 0:
            return
        self._sdl.SDL_SetRenderDrawColor(self._renderer, *color)
        self._sdl.SDL_RenderFillRect(self._renderer, ctypes.byref(self._sdl.SDL_Rect(*box)))

    def copy(self, texture: Any, box: Rectangle, part: Rectangle | None = None) -> None:
        """A texture, or a part of it, into the box."""
        source = None if part is None else ctypes.byref(self._sdl.SDL_Rect(*part))
        self._sdl.SDL_RenderCopy(self._renderer, texture, source, ctypes.byref(self._sdl.SDL_Rect(*box)))

    def present(self) -> None:
        """What was drawn is seen."""
        if self._target is not None:
            self._sdl.SDL_SetRenderTarget(self._renderer, None)
            (out_w, out_h), (w, h) = self._output, self._size
            box = self._sdl.SDL_Rect((out_w - w) // 2, (out_h - h) // 2, w, h)
            where = ctypes.byref(box)
            turned = self._shape.turned
            self._sdl.SDL_RenderCopyEx(self._renderer, self._target, None, where, turned, None, 0)
        self._sdl.SDL_RenderPresent(self._renderer)

    def pixels(self) -> bytes:
        """What was drawn and not yet presented, as BGRA."""
        width, height = self._size
        data = ctypes.create_string_buffer(4 * width * height)
        pixels = self._sdl.SDL_PIXELFORMAT_ARGB8888
        read = self._sdl.SDL_RenderReadPixels(self._renderer, None, pixels, data, 4 * width)
        sdl.check(read, "the screen cannot be read")
        return data.raw

    def wait(self, seconds: float | None) -> Iterable[Input]:
        """What comes, after so many seconds at most or a nudge; None is for ever."""
        event = self._sdl.SDL_Event()
        if self.driver in WAITING:
            some = self._sdl.SDL_WaitEventTimeout(ctypes.byref(event), -1 if seconds is None else _ms(seconds))
        else:
            some = self._ask(event, seconds)
        while some:
            if (read := self._read(event)) is not None:
                yield read
            some = self._sdl.SDL_PollEvent(ctypes.byref(event))

    def _ask(self, event: Any, seconds: float | None) -> int:
        until = None if seconds is None else time.monotonic() + seconds
        while not self._sdl.SDL_PollEvent(ctypes.byref(event)):
            left = ASK_EVERY if until is None else min(ASK_EVERY, until - time.monotonic())
            if left <= 0:
                return 0
            with self._nudged:
                if self._due or self._nudged.wait(left):
                    self._due = False
                    return int(self._sdl.SDL_PollEvent(ctypes.byref(event)))
        return 1

    def nudge(self) -> None:
        """End `wait`; from any thread."""
        if self.driver in WAITING:
            event = self._sdl.SDL_Event()
            event.type = self._nudge_type
            self._sdl.SDL_PushEvent(ctypes.byref(event))
            return
        with self._nudged:
            self._due = True
            self._nudged.notify()

    def close(self) -> None:
        self._forget_target()
        if self._renderer:
            self._sdl.SDL_DestroyRenderer(self._renderer)
        if self._window:
            self._sdl.SDL_DestroyWindow(self._window)
        self._renderer = self._window = None
        sdl.end(sdl.Part.VIDEO)

    def _forget_target(self) -> None:
        if self._target:
            self._sdl.SDL_DestroyTexture(self._target)
        self._target = None

    def _read(self, event: Any) -> Input | None:
        library = self._sdl
        readers: dict[int, Callable[[Any], Input | None]] = {
            library.SDL_MOUSEBUTTONDOWN: lambda e: self._touched("down", e.button),
            library.SDL_MOUSEBUTTONUP: lambda e: self._touched("up", e.button),
            library.SDL_MOUSEMOTION: lambda e: self._touched("moved", e.motion) if e.motion.state else None,
            library.SDL_KEYDOWN: self._key_down,
            library.SDL_TEXTINPUT: lambda e: None if self._repeats else Typed(e.text.text.decode(errors="replace")),
            library.SDL_WINDOWEVENT: self._window_event,
            library.SDL_RENDER_TARGETS_RESET: lambda e: Exposed(lost=True),
            library.SDL_RENDER_DEVICE_RESET: lambda e: Exposed(lost=True),
        }
        reader = readers.get(event.type)
        return None if reader is None else reader(event)

    def _touched(self, what: str, where: Any) -> Touched:
        x, y = self._seen_at(where.x, where.y)
        return Touched(what, x, y)

    def _key_down(self, event: Any) -> Typed | None:
        """What types something comes as text after this; one that is held types it once."""
        self._repeats = bool(event.key.repeat)
        name = self._sdl.SDL_GetKeyName(event.key.keysym.sym).decode(errors="replace").lower()
        name = {"keypad enter": "return"}.get(name, name)
        return Typed(name) if name in NAMED and (name == "backspace" or not self._repeats) else None

    def _seen_at(self, x: int, y: int) -> tuple[int, int]:
        """Where a point of the window is in what is seen; a window may be in other units than pixels."""
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetWindowSize(self._window, ctypes.byref(width), ctypes.byref(height))
        (out_w, out_h), (w, h) = self._output, self._size
        x, y = x * out_w // max(1, width.value), y * out_h // max(1, height.value)
        return {90: (y, h - 1 - x), 180: (w - 1 - x, h - 1 - y), 270: (w - 1 - y, x)}.get(self._shape.turned, (x, y))

    def _window_event(self, event: Any) -> Exposed | None:
        library = self._sdl
        kind = event.window.event
        if kind in (library.SDL_WINDOWEVENT_EXPOSED, library.SDL_WINDOWEVENT_SIZE_CHANGED):
            return Exposed(lost=False)
        return None


def _ms(seconds: float) -> int:
    return max(0, min(round(seconds * 1000 + 0.499), 0x7FFFFFFF))
