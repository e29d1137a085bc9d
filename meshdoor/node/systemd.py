"""Telling systemd how the node is (sd_notify(3), sd_watchdog_enabled(3)). Does nothing elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send one state line, for example `READY=1`; False when no service manager listens."""
    path = environment.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            return False
    return True


def watchdog_interval(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two signs of life that are asked of this process, half of the limit; None for no watchdog."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    pid = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or int(microseconds) == 0 or pid != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


async def feed_watchdog(environment: Mapping[str, str] = os.environ) -> None:
    """Give signs of life from inside the event loop, so that a loop that hangs is restarted."""
    interval = watchdog_interval(environment)
    while interval is not None:
        notify("WATCHDOG=1", environment)
        await asyncio.sleep(interval)
