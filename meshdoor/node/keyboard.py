"""A button that is a key: of a keyboard, a numeric pad, a presenter or whatever else Linux has as an input device.

Read as the kernel gives it (Documentation/input/input.rst): `struct input_event` is two words of time, then type,
code and value.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from meshdoor.node import journal
from meshdoor.settings.devices import KeyButton

INPUTS: Final = Path("/dev/input")
EVENT: Final = struct.Struct("@llHHi")
EV_KEY: Final = 1
DOWN: Final = 1  # 0 is up, 2 repeats
EVIOCGRAB: Final = 0x40044590  # nobody else gets its keys: a bell button must not type into a console
LOOK_AGAIN: Final = 2.0  # seconds; it may be plugged in later
CHUNK: Final = 64  # events


class Keyboard:
    """Calls `pressed` for each press of the key."""

    def __init__(self, button: KeyButton, pressed: Callable[[], None], inputs: Path = INPUTS) -> None:
        self._button = button
        self._pressed = pressed
        self._inputs = inputs
        self._open: dict[str, int] = {}
        self._missing = False

    async def run(self) -> None:
        """Read every device that there is, until cancelled."""
        try:
            while True:
                for path, file in await asyncio.to_thread(self._find):
                    self._open[path] = file
                    asyncio.get_running_loop().add_reader(file, self._read, path, file)
                    journal.say("button", f"{path} is read")
                self._tell_missing()
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            for path in tuple(self._open):
                self._close(path)

    def _find(self) -> list[tuple[str, int]]:
        """Those that are not open yet, opened."""
        path = self._button.path
        paths = [path] if path else sorted(map(str, self._inputs.glob("event*")))
        found = []
        for each in paths:
            if each not in self._open:
                with suppress(OSError):
                    file = os.open(each, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                    found.append((each, file))
                    if path:
                        with suppress(OSError):
                            fcntl.ioctl(file, EVIOCGRAB, 1)
        return found

    def _read(self, path: str, file: int) -> None:
        try:
            data = os.read(file, CHUNK * EVENT.size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            journal.warn("button", f"{path} is gone")
            self._close(path)
        for at in range(0, len(data) - EVENT.size + 1, EVENT.size):
            _, _, kind, code, value = EVENT.unpack_from(data, at)
            if kind == EV_KEY and value == DOWN and self._button.key in (None, code):
                self._pressed()

    def _close(self, path: str) -> None:
        file = self._open.pop(path)
        asyncio.get_running_loop().remove_reader(file)
        os.close(file)

    def _tell_missing(self) -> None:
        missing = not self._open
        if missing and not self._missing:
            where = self._button.path or f"any device in {self._inputs}"
            journal.warn("button", f"{where} cannot be read: it is not there, or this user is not in the group input")
        self._missing = missing
