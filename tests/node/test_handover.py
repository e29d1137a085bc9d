"""Handing a visitor over, with real SIP and notes over real links."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshdoor.calls.hosts import host_of
from meshdoor.control import Json
from meshdoor.errors import NotFound, Refused
from meshdoor.media.plans import Gates
from meshdoor.node import calls as module
from meshdoor.node import handover
from meshdoor.node.handover import HandOvers
from meshdoor.node.line import Relayed
from meshdoor.node.media_plan import NOTHING
from meshdoor.node.pressing import TALK
from meshdoor.sip import events as sip
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.proxy import ASSERTED
from meshdoor.sip.uri import SipUri
from meshdoor.trust.identity import Identity
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.statement import Admit
from tests.mesh.nodes import turn_until
from tests.node.attached import Phone, homes, sees, state
from tests.node.test_calls import Node, RunningEngine
from tests.patience import until
from tests.trust.house import key


class Home:
    """Gate rings Hall, Kitchen, and Alice, whose phone is attached to the hall."""

    def __init__(self, nodes: list[Node]) -> None:
        self.gate, self.hall, self.kitchen = nodes
        self.handovers = {node: HandOvers(node.house, node.calls) for node in nodes}
        self.alice = Phone()
        self.progress: list[Json] = []

    async def talk(self) -> str:
        """Hall talks with the visitor; the press."""
        press = str(self.gate.calls.ring()["press"])
        await self.gate.tells("step", member="Hall", step="early")
        await self.hall.tells("visitor")
        self.hall.calls.answer(None, None)
        await self.gate.tells("step", member="Hall", step="answered")
        await self.kitchen.tells("over", visit=1)
        return press

    async def alice_talks(self) -> sip.IncomingInvite:
        """Alice does; her call."""
        self.alice.attach(self.hall)
        await sees(self.gate, "Alice", "ready")
        self.gate.calls.ring()
        call = await self.alice.rung()
        await self.gate.tells("step", member="Alice", step="early")
        self.alice.answer(call)
        await self.gate.tells("step", member="Alice", step="answered")
        await self.kitchen.tells("over", visit=1)
        return call

    async def hand_over(self, to: str, node: Node | None = None) -> Json:
        verb = self.handovers[node or self.hall].table()["hand over"]
        return await verb({"to": to}, self.progress.append)

    def of_phone(self, call: str, to: str) -> asyncio.Task[Json]:
        member = self.hall.calls.roster.members[self.alice.key]
        return asyncio.create_task(self.handovers[self.hall].of_phone(member, call, to))


@asynccontextmanager
async def at_home() -> AsyncIterator[Home]:
    async with homes("Gate", "Hall", "Kitchen") as nodes:
        yield Home(nodes)


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Engine", RunningEngine)


async def test_a_screen_hands_over_to_another() -> None:
    async with at_home() as home:
        press = await home.talk()
        asked = asyncio.create_task(home.hand_over("Kitchen"))
        visitor = await home.kitchen.tells("visitor", visit=2)
        assert (visitor["from"], visitor["press"]) == ("Hall", press)
        assert home.kitchen.told("visitor", visit=1)[0]["from"] is None
        await home.gate.tells("step", member="Kitchen", step="early")
        assert home.gate.calls.visitor_talks()
        assert home.progress == [{"state": "ringing", "to": "Kitchen"}]
        await turn_until(lambda: home.kitchen.fake.legs.get("visit-2"))
        assert home.kitchen.fake.gates("visit-2") == Gates(speaker=True, picture=True)
        home.kitchen.calls.answer(None, None)
        assert await asked == {"door": "Gate", "to": "Kitchen"}
        assert (await home.hall.tells("over"))["why"] == "handed over"
        await home.gate.tells("step", member="Hall", step="ended", detail="handed over")
        states = [event["state"] for event in home.gate.told("hand over", **{"from": "Hall", "to": "Kitchen"})]
        assert states == ["ringing", "answered"]
        assert home.hall.told("hand over", door="Gate", to="Kitchen", state="answered")
        await turn_until(lambda: [home.gate.fake.legs[leg][-1] for leg in open_legs(home.gate)] == [TALK])
        assert home.kitchen.calls.hang_up() == {"ended": ["Gate"]}
        await home.gate.tells("over", why="answered")


async def test_one_that_declines_changes_nothing() -> None:
    async with at_home() as home:
        await home.talk()
        for _ in range(2):
            asked = asyncio.create_task(home.hand_over("Kitchen"))
            visit = (await newest(home.kitchen, len(home.progress) + 2))["visit"]
            with pytest.raises(Refused, match="is being handed over already"):
                await home.hand_over("Kitchen")
            home.kitchen.calls.decline(visit, None)
            with pytest.raises(Refused, match="Kitchen declines"):
                await asked
        assert home.hall.calls.visitor_talks()
        assert home.gate.calls.hang_up() == {"ended": ["the press"]}
        assert (await home.hall.tells("over"))["why"] == "answered"


async def test_one_visitor_is_handed_over_once_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as home:
        call = await home.alice_talks()
        asked = home.of_phone(call.request.call_id, "Kitchen")
        await home.kitchen.tells("visitor", visit=2)
        again = {"about": "hand over", "call": call.request.call_id, "to": key("Hall").hex()}
        home.hall.calls.note(key("Gate"), again | {"for": home.alice.key.hex()})
        await until(lambda: "is being handed over already" in caplog.text)
        with pytest.raises(Refused, match="is being handed over already"):
            await asked  # the door said so of this call


async def test_one_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.calls.fork.HANDOVER_TIMEOUT", 0.1)
    async with at_home() as home:
        await home.talk()
        with pytest.raises(Refused, match="Kitchen does not answer"):
            await home.hand_over("Kitchen")
        assert (await home.kitchen.tells("over", visit=2))["why"] == "answered elsewhere"
        assert home.hall.calls.visitor_talks()


async def test_when_the_visitor_leaves_nobody_takes_over() -> None:
    async with at_home() as home:
        await home.talk()
        asked = asyncio.create_task(home.hand_over("Kitchen"))
        await home.kitchen.tells("visitor", visit=2)
        home.gate.calls.hang_up()
        with pytest.raises(Refused, match="the talk with the visitor is over"):
            await asked
        assert (await home.kitchen.tells("over", visit=2))["why"] != "missed"


async def test_a_phone_hands_over_and_takes_over() -> None:
    async with at_home() as home:
        call = await home.alice_talks()
        asked = home.of_phone(call.request.call_id, "Kitchen")
        assert (await home.kitchen.tells("visitor", visit=2))["from"] == "Alice"
        home.kitchen.calls.answer(None, None)
        assert await asked == {"door": "Gate", "to": "Kitchen"}
        ended = await home.alice.one(sip.Ended)
        assert [(each.cause, each.text) for each in ended.reasons] == [(200, "Call completed elsewhere")]
        await sees(home.gate, "Alice", "ready")
        back = asyncio.create_task(home.hand_over("Alice", home.kitchen))
        again = await home.alice.rung(2)
        home.alice.answer(again)
        assert await back == {"door": "Gate", "to": "Alice"}
        assert (await home.kitchen.tells("over", visit=2))["why"] == "handed over"


async def test_who_may_not_hand_over_to_whom() -> None:
    async with at_home() as home:
        with pytest.raises(Refused, match="nobody here talks with a visitor"):
            await home.hand_over("Kitchen")
        await home.talk()
        for to, why in (("Hall", "that is who talks now"), ("Lock", "no such room"), ("Bob", "its page is not open")):
            with pytest.raises(Refused, match=why):
                await home.hand_over(to)
        with pytest.raises(NotFound):
            await home.hand_over("Cellar")
        assert not home.gate.told("hand over")


async def test_nobody_hands_over_for_others(caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as home:
        call = await home.alice_talks()
        asked: dict[str, Any] = {"about": "hand over", "call": call.request.call_id, "to": key("Hall").hex()}
        for wrong in (asked, asked | {"for": home.alice.key.hex()}):
            home.kitchen.calls.note(key("Gate"), wrong)
        await until(lambda: "that phone is not attached there" in caplog.text)
        assert "somebody else talks with the visitor" in caplog.text
        assert not home.gate.told("hand over")


async def test_a_talk_that_no_door_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE", 0.05)
    async with at_home() as home:
        await home.alice_talks()
        with pytest.raises(Refused, match="no door knows of that talk"):
            await home.of_phone("another", "Kitchen")


OF_NO_USE = {"about": "handed over", "call": "x", "door": "ab", "state": "answered"}


@pytest.mark.parametrize(
    "note",
    [
        {"about": "hand over", "call": 7, "to": "ab"},
        {"about": "hand over", "call": "x" * 300, "to": "ab"},
        {"about": "hand over", "call": "x", "to": "Kitchen"},
        {"about": "hand over", "call": "x", "to": None},
        {"about": "handed over", "call": "x", "door": 7, "state": "answered"},
        {"about": "handed over", "call": "x", "door": "ab", "state": "sold"},
        {"about": "handed over", "call": "x", "door": "ab", "state": []},
        {"about": "handed over", "call": "x", "door": "ab", "state": "refused", "why": "\x1b[2J"},
    ],
)
async def test_notes_that_make_no_sense(note: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    async with at_home() as home:
        home.gate.calls.note(key("Hall"), OF_NO_USE)
        home.gate.calls.note(key("Hall"), note)
        await until(lambda: "a note that is wrong" in caplog.text)


async def test_a_visitor_at_a_door_station_is_handed_over() -> None:
    async with at_home() as home:
        panel = Identity.generate().key
        stations = home.hall.calls.stations
        stations.load({panel.hex(): {"uri": "sip:panel@192.168.1.40", "media": "plain"}}, lambda table: None)
        state(Admit(panel, b"", "Panel", Role.DOOR, frozenset({Permission.RING})), home.kitchen, home.hall)
        station = stations.find(panel)
        assert station is not None
        await until(lambda: home.kitchen.calls.target(panel))
        itself = SipUri("sip", "door", None, host_of(panel))
        relayed = Relayed("panel", NOTHING, NameAddr("Panel", itself), ((ASSERTED, f"<{itself}>"),))
        station.pressing.ring("p1", (key("Hall"), key("Kitchen")), relayed)
        await home.hall.tells("visitor", door="Panel")
        await home.kitchen.tells("visitor", door="Panel")
        home.kitchen.calls.answer(None, None)
        await home.hall.tells("over", why="answered elsewhere")
        for giver, taker in ((home.kitchen, home.hall), (home.hall, home.kitchen)):
            asked = asyncio.create_task(home.hand_over("Hall" if taker is home.hall else "Kitchen", giver))
            visitor = await newest(taker, 2)
            assert visitor["from"] == ("Kitchen" if giver is home.kitchen else "Hall")
            taker.calls.answer(None, None)
            assert (await asked)["door"] == "Panel"
        station.pressing.hang_up()


def open_legs(node: Node) -> list[str]:
    return [leg for leg in node.fake.legs if leg not in node.fake.closed]


async def newest(node: Node, number: int) -> dict[str, Any]:
    await until(lambda: len(node.told("visitor")) >= number)
    return node.told("visitor")[number - 1]
