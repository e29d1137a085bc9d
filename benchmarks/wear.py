"""What a node writes to its card: while nothing happens, and for a visitor.

Two real nodes, a screen and a door, on loopback. `bytes` is what their processes gave to the disk (write_bytes of
/proc/PID/io, which counts whole pages); `files` is how many files of the state directory changed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Table
from tests.node.processes import Node, node

IDLE = 120.0  # seconds


def bench() -> Iterator[Table]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("MESHDOOR_BENCH_DISK")) as text:
        folder = Path(text)
        with (
            node(folder / "screen", "Kitchen") as screen,
            node(folder / "door", "Gate", "door") as door,
        ):
            rows = list(_watched(screen, door))
    notes = ("bytes are those of the log, too, which journald keeps for 15 minutes", "nothing counts on tmpfs")
    yield Table("writes to the card", ("", "files", "bytes"), tuple(rows), notes)


def _watched(screen: Node, door: Node) -> Iterator[tuple[str, str, str]]:
    nodes = {"screen": screen, "door": door}
    _house(screen, door)
    time.sleep(40.0)  # the addresses that are new are kept within 30 s
    began = {name: _state(each) for name, each in nodes.items()}
    time.sleep(IDLE)
    for name, each in nodes.items():
        files, size = _since(each, began[name])
        yield f"{name}, {IDLE:.0f} s of nothing", str(files), str(size)
    began = {name: _state(each) for name, each in nodes.items()}
    door.ask("ring")
    time.sleep(3.0)
    screen.ask("answer")
    time.sleep(3.0)
    screen.ask("hangup")
    time.sleep(5.0)
    for name, each in nodes.items():
        files, size = _since(each, began[name])
        yield f"{name}, a visitor", str(files), str(size)


def _house(screen: Node, door: Node) -> None:
    screen.ask("found", home="Wear", anyway=True)
    screen.pair(door)
    door.ready("Gate", "Kitchen")


def _state(node: Node) -> tuple[dict[str, tuple[int, int]], int]:
    files = {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in node.state.rglob("*") if p.is_file()}
    return files, sum(_written(pid) for pid in _tree(node.process.pid))


def _since(node: Node, began: tuple[dict[str, tuple[int, int]], int]) -> tuple[int, int]:
    files, size = _state(node)
    changed = [name for name in files if files[name] != began[0].get(name)]
    return len(changed), size - began[1]


def _written(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            yield from _tree(int(child))
