"""What mesh links cost: `python -m benchmarks.links [COUNT]`.

One process is the house: COUNT nodes that only answer. The node that is measured runs in a process of its own, with a
link to each of them over loopback; what is printed is of that process alone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.link import Links
from meshdoor.mesh.wire import KEEP_ALIVE
from meshdoor.trust.identity import Identity

IDLE = 30.0  # seconds of measured idleness


@dataclass(frozen=True)
class Pin:
    certificate: bytes


@dataclass(frozen=True)
class House:
    members: dict[bytes, Pin]
    digest: bytes = bytes(16)


class Silent:
    """LinkEvents that nobody listens to."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


def identity(seed: int) -> Identity:
    return Identity.generate(lambda size: seed.to_bytes(2, "big") * (size // 2))


def house(count: int) -> House:
    return House({one.key: Pin(one.certificate) for one in map(identity, range(count + 1))})


async def serve(count: int) -> None:
    """The house: prints its ports, and ends with its standard input."""
    async with AsyncExitStack() as stack:
        roster = house(count)
        for seed in range(1, count + 1):
            links = await stack.enter_async_context(
                Links(identity(seed), Silent(), listen(0, ["127.0.0.1"]))
            )
            links.roster_changed(roster)
            print(links.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def measure(count: int, ports: list[int]) -> None:
    own, roster = identity(0), house(count)
    async with Links(own, Silent()) as links:
        links.roster_changed(roster)
        links._pins.client()
        gc.collect()
        before, cpu, times = resident(), time.process_time(), []
        for seed, port in enumerate(ports, 1):
            started = time.perf_counter()
            assert await links.dial(identity(seed).key, [Address("127.0.0.1", port)])
            times.append(time.perf_counter() - started)
        gc.collect()
        print(f"links up              {len(links.links())}")
        print(f"dial to link up       {statistics.median(times) * 1e3:.1f} ms median, {max(times) * 1e3:.1f} ms worst")
        print(f"CPU per dial          {(time.process_time() - cpu) / count * 1e3:.2f} ms")
        print(f"memory per link       {(resident() - before) / count / 1024:.1f} KiB resident")
        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE)
        share = (time.process_time() - cpu) / (time.perf_counter() - started)
        print(f"CPU of {count} idle links  {share * 100:.3f} % of a core (a PING each {KEEP_ALIVE:.0f} s at most)")
        print(f"CPU per link and hour {share / count * 3600:.2f} s")
        rtt = statistics.median(info.rtt or 0.0 for info in links.links())
        print(f"round trip            {rtt * 1e3:.2f} ms median")
        print(f"process               {resident() / 2**20:.1f} MiB, at most {peak() / 2**20:.1f} MiB")


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    if len(sys.argv) > 2:
        asyncio.run(serve(count))
        return
    command = [sys.executable, "-m", "benchmarks.links", str(count), "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as neighbours:
        assert neighbours.stdout is not None
        ports = [int(neighbours.stdout.readline()) for _ in range(count)]
        asyncio.run(measure(count, ports))


if __name__ == "__main__":
    main()
