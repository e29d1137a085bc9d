"""Power cuts: the whole tree of a node is killed in the middle of its work, and started again as systemd does it.

What a node said to have done before a cut must be so after it, and every file must be whole. (That a real cut also
loses what the disk was not told to keep is shown by tests/store, which cut between all calls of the system.)
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from meshdoor.errors import MeshdoorError
from meshdoor.store.files import temporary_of
from meshdoor.store.state import FILES, LEDGER, StateDirectory, Table
from meshdoor.trust.enrolment import Enrolment
from tests.lab.nodes import Node, wait_until

LATEST = 3.0  # seconds after its start until the power goes; a start takes about one
BREATH = 0.02  # seconds between two things that a person does


@dataclass
class Promises:
    """What the home was told to be done. `name` may also be `next_name`: who asked for it had no answer."""

    name: str = ""
    next_name: str = ""
    presses: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    enrolment: Enrolment | None = None


class Home:
    """A screen that keeps the history, a door, and a screen that is never cut, whose name changes again and again."""

    def __init__(self, hall: Node, door: Node, kitchen: Node) -> None:
        self.hall, self.door, self.kitchen = hall, door, kitchen
        self.promised = Promises(kitchen.name)
        self.ids = {node.name: node.id for node in (hall, door, kitchen)}
        self.done = 0
        self._turn = 0

    def live(self, until: Callable[[], bool]) -> None:
        """People do this and that until the power goes; what fails then was not promised."""
        deeds = (self._rename, self._press, self._look, self._enrol, self._mark)
        while not until():
            self._turn += 1
            try:
                deeds[self._turn % len(deeds)]()
                self.done += 1
            except (MeshdoorError, OSError):
                pass
            time.sleep(BREATH)

    def _rename(self) -> None:
        promised = self.promised
        promised.next_name = f"Kitchen {self._turn}"
        self.hall.ask("rename", member=self.ids["kitchen"], name=promised.next_name)
        promised.name = promised.next_name

    def _press(self) -> None:
        self.door.ask("ring")
        time.sleep(BREATH)
        self.door.ask("hangup")

    def _look(self) -> None:
        """What the history shows once, it shows always."""
        presses = self.hall.ask("history", limit=1000)["presses"]
        self.promised.presses |= {press["id"] for press in presses}

    def _enrol(self) -> None:
        text = self.hall.ask("enrol", role="screen", name="Attic", lifetime=20)["file"]
        self.promised.enrolment = Enrolment.parse(text.encode())

    def _mark(self) -> None:
        self.promised.seen |= set(self.hall.ask("seen", which="all")["seen"])

    def check(self) -> None:
        """What was promised is so."""
        promised = self.promised
        name = next(row["name"] for row in self.hall.ask("members") if row["id"] == self.ids["kitchen"])
        assert name in {promised.name, promised.next_name}, (name, promised.name, promised.next_name)
        promised.name = promised.next_name = name
        presses = {press["id"]: press for press in self.hall.ask("history", limit=1000)["presses"]}
        assert promised.presses <= set(presses), "a visitor was forgotten"
        assert all(presses[press]["seen"] for press in promised.seen & set(presses)), "a visitor came back as missed"
        with StateDirectory.open(self.hall.state, lock=False) as state:
            table = state.load_table(Table.ENROLMENTS).values
        given = promised.enrolment
        if given is not None and time.time() < given.expires - 2:
            assert given.password.ticket.hex() in table, "an enrolment was forgotten"

    def together(self) -> bool:
        """All see each other."""
        ids = set(self.ids.values())
        return all(self._sees(node, ids) for node in (self.hall, self.door, self.kitchen))

    def _sees(self, node: Node, ids: set[str]) -> bool:
        return ids == {row["id"] for row in node.status()["members"] if row["state"] == "ready"}


def cut(home: Home, victim: Node, moment: float) -> float:
    """Cut the power of one node so long after its start, in the middle of life; look at its disk; give it power again.
    Seconds until it was ready."""
    dark = threading.Event()

    def pull() -> None:
        time.sleep(moment)
        victim.process.kill()
        dark.set()

    puller = threading.Thread(target=pull)
    puller.start()
    home.live(dark.is_set)
    puller.join()
    victim.process.wait()
    examine(victim.state)
    began = time.monotonic()
    victim.start()
    return time.monotonic() - began


def examine(state: Path) -> None:
    """Every file of a node that has no power is whole."""
    with StateDirectory.open(state, lock=False) as opened:
        assert opened.load_identity() is not None
        assert not opened.load_roster().damage
        for table in Table:
            assert not opened.load_table(table).damage, table
    assert not (state / f"{LEDGER}.damaged").exists()
    if (state / LEDGER).exists():
        with tempfile.TemporaryDirectory() as copy:
            for file in state.glob(f"{LEDGER}*"):
                shutil.copy(file, copy)
            with closing(sqlite3.connect(Path(copy) / LEDGER)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def litter(state: Path) -> list[str]:
    """What an unfinished write has left; a node that has started has none of it."""
    return [name for name in FILES if temporary_of(state / name).exists()]


def moments(count: int, seed: int) -> list[tuple[bool, float]]:
    """Whether it is the door's turn, and the moment after its start."""
    dice = random.Random(seed)
    return [(dice.random() < 0.3, dice.uniform(0.0, LATEST)) for _ in range(count)]


def settle(home: Home) -> float:
    """Seconds until all see each other again."""
    return wait_until(home.together)
