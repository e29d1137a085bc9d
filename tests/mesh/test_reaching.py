from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from meshdoor.mesh import reaching
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.reaching import connect, race


class Attempts:
    """Attempts that do as they are told, and what became of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.goal = asyncio.get_running_loop().create_future()

    def __call__(self, name: str, does: str) -> Callable[[], Coroutine[Any, Any, None]]:
        return partial(self._run, name, does)

    async def _run(self, name: str, does: str) -> None:
        self.log.append(name)
        try:
            if does == "hang":
                await asyncio.Event().wait()
            if does == "reach":
                self.goal.set_result(None)
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled")
            raise


async def test_the_next_is_tried_at_once_when_one_fails() -> None:
    attempts = Attempts()
    await race([attempts("a", "fail"), attempts("b", "reach"), attempts("c", "reach")], attempts.goal)
    assert attempts.log == ["a", "b"]


async def test_the_next_is_tried_after_a_while_when_one_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "STAGGER", 0.01)
    attempts = Attempts()
    await race([attempts("a", "hang"), attempts("b", "reach")], attempts.goal)
    assert attempts.log == ["a", "b", "a cancelled"]


async def test_it_ends_when_all_have_failed() -> None:
    attempts = Attempts()
    await race([attempts("a", "fail"), attempts("b", "fail")], attempts.goal)
    assert not attempts.goal.done()


async def test_it_ends_when_the_goal_is_reached_otherwise() -> None:
    attempts = Attempts()
    running = asyncio.create_task(race([attempts("a", "hang")], attempts.goal))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    attempts.goal.set_result(None)
    await running
    assert attempts.log == ["a", "a cancelled"]


async def test_nothing_to_try_is_nothing_reached() -> None:
    await race([], Attempts().goal)


@pytest.mark.parametrize("host", ["name.local", "fe80::1%nowhere", "127.0.0.1", "::1"])
async def test_what_cannot_be_reached_is_an_oserror(host: str) -> None:
    with pytest.raises(OSError, match=r"."):
        await connect(Address(host, 1), asyncio.Protocol)
