"""A screen that nobody sees: Xvfb, whose pixels are read from its own memory, and xdotool, which touches it."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import pytest

from meshdoor.media import still
from tests.patience import PATIENCE

POLL: Final = 0.02
SHOTS: Final = "MESHDOOR_SCREENSHOTS"  # names a directory for what the tests saw
TOOLS: Final = ("Xvfb", "xdotool")

needs_xvfb = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"{' or '.join(TOOLS)} is missing: apt install xvfb xdotool"
)


@dataclass(frozen=True)
class Pixels:
    """BGRA, as the screen has it."""

    width: int
    height: int
    data: bytes

    def at(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green, blue."""
        where = 4 * (y * self.width + x)
        blue, green, red = self.data[where : where + 3]
        return red, green, blue

    @property
    def colors(self) -> int:
        """How many there are."""
        return len(set(memoryview(self.data).cast("I")))

    def write(self, name: str) -> None:
        """As a picture for a person, where one is asked for."""
        folder = os.environ.get(SHOTS)
        if folder:
            frame = av.VideoFrame(self.width, self.height, "bgra")
            line = frame.planes[0].line_size
            rows = (self.data[4 * self.width * n :][: 4 * self.width] for n in range(self.height))
            frame.planes[0].update(b"".join(row.ljust(line, b"\0") for row in rows))
            Path(folder).mkdir(parents=True, exist_ok=True)
            still.write(frame, Path(folder) / f"{name}.png")


class Screen:
    """One Xvfb."""

    def __init__(self, display: str, memory: Path, size: tuple[int, int]) -> None:
        self.display = display
        self.size = size
        self._memory = memory

    @property
    def environment(self) -> Mapping[str, str]:
        """For a process that is to show something on it."""
        return {"DISPLAY": self.display, "SDL_VIDEODRIVER": "x11"}

    def pixels(self) -> Pixels:
        """As they are now: XWDFileHeader of X11/XWDFile.h, colours, then the picture."""
        with self._memory.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            header = struct.unpack(">25I", memory[:100])
            size, width, height, line, colors = header[0], header[4], header[5], header[12], header[19]
            begin = size + 12 * colors
            data = memory[begin : begin + line * height]
        assert line == 4 * width
        return Pixels(width, height, data)

    def until(self, true: Callable[[Pixels], bool]) -> Pixels:
        """What is seen, once that is so."""
        deadline = time.monotonic() + PATIENCE
        while not true(pixels := self.pixels()):
            assert time.monotonic() < deadline, "the screen does not show what it should"
            time.sleep(POLL)
        return pixels

    def still(self, seconds: float = 0.4) -> Pixels:
        """What is seen, once nothing has moved for a while."""
        deadline = time.monotonic() + PATIENCE
        seen, since = self.pixels(), time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, "the screen moves on and on"
            time.sleep(POLL)
            now = self.pixels()
            if now.data != seen.data:
                seen, since = now, time.monotonic()
        return seen

    def tap(self, x: int, y: int, hold: float = 0.0) -> None:
        words = ["mousemove", str(x), str(y), "mousedown", "1"]
        self.xdotool(*words, *(["sleep", str(hold)] if hold else []), "mouseup", "1")

    def type(self, text: str) -> None:
        self.xdotool("type", "--delay", "30", text)

    def key(self, name: str) -> None:
        self.xdotool("key", name)

    def xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=os.environ | {"DISPLAY": self.display}, check=True, timeout=PATIENCE)


@contextmanager
def xvfb(folder: Path, size: tuple[int, int] = (800, 480)) -> Iterator[Screen]:
    """While the block lasts."""
    read, write = os.pipe()
    width, height = size
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    process = subprocess.Popen(
        [*command, "-fbdir", str(folder), "-noreset"], pass_fds=(write,), stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        yield Screen(f":{number}", folder / "Xvfb_screen0", size)
    finally:
        process.terminate()
        process.wait(PATIENCE)
