"""The ledger beside a running loop, and under kill -9."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from meshdoor.calls.fork import Outcome
from meshdoor.calls.sync import Stored
from meshdoor.errors import StateError
from meshdoor.store.ledger import Ledger
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.store.state import LEDGER
from tests.calls.ledgers import press
from tests.patience import PATIENCE

WRITER = """
import sys
from pathlib import Path
from meshdoor.calls.fork import Outcome
from meshdoor.calls.sync import Stored
from meshdoor.calls.fork import Outcome
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.store.state import LEDGER
from tests.calls.ledgers import press
ledger = LedgerFile(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 1_000_000):
    ledger.put(Stored(press(number, Outcome.RINGING, at=1000.0 + number, revision=1), False), now=1e6)
    ledger.put(Stored(press(number, at=1000.0 + number), False), now=1e6)
    ledger.put_picture(press(number).id, bytes([number % 256]) * 30_000)
    print(number, flush=True)
"""


async def test_nothing_of_it_runs_on_the_loop(tmp_path: Path) -> None:
    async with Ledger(tmp_path / LEDGER) as ledger:
        assert await ledger.run(LedgerFile.put, Stored(press(), False), now=2000.0)
        assert await ledger.run(LedgerFile.newest, 5) == [Stored(press(), False)]
        assert ledger.damage == ""
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ledger")] == ["ledger_0"]


async def test_a_slow_disk_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async with Ledger(tmp_path / LEDGER) as ledger:
        disk = threading.Event()
        slow = asyncio.create_task(ledger.run(lambda file: disk.wait(PATIENCE)))
        for _ in range(10):
            await asyncio.sleep(0)
        disk.set()
        assert await slow


async def test_what_was_asked_before_the_end_is_done(tmp_path: Path) -> None:
    async with Ledger(tmp_path / LEDGER) as ledger:
        task = asyncio.create_task(ledger.run(LedgerFile.put, Stored(press(), False), now=2000.0))
        await asyncio.sleep(0)
    assert await task


async def test_a_ledger_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(StateError):
        await Ledger(tmp_path / LEDGER).__aenter__()


async def test_a_damaged_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"rubbish" * 1000)
    async with Ledger(tmp_path / LEDGER) as ledger:
        assert "set aside" in ledger.damage


def test_a_writer_that_is_killed_at_any_moment_loses_nothing_it_had_finished(tmp_path: Path) -> None:
    """The kernel keeps what was written: this is about torn transactions; fsync is the next test."""
    path = tmp_path / LEDGER
    pauses = random.Random(7)
    finished = -1
    for _ in range(8):
        finished = _written_until_killed(path, finished + 1, pauses.uniform(0.01, 0.25))
        ledger = LedgerFile(path)
        assert ledger.damage == ""
        known = {int(stored.entry.id, 16): stored.entry for stored in ledger.newest(1_000_000)}
        for number in range(finished + 1):
            assert known[number] == press(number, at=1000.0 + number)
            assert ledger.picture(press(number).id) == bytes([number % 256]) * 30_000
        assert len(known) <= finished + 2
        ledger.close()
    assert finished > 0


def _written_until_killed(path: Path, start: int, pause: float) -> int:
    """The last number that a writer reported before it was killed; it may have done more."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(start)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(pause)
    writer.kill()
    lines = [line for line in (first + writer.stdout.read()).split("\n")[:-1] if line]
    writer.stdout.close()
    writer.wait()
    return int(lines[-1])


def test_what_is_complete_is_synced_and_what_began_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is asked for FULL when it commits a press that is over, and for NORMAL when one begins."""
    ledger = LedgerFile(tmp_path / LEDGER)
    statements: list[str] = []
    connection: sqlite3.Connection = ledger._database._connection
    connection.set_trace_callback(statements.append)
    ledger.put(Stored(press(1, Outcome.RINGING, revision=1), False), now=2000.0)
    ledger.put(Stored(press(1), False), now=2000.0)
    connection.set_trace_callback(None)
    levels = [statement for statement in statements if "synchronous" in statement]
    assert levels == ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"]
    ledger.close()


def test_a_reader_beside_a_busy_writer(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    LedgerFile(path).close()
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(path, done))
    reader = sqlite3.connect(path, timeout=0)
    counts = [reader.execute("SELECT count(*) FROM entries").fetchone()[0]]  # the first to come puts the log in order
    writer.start()
    while not done.is_set():
        counts.append(reader.execute("SELECT count(*) FROM entries").fetchone()[0])
    reader.close()
    writer.join()
    assert counts == sorted(counts)
    assert len(set(counts)) > 3


def _write(path: Path, done: threading.Event) -> None:
    ledger = LedgerFile(path)
    for number in range(100):
        ledger.put(Stored(press(number), False), now=2000.0)
    ledger.close()
    done.set()
