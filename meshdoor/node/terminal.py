"""Asking a person at the terminal while the node runs."""

from __future__ import annotations

import asyncio
import os
import sys

FOREGROUND_POLL = 1.0  # seconds


async def typed_line() -> str | None:
    """A line from the terminal, without a thread that could not be stopped; None at the end of the input.

    A node in the background leaves the terminal to the shell: reading it there would stop the process (SIGTTIN).
    """
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()
    timer: asyncio.TimerHandle | None = None

    def watch() -> None:
        nonlocal timer
        if _in_foreground():
            loop.add_reader(sys.stdin, take)
        else:
            timer = loop.call_later(FOREGROUND_POLL, watch)

    def take() -> None:
        loop.remove_reader(sys.stdin)
        if not _in_foreground():
            watch()
        elif not typed.done():
            typed.set_result(sys.stdin.readline())

    watch()
    try:
        line = await typed
    finally:
        loop.remove_reader(sys.stdin)
        if timer is not None:
            timer.cancel()
    return line.strip() if line else None


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal without job control
        return True
