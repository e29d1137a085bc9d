"""A program for the virtual house: announces node N on whatever interfaces there are, and prints what it sees.

    python -m tests.mesh.mdns_host N

A line each: `saw INSTANCE ADDRESSES` or `lost INSTANCE`, after the time in seconds on the machine's clock.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
import time
from contextlib import aclosing

from meshdoor.mesh.announcement import Announcement
from meshdoor.mesh.interfaces import changes
from meshdoor.mesh.mdns import Mdns
from tests.mesh.homes import announcement


def say(*words: str) -> None:
    print(f"{time.monotonic():.4f}", *words, flush=True)


def saw(said: Announcement, source: str) -> None:
    say("saw", said.instance, ",".join(sorted(said.addresses)))


async def announce(number: int) -> None:
    """Until cancelled, with the addresses of now."""
    own = announcement(number)
    async with Mdns(saw, lambda instance: say("lost", instance)) as mdns, aclosing(changes()) as interfaces:
        async for now in interfaces:
            hosts = tuple(host for interface in now for host in interface.addresses)
            say("here", own.instance, ",".join(hosts))
            follow = asyncio.create_task(mdns.interfaces_changed(now))
            if hosts:
                await mdns.announce(dataclasses.replace(own, addresses=hosts))
            await follow


async def main() -> None:
    task = asyncio.create_task(announce(int(sys.argv[1])))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


if __name__ == "__main__":
    asyncio.run(main())
