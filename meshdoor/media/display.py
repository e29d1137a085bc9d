"""Where pictures go to: the interface of displays, and those that need no hardware."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Protocol

import av

from meshdoor.errors import EngineError
from meshdoor.media import still
from meshdoor.media.background import Background

EVERY = 30  # pictures; ours
MAX_FILES = 600  # numbered pictures in all; ours
MAX_WAITING = 4  # pictures to be written; each is some 2 MB. Ours


class Display(Protocol):
    """Shows the pictures of legs. Each leg calls from a thread of its own: `show` any number of times, then `hide`."""

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        """Takes no longer than a picture lasts. The frame stays as it is."""
        ...

    def hide(self, leg: str) -> None:
        """No more pictures of this leg, for now."""
        ...


class NullDisplay:
    """Counts."""

    def __init__(self) -> None:
        self.shown = 0

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        self.shown += 1

    def hide(self, leg: str) -> None: ...


class PngDisplay:
    """Writes `LEG-NUMBER.png`: of each leg the first picture, then each so many, and at its end the last one as
    `LEG-last.png`."""

    def __init__(self, directory: Path, every: int = EVERY) -> None:
        self._directory = directory
        self._every = every
        self._files = 0
        self._shown: dict[str, tuple[int, av.VideoFrame]] = {}
        self._background = Background("display files", MAX_WAITING)
        self._lock = Lock()

    def show(self, leg: str, frame: av.VideoFrame) -> None:
        with self._lock:
            number = self._shown[leg][0] + 1 if leg in self._shown else 0
            self._shown[leg] = number, frame
            if number % self._every == 0 and self._files < MAX_FILES:
                self._files += 1
                self._write(frame, f"{_safe(leg)}-{number:06d}.png")

    def hide(self, leg: str) -> None:
        with self._lock:
            last = self._shown.pop(leg, None)
            if last is not None:
                self._write(last[1], f"{_safe(leg)}-last.png")
            if not self._shown:
                self._background.close()

    def _write(self, frame: av.VideoFrame, name: str) -> None:
        self._background.do(partial(still.write, frame, self._directory / name))


def _safe(leg: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", leg)[:64]


def named(text: str, out_dir: Path | None) -> Display | None:
    """What the settings call `null`, `none`, or `file`, which are PNG files in `out_dir`. `auto` comes here where there
    is no screen. Raises EngineError."""
    if text == "none":
        return None
    if text in ("null", "auto"):
        return NullDisplay()
    if text != "file" or out_dir is None:
        raise EngineError(f"there is no display {text!r}")
    return PngDisplay(out_dir)
