"""Opening locks over real links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from meshdoor.config import Config, LockConfig
from meshdoor.control.server import Verb
from meshdoor.errors import GrantError, NotFound, Refused, UserError
from meshdoor.node.lock import Audit
from meshdoor.node.opening import MAX_RUNS, Openings, lock_of
from meshdoor.trust.grants import Result
from tests.mesh.nodes import turn_until
from tests.node.linked_homes import EVERYBODY, house, linked
from tests.trust.house import DEVICES, chain, key, revoke


class Node:
    """A house that opens locks, and may have one."""

    def __init__(self, name: str, lock: LockConfig | None = None, statements: Any = EVERYBODY) -> None:
        self.house = house(name, statements)
        self.audits: list[Audit] = []
        self.lock = lock_of(Config(lock=lock), self.house, self.audits.append)
        self.openings = Openings(self.house, self.lock)
        self.verbs: dict[str, Verb] = self.openings.table()

    async def call(self, verb: str, **args: Any) -> Any:
        return await self.verbs[verb](args, lambda event: None)

    async def knows(self, *names: str) -> None:
        """Wait for the claims of locks."""
        await turn_until(lambda: self.openings._claims.keys() == {key(name) for name in names})


@asynccontextmanager
async def home(*nodes: Node) -> AsyncIterator[None]:
    async with linked(*(node.house for node in nodes)), AsyncExitStack() as stack:
        for node in nodes:
            if node.lock is not None:
                await stack.enter_async_context(node.lock)
            locks = [n.house.name for n in nodes if n.lock is not None and n is not node]
            await node.knows(*locks)
        yield


FRONT, BACK = LockConfig("Gate", 3.0), LockConfig("Back door", 3.0)


@pytest.mark.parametrize("text", ["", "Lock", "lock", "Gate", DEVICES["Lock"].device_id[:6]])
@pytest.mark.parametrize("of", [FRONT, None])
async def test_a_screen_opens_a_door_by_whatever_name(text: str, of: LockConfig | None) -> None:
    hall, lock = Node("Hall"), Node("Lock", of)
    async with home(hall, lock):
        receipt = await hall.openings.open(text)
        assert (receipt.result, receipt.person, receipt.simulated) == (Result.OPENED, "Hall", True)
        assert [audit.name for audit in lock.audits] == ["Hall"]


async def test_the_verb_says_what_the_lock_said() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        answer = await hall.call("open", door="gate", person="Grandmother")
        assert {name: answer[name] for name in ("lock", "of", "result", "person", "simulated")} == {
            "lock": "Lock", "of": "Gate", "result": "opened", "person": "Grandmother", "simulated": True,
        }  # fmt: skip
        assert (await hall.call("open"))["result"] == "already open"
        assert await hall.call("locks") == [{"name": "Lock", "id": DEVICES["Lock"].device_id, "of": "Gate"}]


async def test_a_screen_may_have_a_lock_and_opens_it_itself() -> None:
    hall = Node("Hall", BACK)
    async with home(hall):
        assert (await hall.call("open", door="back door"))["lock"] == "Hall"


async def test_the_lock_refuses_and_the_verb_says_why() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        assert lock.lock is not None
        results = []
        for _ in range(9):
            await lock.lock._shut()
            results.append((await hall.openings.open()).result)
        assert results[-1] is Result.TOO_OFTEN
        with pytest.raises(Refused, match="Lock stays shut: too often"):
            await hall.call("open")


async def test_a_door_may_not_open_and_has_no_lock(caplog: pytest.LogCaptureFixture) -> None:
    gate, lock = Node("Gate", FRONT), Node("Lock", FRONT)
    assert gate.lock is None
    assert "a door opens no lock" in caplog.text
    async with home(gate, lock):
        with pytest.raises(Refused, match="this door may not open locks"):
            await gate.call("open")


async def test_a_revoked_screen_cannot_open() -> None:
    statements = chain(EVERYBODY[-1], ("Hall", revoke("Kitchen")))
    kitchen = Node("Kitchen", statements=[*EVERYBODY, *statements[1:]])
    with pytest.raises(UserError, match="in no home"):
        await kitchen.call("open")


async def test_several_locks_must_be_named() -> None:
    hall, kitchen, lock = Node("Hall"), Node("Kitchen", BACK), Node("Lock", FRONT)
    async with home(hall, kitchen, lock):
        with pytest.raises(NotFound, match=r"more than one lock: Kitchen .*, Lock"):
            await hall.call("open")
        assert (await hall.call("open", door="Back door"))["lock"] == "Kitchen"
        assert (await hall.call("open", door="Kitchen"))["lock"] == "Kitchen"
        assert (await hall.call("open", door="Gate"))["lock"] == "Lock"


async def test_what_is_not_there_is_said() -> None:
    hall, kitchen = Node("Hall"), Node("Kitchen")
    async with home(hall, kitchen):
        with pytest.raises(NotFound, match="no lock is in reach"):
            await hall.call("open")
        with pytest.raises(Refused, match="Lock is not in reach"):
            await hall.call("open", door="Lock")
        with pytest.raises(NotFound, match="no lock in reach opens Gate"):
            await hall.call("open", door="Gate")
        with pytest.raises(NotFound, match="no member is called"):
            await hall.call("open", door="Cellar")
        with pytest.raises(UserError, match="person"):
            await hall.call("open", person="two\nlines")


async def test_a_lock_that_goes_away_is_not_in_reach() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        hall.openings._claims |= {key("Kitchen"): "Cellar"}
        with pytest.raises(Refused, match="Kitchen is not in reach"):
            await hall.openings.open("Kitchen")
        hall.openings._claims.pop(key("Kitchen"))
        hall.house.links.cut(key("Lock"), "a test")
        await hall.knows()


async def test_a_lock_that_does_not_answer() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        lock.house.settled = False
        with pytest.raises(Refused, match="did not answer within"):
            await hall.openings.open(patience=0.05)
        assert not hall.openings._runs


async def test_a_lock_that_answers_nonsense() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        opening = asyncio.ensure_future(hall.openings.open())
        await turn_until(lambda: hall.openings._runs)
        (number,) = hall.openings._runs
        hall.openings._answered(key("Lock"), {"step": "challenge", "ask": number})
        with pytest.raises(Refused, match="gave no proper answer"):
            await opening


async def test_openings_under_way_are_bounded() -> None:
    hall, lock = Node("Hall"), Node("Lock", FRONT)
    async with home(hall, lock):
        for number in range(MAX_RUNS):
            hall.openings._runs[str(number)] = (key("Lock"), asyncio.Queue())
        with pytest.raises(Refused, match="too many"):
            await hall.openings.open()


@pytest.mark.parametrize("note", [{"step": "receipt", "ask": "x"}, {"step": []}])
async def test_answers_that_nobody_waits_for_are_refused(note: dict[str, Any]) -> None:
    hall = Node("Hall")
    with pytest.raises(GrantError):
        hall.openings._grant_note(key("Lock"), note)
    hall.openings._grant_note(key("Lock"), {"step": "ask"})  # there is no lock here


async def test_an_answer_of_another_member_is_refused() -> None:
    hall = Node("Hall")
    hall.openings._runs["a"] = (key("Lock"), asyncio.Queue())
    with pytest.raises(GrantError):
        hall.openings._grant_note(key("Gate"), {"step": "challenge", "ask": "a"})


@pytest.mark.parametrize(
    ("name", "note"), [("Gate", {"of": "Gate"}), ("Rogue", {"of": ""}), ("Lock", {}), ("Lock", {"of": "x" * 65})]
)
async def test_a_lock_must_be_one(name: str, note: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    hall = Node("Hall")
    hall.house.note(key(name), {"about": "lock", **note})
    assert hall.openings._claims == {}
    assert "a note that is wrong" in caplog.text
