"""The Python API against a real control server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

import meshdoor
from meshdoor.client import Home
from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb, serve
from meshdoor.errors import NotRunning, Refused

LISTENING = {"event": "listening"}
STEP = {"event": "step", "press": "p1", "member": "Hall", "step": "answered"}
OVER = {"event": "over", "press": "p1", "why": "answered"}


class FakeNode:
    """A control server that takes notes; `tells` is what `events` tells, `listeners` how many hear it."""

    def __init__(self, answers: Mapping[str, Json]) -> None:
        self.asked: list[tuple[str, dict[str, Json]]] = []
        self.tells: list[Json] = [LISTENING]
        self.listeners = 0
        self.verbs: dict[str, Verb] = {name: self._verb(name, answer) for name, answer in answers.items()}
        self.verbs["events"] = self._events

    def _verb(self, name: str, answer: Json) -> Verb:
        async def run(args: Mapping[str, Json], progress: Progress) -> Json:
            self.asked.append((name, dict(args)))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return run

    async def _events(self, args: Mapping[str, Json], progress: Progress) -> Json:
        for event in self.tells:
            progress(event)
        self.listeners += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.listeners -= 1


@asynccontextmanager
async def home(state: Path, answers: Mapping[str, Json] | None = None) -> AsyncIterator[tuple[Home, FakeNode]]:
    node = FakeNode(answers or {})
    async with serve(state, node.verbs), meshdoor.connect(state) as made:
        yield made, node


@pytest.mark.parametrize(
    ("method", "arguments", "verb", "sent", "answer"),
    [
        ("status", {}, "status", {}, {"schema": 1}),
        ("members", {}, "members", {}, [{"name": "Hall"}]),
        ("ring", {}, "ring", {}, {"press": "p1"}),
        ("answer", {}, "answer", {"visit": None, "call": None}, {"visit": 1}),
        ("decline", {"call": 3}, "decline", {"visit": None, "call": 3}, {"call": 3}),
        ("call_room", {"name": "hall"}, "call", {"member": "hall"}, {"call": 3}),
        ("monitor", {}, "monitor", {"door": None}, {"call": 3}),
        ("talk", {}, "talk", {}, {"call": 3}),
        ("dtmf", {"digits": "1#"}, "dtmf", {"digits": "1#"}, {"digits": "1#"}),
        ("hand_over", {"to": "hall"}, "hand over", {"to": "hall"}, {"door": "front", "to": "Hall"}),
        ("page", {}, "page", {}, {"calls": []}),
        ("calls", {}, "calls", {}, {"press": None}),
        ("visitors", {}, "visitors", {}, []),
        ("open", {"door": "front"}, "open", {"door": "front", "person": None}, {"lock": "x"}),
        ("history", {"missed": True}, "history", {"limit": 50, "missed": True}, {"presses": []}),
    ],
)
async def test_a_method_is_a_verb(
    tmp_path: Path, method: str, arguments: dict[str, Json], verb: str, sent: Json, answer: Json
) -> None:
    async with home(tmp_path, {verb: answer}) as (made, node):
        assert await getattr(made, method)(**arguments) == answer
        assert node.asked == [(verb, sent)]


async def test_hang_up_says_with_whom_it_was(tmp_path: Path) -> None:
    async with home(tmp_path, {"hangup": {"ended": ["Hall"]}}) as (made, _):
        assert await made.hang_up() == ["Hall"]


async def test_a_refusal_is_raised(tmp_path: Path) -> None:
    async with home(tmp_path, {"ring": Refused("a screen does not ring", "the button is at a door")}) as (made, _):
        with pytest.raises(Refused, match="does not ring") as caught:
            await made.ring()
        assert caught.value.hint == "the button is at a door"


async def test_calls_run_side_by_side(tmp_path: Path) -> None:
    async with home(tmp_path, {"status": {"schema": 1}, "members": []}) as (made, _):
        said = await asyncio.gather(made.status(), made.members(), made.status())
        assert tuple(said) == ({"schema": 1}, [], {"schema": 1})


async def test_events_end_with_the_loop_over_them(tmp_path: Path) -> None:
    async with home(tmp_path, {"status": {"schema": 1}}) as (made, node):
        for _ in range(20):  # more than may listen at once
            async with aclosing(made.events()) as events:
                async for event in events:
                    assert event == LISTENING
                    break
        await made.status()
        assert node.listeners == 0


async def test_a_ring_is_waited_for(tmp_path: Path) -> None:
    async with home(tmp_path, {"ring": {"press": "p1"}, "status": {}}) as (made, node):
        node.tells += [STEP | {"press": "p0"}, STEP, OVER]
        assert [event async for event in made.ring_and_wait()] == [STEP, OVER]
        await made.status()
        assert node.listeners == 0


async def test_a_phone_is_invited_and_comes(tmp_path: Path) -> None:
    invited, joined = {"url": "https://10.0.0.2:8443/#", "svg": "<svg/>"}, {"joined": "Alice", "id": "a"}

    async def add(args: Mapping[str, Json], progress: Progress) -> Json:
        assert args == {"name": "Alice", "permissions": ["view"], "until": 7}
        progress(invited)
        return joined

    async with home(tmp_path) as (made, node):
        node.verbs["phone add"] = add
        assert [step async for step in made.invite_phone("Alice", ["view"], 7)] == [invited, joined]


async def test_a_node_that_stops_invites_nobody(tmp_path: Path) -> None:
    async def add(args: Mapping[str, Json], progress: Progress) -> Json:
        progress({"url": ""})
        return await asyncio.Event().wait()

    async with AsyncExitStack() as stack:
        node = FakeNode({"phone list": {"phones": []}})
        node.verbs["phone add"] = add
        serving = await stack.enter_async_context(AsyncExitStack())
        await serving.enter_async_context(serve(tmp_path, node.verbs))
        made = await stack.enter_async_context(meshdoor.connect(tmp_path))
        assert await made.phones() == {"phones": []}
        steps = await stack.enter_async_context(aclosing(made.invite_phone("Alice")))
        assert await anext(steps) == {"url": ""}
        await serving.aclose()
        with pytest.raises(NotRunning):
            await anext(steps)


async def test_too_many_listen(tmp_path: Path) -> None:
    async with home(tmp_path) as (made, node):
        node.verbs["events"] = node._verb("events", Refused("too many listen already"))
        with pytest.raises(Refused, match="too many"):
            await anext(made.events())


async def test_a_node_that_stops(tmp_path: Path) -> None:
    node = FakeNode({"status": {}})
    async with serve(tmp_path, node.verbs):
        connection = meshdoor.connect(tmp_path)
        made = await connection.__aenter__()
        events = made.events()
        assert await anext(events) == LISTENING
    with pytest.raises(NotRunning, match="stopped"):
        await anext(events)
    with pytest.raises(NotRunning, match="stopped"):
        await made.status()
    await connection.__aexit__(None, None, None)


async def test_no_node(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no node is running"):
        async with meshdoor.connect(tmp_path):
            pass


async def test_the_default_is_the_node_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHDOOR_STATE", str(tmp_path))
    async with serve(tmp_path, FakeNode({"status": {"schema": 1}}).verbs), meshdoor.connect() as made:
        assert await made.status() == {"schema": 1}
