"""Keys as buttons. A FIFO stands in for the input device: it speaks the kernel's bytes, and nothing else is faked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from meshdoor.node import keyboard
from meshdoor.node.keyboard import EV_KEY, EVENT, Keyboard
from meshdoor.settings.devices import KeyButton
from tests.patience import until

ENTER, SPACE = 28, 57
SYN, DOWN, UP, REPEAT = 0, 1, 0, 2


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "LOOK_AGAIN", 0.01)


class Pressed:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1

    def is_(self, count: int) -> bool:
        return self.count == count


class Device:
    """An input device that is plugged in."""

    def __init__(self, folder: Path, name: str = "event0") -> None:
        self.path = folder / name
        os.mkfifo(self.path)
        self._file = os.open(self.path, os.O_RDWR)

    def key(self, code: int, *values: int) -> None:
        for value in values:
            os.write(self._file, EVENT.pack(0, 0, EV_KEY, code, value) + EVENT.pack(0, 0, SYN, 0, 0))

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self._file)


@asynccontextmanager
async def listening(button: KeyButton, pressed: Pressed, folder: Path) -> AsyncIterator[None]:
    task = asyncio.create_task(Keyboard(button, pressed, folder).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_press_of_the_key_is_one_press(tmp_path: Path) -> None:
    device, pressed = Device(tmp_path), Pressed()
    async with listening(KeyButton("", ENTER), pressed, tmp_path):
        device.key(SPACE, DOWN, UP)
        device.key(ENTER, DOWN, REPEAT, REPEAT, UP)
        device.key(ENTER, DOWN, UP)
        await until(lambda: pressed.count == 2)
    device.unplug()


async def test_any_key_of_one_device(tmp_path: Path) -> None:
    device, other, pressed = Device(tmp_path), Device(tmp_path, "event1"), Pressed()
    async with listening(KeyButton(str(device.path)), pressed, tmp_path):
        other.key(ENTER, DOWN)
        device.key(SPACE, DOWN)
        device.key(ENTER, DOWN)
        await until(lambda: pressed.count == 2)
    device.unplug()
    other.unplug()


async def test_it_may_be_plugged_in_later_and_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pressed = Pressed()
    async with listening(KeyButton("", ENTER), pressed, tmp_path):
        await until(lambda: "cannot be read" in caplog.text)
        for count in (1, 2):
            device = Device(tmp_path)
            device.key(ENTER, DOWN)
            await until(partial(pressed.is_, count))
            device.unplug()
            await until(partial(_told_gone, caplog, count))


def _told_gone(caplog: pytest.LogCaptureFixture, count: int) -> bool:
    return caplog.text.count("event0 is gone") == count
