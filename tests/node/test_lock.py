"""The lock of a node: pulses, and being shut whatever happens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from meshdoor.node.lock import Audit, LockService, SimulatedActuator
from meshdoor.trust.grants import Note, Receipt, Result, open_lock
from tests.node.linked_homes import house
from tests.patience import PATIENCE
from tests.trust.house import DEVICES, key

PULSE = 0.02


@dataclass
class Bolt:
    """An actuator that keeps what it did, and fails when it is told to."""

    simulated: bool = False
    moves: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.slow.set()

    async def release(self) -> None:
        self._move("release")
        await self.slow.wait()

    async def shut(self) -> None:
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

    async def open(self, name: str = "Kitchen", person: str = "Kitchen") -> Receipt:
        """One run, without a network."""
        roster = self.membership.roster
        assert roster.home is not None
        run = open_lock(DEVICES[name], roster.home, key("Lock"), person, secrets.token_bytes)
        answer = await self.ask(next(run), name)
        if answer["step"] == "challenge":
            answer = await self.ask(run.send(answer), name)
        with pytest.raises(StopIteration) as done:
            run.send(answer)
        assert isinstance(done.value.value, Receipt)
        return done.value.value

    async def ask(self, note: Note, name: str) -> Note:
        """Send one note, and wait for the answer."""
        answer: asyncio.Future[Note] = asyncio.get_running_loop().create_future()
        self.lock.receive(note, key(name), answer.set_result)
        async with asyncio.timeout(PATIENCE):
            return await answer


@asynccontextmanager
async def case(pulse: float = PULSE) -> AsyncIterator[Case]:
    made = Case(pulse)
    async with made.lock:
        yield made


async def test_it_opens_for_one_pulse() -> None:
    async with case() as made:
        assert (await made.open()).result is Result.OPENED
        assert made.lock.is_open
        await made.bolt.until(lambda: made.bolt.moves == ["shut", "release", "shut"])
        assert not made.lock.is_open


async def test_a_second_grant_does_not_make_the_pulse_longer() -> None:
    async with case(pulse=60) as made:
        assert [(await made.open()).result, (await made.open()).result] == [Result.OPENED, Result.ALREADY_OPEN]
        assert made.bolt.moves == ["shut", "release"]


async def test_it_is_shut_when_the_node_stops() -> None:
    async with case(pulse=60) as made:
        await made.open()
    assert made.bolt.moves == ["shut", "release", "shut"]


async def test_it_is_shut_when_the_node_fails() -> None:
    made = Case(pulse=60)

    async def fail() -> None:
        async with made.lock:
            await made.open()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert made.bolt.moves[-1] == "shut"


async def test_a_bolt_that_does_not_open_is_shut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with case() as made:
        made.bolt.broken = {"release"}
        assert (await made.open()).result is Result.FAILED
        assert made.bolt.moves == ["shut", "release", "shut"]
    assert "a wire is loose" in caplog.text


async def test_a_bolt_that_does_not_shut_is_shut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.node.lock.SHUT_AGAIN", 0.001)
    async with case() as made:
        made.bolt.broken = {"shut"}
        assert (await made.open()).result is Result.OPENED
        await made.bolt.until(lambda: made.bolt.moves.count("shut") > 3)
        assert made.lock.is_open
        made.bolt.broken = set()
        await made.bolt.until(lambda: not made.lock.is_open)


async def test_all_is_recorded() -> None:
    async with case(pulse=60) as made:
        await made.open(person="Grandmother")
        await made.open("Gate")
        await made.open("Rogue")
    assert [(audit.name, audit.person, audit.result) for audit in made.audits] == [
        ("Kitchen", "Grandmother", Result.OPENED),
        ("Gate", "", Result.NOT_PERMITTED),
        (DEVICES["Rogue"].device_id, "", Result.NOT_PERMITTED),
    ]


async def test_a_flood_of_refusals_does_not_bury_the_record() -> None:
    async with case() as made:
        for _ in range(40):
            made.lock._keeper._notes.allow = lambda *args: True  # type: ignore[method-assign]
            await made.open("Gate")
        await made.open()
    assert len(made.audits) == 11
    assert made.audits[-1].result is Result.OPENED


async def test_two_grants_at_once_are_one_pulse() -> None:
    async with case(pulse=60) as made:
        made.bolt.slow.clear()
        asked = [asyncio.create_task(made.open()) for _ in range(2)]
        await made.bolt.until(lambda: "release" in made.bolt.moves)
        made.bolt.slow.set()
        results = [(await each).result for each in asked]
    assert sorted(results) == sorted([Result.OPENED, Result.ALREADY_OPEN])
    assert made.bolt.moves.count("release") == 1


async def test_nobody_is_told_that_it_is_open_before_it_is() -> None:
    async with case(pulse=60) as made:
        made.bolt.slow.clear()
        asked = asyncio.create_task(made.open())
        await made.bolt.until(lambda: "release" in made.bolt.moves)
        assert not asked.done()
        made.bolt.slow.set()
        assert (await asked).result is Result.OPENED


async def test_a_bolt_that_does_not_move_is_trouble_until_it_does() -> None:
    async with case() as made:
        troubles = list[bool]()
        made.lock.troubled = troubles.append
        made.bolt.broken = {"release"}
        await made.open()
        made.bolt.broken = set()
        await made.open()
    assert troubles == [True, False]


async def test_the_simulated_lock_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "meshdoor"):
        await SimulatedActuator().release()
        await SimulatedActuator().shut()
    assert SimulatedActuator.simulated
    assert [record.getMessage() for record in caplog.records] == [
        "the simulated lock is open; there is no real one here",
        "the simulated lock is shut",
    ]


