"""How long a test waits for what should come at once.

Only a test that fails waits so long, so that a busy machine fails none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds
POLL = 0.002  # seconds


async def until(true: Callable[[], object]) -> None:
    """Wait until that is so: what happens in other threads and processes tells nobody. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(POLL)


def wait_for(true: Callable[[], object]) -> None:
    """The same where there is no loop."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL)
