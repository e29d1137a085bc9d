"""Actions of a wall and the verbs that they become."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from meshdoor.control import Json
from meshdoor.control.server import Progress, Verb
from meshdoor.errors import Refused
from meshdoor.node import wallacts
from meshdoor.node.wallacts import WallActs, Words
from meshdoor.wall import model
from tests.patience import PATIENCE

VERBS = (
    "answer", "decline", "hangup", "talk", "page", "monitor", "call", "open", "hand over", "pair", "found", "rename",
    "alarms_clear",
)  # fmt: skip


class FakeBoard:
    def __init__(self) -> None:
        self.notices: list[model.Notice] = []
        self.invited: list[model.Invited | None] = []
        self.done: list[tuple[object, ...]] = []
        self.shown = asyncio.Event()

    def notice(self, notice: model.Notice) -> None:
        self.notices.append(notice)

    def show_invited(self, invited: model.Invited | None) -> None:
        self.invited.append(invited)
        if invited is None:
            self.shown.set()

    def dismiss(self, alarm: str) -> None:
        self.done.append(("dismiss", alarm))

    def hush(self, notice: str) -> None:
        self.done.append(("hush", notice))

    def silence(self, visit: str) -> None:
        self.done.append(("silence", visit))

    async def mute(self, on: bool) -> None:
        self.done.append(("mute", on))

    async def mark_seen(self, visits: Words) -> None:
        self.done.append(("seen", *visits))

    async def wish(self, name: str, value: str) -> None:
        self.done.append(("wish", name, value))

    async def play(self, tone: str) -> None:
        self.done.append(("play", tone))

    def name_of(self, identifier: str) -> str:
        return {"d": "Street", "k": "Kitchen"}[identifier]


class House:
    """A board, the acts, and the verbs that were asked."""

    def __init__(self) -> None:
        self.board = FakeBoard()
        self.asked: list[tuple[str, dict[str, Json]]] = []
        self.answers: dict[str, Any] = {"open": {"simulated": False}, "pair": {"name": "Shed"}}
        self.joined = asyncio.Event()
        verbs: dict[str, Verb] = {name: self._verb(name) for name in VERBS}
        self.acts = WallActs(verbs | {"phone add": self._phone_add}, self.board, lambda: "me")

    def _verb(self, name: str) -> Verb:
        async def run(args: Mapping[str, Json], progress: Progress) -> Json:
            self.asked.append((name, dict(args)))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return run

    async def _phone_add(self, args: Mapping[str, Json], progress: Progress) -> Json:
        progress({"name": args["name"], "url": "https://x/#t", "expires": 600.0})
        await self.joined.wait()
        return {"joined": args["name"]}


@pytest.mark.parametrize(
    ("verb", "args", "asked"),
    [
        ("answer", ("3",), ("answer", {"visit": 3})),
        ("decline", ("3",), ("decline", {"visit": 3})),
        ("accept", ("4",), ("answer", {"call": 4})),
        ("refuse", ("4",), ("decline", {"call": 4})),
        ("hangup", (), ("hangup", {})),
        ("talk", (), ("talk", {})),
        ("page", (), ("page", {})),
        ("monitor", ("d",), ("monitor", {"door": "d"})),
        ("call", ("k",), ("call", {"member": "k"})),
        ("open", ("d",), ("open", {"door": "d"})),
        ("handover", ("k",), ("hand over", {"to": "k"})),
        ("pair", ("n", "12345678"), ("pair", {"id": "n", "code": "12345678", "name": None})),
        ("found", ("Home",), ("found", {"home": "Home", "anyway": True})),
        ("set", ("name", "Hall"), ("rename", {"member": "me", "name": "Hall"})),
        ("dismiss", ("a",), ("alarms_clear", {})),
    ],
)
async def test_verbs(verb: str, args: Words, asked: tuple[str, dict[str, Json]]) -> None:
    house = House()
    await house.acts.act(verb, args)
    assert house.asked == [asked]
    assert not [notice for notice in house.board.notices if notice.kind == "bad"]


@pytest.mark.parametrize(
    ("verb", "args", "done"),
    [
        ("silence", ("3",), ("silence", "3")),
        ("mute", ("on",), ("mute", True)),
        ("mute", ("off",), ("mute", False)),
        ("seen", ("a", "b"), ("seen", "a", "b")),
        ("hush", ("1",), ("hush", "1")),
        ("set", ("volume", "3"), ("wish", "volume", "3")),
        ("play", ("gong",), ("play", "gong")),
        ("dismiss", ("a",), ("dismiss", "a")),
    ],
)
async def test_what_the_board_does(verb: str, args: Words, done: tuple[object, ...]) -> None:
    house = House()
    await house.acts.act(verb, args)
    assert house.board.done == [done]


async def test_what_came_of_it_is_told() -> None:
    house = House()
    await house.acts.act("open", ("d",))
    house.answers["open"] = {"simulated": True}
    await house.acts.act("open", ("d",))
    await house.acts.act("pair", ("n", "12345678"))
    await house.acts.act("handover", ("k",))
    told = [(notice.key, notice.values) for notice in house.board.notices]
    assert told == [
        ("door.opened", (("door", "Street"),)),
        ("door.simulated", (("door", "Street"),)),
        ("people.joined", (("name", "Shed"),)),
        ("call.handing", (("name", "Kitchen"),)),
        ("call.handed", (("name", "Kitchen"),)),
    ]


@pytest.mark.parametrize(("verb", "args"), [("open", ("d",)), ("dance", ()), ("answer", ("x",)), ("call", ())])
async def test_what_went_wrong_is_told(verb: str, args: Words) -> None:
    house = House()
    house.answers["open"] = Refused("Street stays shut: too often")
    await house.acts.act(verb, args)
    (notice,) = house.board.notices
    assert notice.kind == "bad"
    assert notice.text


async def test_a_phone_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallacts, "JOINED_STAYS", 0.0)
    house = House()
    await house.acts.act("invite", ("Ann",))
    await asyncio.sleep(0)
    house.joined.set()
    async with asyncio.timeout(PATIENCE):
        await house.board.shown.wait()
    shown = model.Invited("Ann", "https://x/#t", 600.0)
    assert house.board.invited == [shown, model.Invited("Ann", "https://x/#t", 600.0, joined=True), None]
    await house.acts.close()


async def test_an_invitation_is_withdrawn_and_replaced() -> None:
    house = House()
    await house.acts.act("invite", ("Ann",))
    await asyncio.sleep(0)
    await house.acts.act("invite", ("Bob",))
    await asyncio.sleep(0)
    await house.acts.act("withdraw", ())
    assert [None if each is None else each.name for each in house.board.invited] == ["Ann", None, "Bob", None]
    await house.acts.act("withdraw", ())
