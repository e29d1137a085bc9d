"""Waiting for files that a thread writes."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMEOUT = 5.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
