"""Files that a thread writes: waiting for them, and reading them beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


async def in_thread(function: Callable[..., R], *arguments: object) -> R:
    """Like `asyncio.to_thread`, but the thread has ended when it returns."""
    with ThreadPoolExecutor(1) as executor:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
