"""Pins whose levels outlive the process that sets them, as those of a Pi do: files in a folder.

Run as a program with the folder as argument, this is a pin keeper on such pins. Levels that it sets are lines `TIME
LEVEL` of `out-GPIO`; levels that a test sets come as lines `GPIO LEVEL` through the FIFO `in`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from meshdoor.node.gpio import GpioPins
from meshdoor.node.keeper import keep
from tests.patience import until

POLL = 0.002  # seconds


class Wires:
    """The folder, as a test sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "in")
        self._in = os.open(folder / "in", os.O_RDWR)  # so that nobody waits to open it

    @property
    def command(self) -> tuple[str, ...]:
        """Of a keeper."""
        return sys.executable, __file__, str(self.folder)

    def drive(self, gpio: int, level: bool) -> None:
        os.write(self._in, f"{gpio} {int(level)}\n".encode())

    def changes(self, gpio: int) -> list[tuple[float, bool]]:
        """When the level of an output became another, and which; first the one that it began with."""
        found: list[tuple[float, bool]] = []
        with suppress(FileNotFoundError):
            for line in (self.folder / f"out-{gpio}").read_text().splitlines():
                at, level = line.split()
                if not found or found[-1][1] is not (level == "1"):
                    found.append((float(at), level == "1"))
        return found

    def is_on(self, gpio: int) -> bool:
        changes = self.changes(gpio)
        return bool(changes) and changes[-1][1]

    async def until(self, gpio: int, on: bool) -> None:
        """Wait until an output is at that level."""
        await until(lambda: self.is_on(gpio) is on)

    def close(self) -> None:
        os.close(self._in)


class _Pin(MockPin):
    factory: _Factory
    info: Any

    def _set_state(self, value: bool) -> None:
        super()._set_state(value)
        self.factory.write(self.info.name, bool(value))


class _Factory(MockFactory):
    def __init__(self, folder: Path) -> None:
        super().__init__(pin_class=_Pin)
        self.folder = folder
        threading.Thread(target=self._listen, daemon=True).start()

    def write(self, name: str, level: bool) -> None:
        file = os.open(self.folder / f"out-{name.removeprefix('GPIO')}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{time.monotonic():.6f} {int(level)}\n".encode())
        os.close(file)

    def _listen(self) -> None:
        with (self.folder / "in").open() as levels:
            for line in levels:
                gpio, level = line.split()
                pin = self.pin(int(gpio))
                if pin.function == "input":
                    (pin.drive_high if level == "1" else pin.drive_low)()


if __name__ == "__main__":
    sys.exit(keep(lambda: GpioPins(_Factory(Path(sys.argv[1])))))
