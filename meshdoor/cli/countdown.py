"""How long something is good for, counted down on the terminal while a verb waits."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from meshdoor.cli.output import tell

LINE_START = "\r\x1b[K"  # ECMA-48 §8.3.41: erase in line


class Countdown:
    """A context manager; one line on standard error. Where that is no terminal it is written once."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def until(self, unix: float) -> None:
        """Begin."""
        if not sys.stderr.isatty():
            tell(f"The code is good for {_left(unix)}.")
            return
        self._thread = threading.Thread(target=self._count, args=(unix,), daemon=True)
        self._thread.start()

    def _count(self, unix: float) -> None:
        while True:
            print(f"{LINE_START}The code is good for {_left(unix)}. ", end="", file=sys.stderr, flush=True)
            if self._stop.wait(1.0):
                return

    def __enter__(self) -> Countdown:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            print(LINE_START, end="", file=sys.stderr, flush=True)


def _left(unix: float) -> str:
    left = max(0, round(unix - time.time()))
    return f"{left // 60}:{left % 60:02}"
