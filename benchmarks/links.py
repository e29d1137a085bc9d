"""What mesh links cost: to bring up, and to keep while nothing happens.

One process is the house: nodes that only answer. The node that is measured runs in a process of its own, with a link
to each of them over loopback; the figures are of that process alone. `python -m benchmarks.links COUNT` is another
size of house.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Table, median, number, resident
from meshdoor.mesh.acceptor import listen
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.link import Links
from meshdoor.mesh.wire import JITTER, KEEP_ALIVE
from meshdoor.trust.identity import Identity

LINKS = 49  # a house of 50
IDLE = 20.0  # seconds of measured idleness


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
            links = await stack.enter_async_context(Links(identity(seed), Silent(), listen(0, ["127.0.0.1"])))
            links.roster_changed(roster)
            print(links.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def measure(ports: list[int]) -> dict[str, float]:
    """The figures of this process, with a link to each of the house."""
    count, own = len(ports), identity(0)
    async with Links(own, Silent()) as links:
        links.roster_changed(house(count))
        links._pins.client()
        gc.collect()
        before, spent, times = resident(), time.process_time(), []
        for seed, port in enumerate(ports, 1):
            began = time.perf_counter()
            assert await links.dial(identity(seed).key, [Address("127.0.0.1", port)])
            times.append(time.perf_counter() - began)
        figures = {
            "from dial to link up, ms": median(times) * 1e3,
            "CPU for each dial, ms": (time.process_time() - spent) / count * 1e3,
        }
        gc.collect()
        figures["memory for each link, KB"] = (resident() - before) / count / 1e3
        spent, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE)
        share = (time.process_time() - spent) / (time.perf_counter() - began)
        figures[f"CPU of {count} idle links, % of a core"] = share * 100
        figures["CPU for each keep-alive, µs"] = share / count * KEEP_ALIVE * (1 - JITTER / 2) * 1e6
        figures["round trip, ms"] = median(info.rtt or 0.0 for info in links.links()) * 1e3
        figures["the whole process, MB"] = resident() / 1e6
    return figures


def bench(count: int = LINKS) -> Iterator[Table]:
    command = [sys.executable, "-m", "benchmarks.links"]
    with subprocess.Popen([*command, "serve", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as others:
        assert others.stdout is not None
        ports = [str(int(others.stdout.readline())) for _ in range(count)]
        measured = subprocess.run([*command, "measure", *ports], check=True, stdout=subprocess.PIPE)
        others.communicate()
    rows = tuple((what, number(figure)) for what, figure in json.loads(measured.stdout).items())
    yield Table(f"A node with links to {count} others, TLS 1.3, over loopback", ("", "median"), rows)


def main() -> None:
    match sys.argv[1:]:
        case ["serve", count]:
            asyncio.run(serve(int(count)))
        case ["measure", *ports]:
            print(json.dumps(asyncio.run(measure([int(port) for port in ports]))))
        case arguments:
            for table in bench(*map(int, arguments)):
                print(table)


if __name__ == "__main__":
    main()
