"""The lock of a node: pulses, and being shut whatever happens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from meshdoor.node.lock import Audit, LockService, SimulatedActuator
from meshdoor.trust.grants import Receipt, Result, open_lock
from tests.node.linked_homes import house
from tests.trust.house import DEVICES, key

PULSE = 0.02
PATIENCE = 10.0


@dataclass
class Bolt:
    """An actuator that keeps what it did, and fails when it is told to."""

    simulated: bool = False
    moves: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self._move("release")

    def shut(self) -> None:
        self._move("shut")

    def _move(self, what: str) -> None:
        self.moves.append(what)
        self.moved.set()
        if what in self.broken:
            raise OSError("a wire is loose")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.moved.clear()
                await self.moved.wait()


class Case:
    """A lock with its bolt and its record."""

    def __init__(self, pulse: float = PULSE) -> None:
        self.bolt = Bolt()
        self.audits: list[Audit] = []
        self.membership = house("Lock").membership
        self.lock = LockService(self.membership, self.bolt, "Front door", pulse, self.audits.append)

    def open(self, name: str = "Kitchen", person: str = "Kitchen") -> Receipt:
        """One run, without a network."""
        roster = self.membership.roster
        assert roster.home is not None
        run = open_lock(DEVICES[name], roster.home, key("Lock"), person, secrets.token_bytes)
        answer = self.lock.receive(next(run), key(name))
        assert answer is not None
        if answer["step"] == "challenge":
            answer = self.lock.receive(run.send(answer), key(name))
            assert answer is not None
        with pytest.raises(StopIteration) as done:
            run.send(answer)
        assert isinstance(done.value.value, Receipt)
        return done.value.value


@asynccontextmanager
async def case(pulse: float = PULSE) -> AsyncIterator[Case]:
    made = Case(pulse)
    async with made.lock:
        yield made


async def test_it_opens_for_one_pulse() -> None:
    async with case() as made:
        assert made.open().result is Result.OPENED
        assert made.lock.is_open
        await made.bolt.until(lambda: made.bolt.moves == ["shut", "release", "shut"])
        assert not made.lock.is_open


async def test_a_second_grant_does_not_make_the_pulse_longer() -> None:
    async with case(pulse=60) as made:
        assert [made.open().result for _ in range(2)] == [Result.OPENED, Result.ALREADY_OPEN]
        assert made.bolt.moves == ["shut", "release"]


async def test_it_is_shut_when_the_node_stops() -> None:
    async with case(pulse=60) as made:
        made.open()
    assert made.bolt.moves == ["shut", "release", "shut"]


async def test_it_is_shut_when_the_node_fails() -> None:
    made = Case(pulse=60)

    async def fail() -> None:
        async with made.lock:
            made.open()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert made.bolt.moves[-1] == "shut"


async def test_a_bolt_that_does_not_open_is_shut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with case() as made:
        made.bolt.broken = {"release"}
        assert made.open().result is Result.FAILED
        assert made.bolt.moves == ["shut", "release", "shut"]
    assert "a wire is loose" in caplog.text


async def test_a_bolt_that_does_not_shut_is_shut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.node.lock.SHUT_AGAIN", 0.001)
    async with case() as made:
        made.bolt.broken = {"shut"}
        assert made.open().result is Result.OPENED
        await made.bolt.until(lambda: made.bolt.moves.count("shut") > 3)
        assert made.lock.is_open
        made.bolt.broken = set()
        await made.bolt.until(lambda: not made.lock.is_open)


async def test_all_is_recorded() -> None:
    async with case(pulse=60) as made:
        made.open(person="Grandmother")
        made.open("Gate")
        made.open("Rogue")
    assert [(audit.name, audit.person, audit.result) for audit in made.audits] == [
        ("Kitchen", "Grandmother", Result.OPENED),
        ("Gate", "", Result.NOT_PERMITTED),
        (DEVICES["Rogue"].device_id, "", Result.NOT_PERMITTED),
    ]


async def test_a_flood_of_refusals_does_not_bury_the_record() -> None:
    async with case() as made:
        for _ in range(40):
            made.lock._keeper._notes.allow = lambda *args: True  # type: ignore[method-assign]
            made.open("Gate")
        made.open()
    assert len(made.audits) == 11
    assert made.audits[-1].result is Result.OPENED


def test_the_simulated_lock_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "meshdoor"):
        SimulatedActuator().release()
        SimulatedActuator().shut()
    assert SimulatedActuator.simulated
    assert [record.getMessage() for record in caplog.records] == [
        "the simulated lock is open; there is no real one here",
        "the simulated lock is shut",
    ]


