"""How exact the pulse of a relay is, and how soon it is at rest when a process is killed.

A real pin keeper on gpiozero's mock pins, which write each level and its time to a file that outlives it. Times are
those of whoever drove the pin; a killed process is timed from the signal to the level. The clock is the monotonic one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import Table, median, number
from meshdoor.devices.orders import Wiring
from meshdoor.node.pins import Pins
from meshdoor.settings.devices import InputPin, OutputPin
from tests.fakes.wires import Wires

LOCK, BUTTON = 23, 17
WIRING = Wiring({"button": InputPin(BUTTON)}, {"lock": OutputPin(LOCK)}, 0.03)
PULSE = 0.2
PULSES, KILLS, PRESSES = 100, 10, 50


def bench() -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as folder:
        wires = Wires(Path(folder))
        lengths, presses, killed = asyncio.run(_measured(wires))
        wires.close()
    rows = [
        _row(f"pulse of {PULSE * 1000:.0f} ms: too long by", [length - PULSE for length in lengths]),
        _row("press to its report (30 ms of them are the debouncing)", presses),
        *(_row(f"kill -9 of the {which}: relay at rest after", times) for which, times in killed.items()),
    ]
    yield Table("Pins (ms)", ("", "runs", "median", "least", "most"), tuple(rows))


async def _measured(wires: Wires) -> tuple[list[float], list[float], dict[str, list[float]]]:
    reports = asyncio.Queue[tuple[bool, float]]()

    def told(name: str, active: bool) -> None:
        reports.put_nowait((active, time.monotonic()))

    async with Pins(WIRING, told, wires.command) as pins:
        await pins.ready()
        await reports.get()
        for _ in range(PULSES):
            await pins.on("lock", PULSE)
            await wires.until(LOCK, False)
        changes = wires.changes(LOCK)[1:]
        lengths = [end - begin for (begin, _), (end, _) in zip(changes[::2], changes[1::2], strict=True)]
        presses = [await _press(wires, reports) for _ in range(PRESSES)]
    killed = {which: [await _kill(wires, which) for _ in range(KILLS)] for which in ("worker", "watcher")}
    return lengths, presses, killed


async def _press(wires: Wires, reports: asyncio.Queue[tuple[bool, float]]) -> float:
    began = time.monotonic()
    wires.drive(BUTTON, False)
    _, at = await reports.get()
    wires.drive(BUTTON, True)
    await reports.get()
    return at - began


async def _kill(wires: Wires, which: str) -> float:
    async with Pins(WIRING, lambda name, active: None, wires.command) as pins:
        await pins.on("lock", 60.0)
        victim = pins.worker if which == "worker" else pins.pid
        assert victim is not None
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        await wires.until(LOCK, False)
        return wires.changes(LOCK)[-1][0] - began


def _row(name: str, seconds: Sequence[float]) -> tuple[str, ...]:
    times = [each * 1000 for each in seconds]
    return name, str(len(times)), *(number(each) for each in (median(times), min(times), max(times)))
