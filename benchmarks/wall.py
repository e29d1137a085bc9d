"""The screen on the wall: how soon a picture is seen and a touch is heard, and what it costs while nobody is there.

On Xvfb, with SDL's own drawing as there is no graphics chip. "decoded to seen" is from the moment that the decoder
hands a picture of 1280x720 over until it was presented, at 30 pictures a second. A touch is given to the X server, and
the sound is that which a visitor hears first at a door on the same host, out of its jitter buffer.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.harness import Table, number
from meshdoor.client import connect
from meshdoor.media.card import Card
from meshdoor.media.plans import WallFormat
from meshdoor.media.wall import Wall
from meshdoor.wall import model
from meshdoor.wall.place import Place, View
from meshdoor.wall.scene import Size
from tests.fakes.hand import area
from tests.fakes.xvfb import Screen, xvfb
from tests.node.processes import Node, node

SIZES = ((800, 480), (1280, 800))
FPS, PICTURES = 30, 300
TOUCHES = 10
IDLE = 20.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")
VISITOR = model.Visitor("1", "d", "Street", leg="visit-1", picture="live")
RINGING = model.WallState(visitors=(VISITOR,), settings=model.Settings(brightness=10))


def bench() -> Iterator[Table]:
    rows, costs = [], []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, xvfb(Path(folder), size) as screen:
            rows.append((f"decoded to seen, {size[0]}x{size[1]}", *_pictures(screen)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "x").mkdir()
        with xvfb(path / "x") as screen:
            environment = screen.environment
            with node(path / "hall", "Hall", **environment) as hall, node(path / "door", "Street", "door") as door:
                hall.ask("found", home="Home", anyway=True)
                hall.pair(door)
                door.until(lambda status: status["node"]["media"] == "ready")
                hall.ready("Hall", "Street")
                costs = [*_idle(hall)]
                rows.append(("touch of Answer to sound at the door", *_row(asyncio.run(_touches(screen, hall, door)))))
    yield Table("Wall (ms)", ("", "runs", "median", "95 %", "most"), tuple(rows))
    yield Table("Wall, clock on a screen of 800x480", ("", "CPU (% of a core)", "memory (MB)"), tuple(costs))


def _pictures(screen: Screen) -> tuple[str, ...]:
    os.environ.update(screen.environment)
    wall = Wall(WallFormat(), lambda event: None)
    try:
        wall.tell(RINGING)
        frames = [Card(1280, 720).draw(number, "12:00:00") for number in range(8)]
        time.sleep(2.0)
        for count in range(PICTURES):
            wall.show("visit-1", frames[count % 8])
            time.sleep(1 / FPS)
        return _row(list(wall.live.latencies))
    finally:
        wall.close()


async def _touches(screen: Screen, hall: Node, door: Node) -> list[float]:
    finger = _Finger(screen)
    where = area(Size(*screen.size), Place(View.CALL), RINGING, "answer").box
    times = []
    async with connect(door.state) as home, _sounds(door) as sounds, connect(hall.state) as screen_node:
        for _ in range(TOUCHES):
            await home.ring()
            await asyncio.sleep(2.5)  # it rings, and shows the picture
            while not sounds.empty():
                sounds.get_nowait()
            began = finger.tap(where.x + where.w // 2, where.y + where.h // 2)
            times.append(await sounds.get() - began)
            await screen_node.call("hangup")
            await asyncio.sleep(1.5)
    return times


@asynccontextmanager
async def _sounds(door: Node) -> AsyncIterator[asyncio.Queue[float]]:
    """When the first sound of each talk was heard at the door."""
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def listen() -> None:
        async with connect(door.state) as home:
            async for event in home.events():
                if event.get("event") == "sound":
                    heard.put_nowait(event["at"])

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Finger:
    """The XTEST extension, so that no program has to be started for a touch."""

    def __init__(self, screen: Screen) -> None:
        self._x11, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._display = ctypes.c_void_p(self._x11.XOpenDisplay(screen.display.encode()))

    def tap(self, x: int, y: int) -> float:
        """When it was lifted."""
        self._test.XTestFakeMotionEvent(self._display, 0, x, y, 0)
        self._test.XTestFakeButtonEvent(self._display, 1, 1, 0)
        self._x11.XSync(self._display, 0)
        time.sleep(0.06)
        began = time.monotonic()
        self._test.XTestFakeButtonEvent(self._display, 1, 0, 0)
        self._x11.XSync(self._display, 0)
        return began


def _idle(hall: Node) -> Iterator[tuple[str, ...]]:
    """Of the node and of its media engine, which has the window."""
    time.sleep(3.0)
    pid = hall.process.pid
    (engine,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    processes = {"node": pid, "media engine with its window": int(engine)}
    before = {name: _ticks(each) for name, each in processes.items()}
    time.sleep(IDLE)
    for name, each in processes.items():
        share = (_ticks(each) - before[name]) / TICKS / IDLE
        yield name, f"{share:.2%}".rstrip("%"), f"{_memory(each):.0f}"


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(pid: int) -> float:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024


def _row(seconds: Sequence[float]) -> tuple[str, ...]:
    times = sorted(each * 1000 for each in seconds)
    at = [times[len(times) // 2], times[len(times) * 95 // 100], times[-1]]
    return str(len(times)), *(number(each) for each in at)
