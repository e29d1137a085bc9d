"""Files that a thread writes: waiting for them, and reading them beside the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

TIMEOUT = 5.0

R = TypeVar("R")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


async def in_thread(function: Callable[..., R], *arguments: object) -> R:
    """Like `asyncio.to_thread`, but the thread has ended when it returns."""
    with ThreadPoolExecutor(1) as executor:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
