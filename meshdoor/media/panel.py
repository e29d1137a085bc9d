"""The panel behind the window: switched off and on, brighter and darker, by whatever way there is.

A backlight of the kernel (the panels that hang on a Pi's own connector), DPMS of an X server, or `wlopm` of a Wayland
compositor. Where there is none of them, a dark display is a black one.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

log = logging.getLogger(__name__)

BACKLIGHTS: Final = Path("/sys/class/backlight")
BLANK, UNBLANK = 4, 0  # linux/fb.h: FB_BLANK_POWERDOWN, FB_BLANK_UNBLANK
DPMS_ON, DPMS_OFF = 0, 3  # X11/extensions/dpmsconst.h
PATIENCE: Final = 2.0  # s for a program to switch it; ours
DARKEST: Final = 0.1  # of the backlight: one can still find the setting


class Panel(Protocol):
    """What it cannot do it says so by False; then the window does what it can."""

    def power(self, on: bool) -> bool:
        """Switch it on or off."""
        ...

    def brightness(self, share: float) -> bool:
        """0 to 1."""
        ...

    def close(self) -> None:
        """Leaves it switched on."""
        ...


class NoPanel:
    def power(self, on: bool) -> bool:
        return False

    def brightness(self, share: float) -> bool:
        return False

    def close(self) -> None: ...


class Backlight(NoPanel):
    """One of the kernel."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def power(self, on: bool) -> bool:
        return self._write("bl_power", UNBLANK if on else BLANK)

    def brightness(self, share: float) -> bool:
        try:
            most = int((self._folder / "max_brightness").read_text())
        except (OSError, ValueError):
            return False
        return self._write("brightness", max(1, round(most * max(DARKEST, share))))

    def close(self) -> None:
        self.power(True)

    def _write(self, name: str, value: int) -> bool:
        try:
            (self._folder / name).write_text(str(value))
        except OSError as error:
            log.warning("the backlight stays as it is: %s: %s", self._folder / name, error.strerror)
            return False
        return True


class XPanel(NoPanel):
    """DPMS of the X server, over a connection of its own."""

    def __init__(self, x11: Any, xext: Any, display: Any) -> None:
        self._x11, self._xext, self._display = x11, xext, display
        xext.DPMSSetTimeouts(display, 0, 0, 0)  # only we switch it

    def power(self, on: bool) -> bool:
        self._xext.DPMSEnable(self._display)
        switched = self._xext.DPMSForceLevel(self._display, DPMS_ON if on else DPMS_OFF)
        self._x11.XSync(self._display, 0)
        return bool(switched)

    def close(self) -> None:
        self.power(True)
        self._x11.XCloseDisplay(self._display)

    @classmethod
    def open(cls) -> XPanel | None:
        """None where the X server has no DPMS."""
        try:
            x11, xext = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXext.so.6")
        except OSError:
            return None
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(None))
        if not display:
            return None
        first, errors = ctypes.c_int(), ctypes.c_int()
        has = xext.DPMSQueryExtension(display, ctypes.byref(first), ctypes.byref(errors))
        if has and xext.DPMSCapable(display):
            return cls(x11, xext, display)
        x11.XCloseDisplay(display)
        return None


class WaylandPanel(NoPanel):
    """Of a compositor that knows wlr-output-power-management."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def power(self, on: bool) -> bool:
        try:
            done = subprocess.run(
                [*self._command, "--on" if on else "--off", "*"], timeout=PATIENCE, capture_output=True, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def close(self) -> None:
        self.power(True)


def find(driver: str, backlights: Path | None = None) -> Panel:
    """That of a window over the whole screen, with this driver of SDL."""
    found = sorted((backlights or BACKLIGHTS).glob("*/bl_power"))
    if found and os.access(found[0], os.W_OK):
        return Backlight(found[0].parent)
    if driver == "x11":
        return XPanel.open() or NoPanel()
    if driver == "wayland" and (program := shutil.which("wlopm")):
        return WaylandPanel((program,))
    return NoPanel()
