"""Digits: with the sound where the other end takes them so, else as INFO."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from meshdoor.errors import Refused, UserError
from meshdoor.media.reports import DtmfReceived
from meshdoor.node import digits as module
from meshdoor.node import media_plan
from meshdoor.node.digits import Digits
from meshdoor.sdp.codec import TELEPHONE_EVENT
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import PLAIN, RELAY
from meshdoor.sip.session import Session
from tests.fakes.desks import DOOR, HALL, FakeDesk, desks
from tests.mesh.nodes import turn_until as until

SENT = {"digits": "12#", "with": "Door"}


class Node:
    """A desk that takes digits."""

    def __init__(self, desk: FakeDesk) -> None:
        self.desk = desk
        self.digits = Digits(desk, (desk.pressing, desk.answering))
        desk.requests = self.digits.received

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event["digit"], event["from"]) for event in self.desk.told("dtmf")]


@asynccontextmanager
async def ringing() -> AsyncIterator[tuple[Node, Node]]:
    """A door rings at a screen."""
    async with desks(DOOR, HALL) as (door, hall):
        nodes = Node(door), Node(hall)
        door.pressing.ring("p1", [HALL.key])
        await hall.shows()
        await door.tells("step", step="first picture")
        yield nodes


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Node, Node]]:
    async with ringing() as (door, hall):
        hall.desk.answering.answer()
        await door.desk.tells("step", step="answered")
        yield door, hall


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows telephone-event."""
    plain = tuple(codec for codec in media_plan.AUDIO if codec.name != TELEPHONE_EVENT)
    monkeypatch.setattr(media_plan, "AUDIO", plain)


def session(node: Node) -> Session:
    """Of the talk that is on."""
    desk = node.desk
    (talk,) = [*desk.pressing.talks(), *desk.answering.talks()]
    return talk.session


async def ask(node: Node, to: Session, headers: Sequence[tuple[str, str]], body: bytes) -> sip.ResponseReceived:
    """Send INFO in the dialog."""
    with node.desk.endpoint.acting() as now:
        to.request("INFO", headers, body, now)
    await until(lambda: node.desk.responses)
    return node.desk.responses.pop()


async def test_digits_go_with_the_sound() -> None:
    async with talking() as (door, hall):
        assert await hall.digits.send("12#") == SENT | {"by": "telephone-event"}
        assert hall.desk.fake.digits == [("visit-1", "12#")]
        assert (await door.digits.send("a"))["with"] == "Hall"
        assert door.desk.fake.digits == [("p1-1", "A")]
        hall.desk.fake.broken = True
        with pytest.raises(Refused, match="cannot be sent: the media engine is broken"):
            await hall.digits.send("1")


async def test_what_the_engine_hears_is_told() -> None:
    async with talking() as (door, _):
        heard = DtmfReceived("p1-1", "5")
        door.digits.heard(heard.leg, heard.digit)
        door.digits.heard("no such leg", "6")
        assert door.told == [("5", "Hall"), ("6", "")]


@pytest.mark.usefixtures("no_events")
async def test_without_telephone_events_digits_go_as_info() -> None:
    async with talking() as (door, hall):
        assert await hall.digits.send("12#") == SENT | {"by": "INFO"}
        assert door.told == [("1", "Hall"), ("2", "Hall"), ("#", "Hall")]
        assert hall.desk.fake.digits == []
        sent = [message for _, _, message in door.desk.street.wire if message.startswith(b"INFO")]
        assert [message.partition(b"\r\n\r\n")[2] for message in sent] == [
            b"Signal=%b\r\nDuration=160\r\n" % digit for digit in (b"1", b"2", b"#")
        ]
        assert all(b"Content-Type: application/dtmf-relay\r\n" in message for message in sent)
        assert (await door.digits.send("D"))["by"] == "INFO"
        assert hall.told == [("D", "Door")]


@pytest.mark.usefixtures("no_events")
async def test_info_that_nobody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as (door, hall):
        door.desk.requests = lambda event: False
        with pytest.raises(Refused, match="the digit 1 was not taken: 405"):
            await hall.digits.send("12")
        monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.01)
        door.desk.requests = lambda event: True
        with pytest.raises(Refused, match="the talk is over, or nobody answers"):
            await hall.digits.send("3")


@pytest.mark.parametrize(
    ("kind", "body", "status", "told"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", 200, ["5"]),
        (PLAIN, b"*", 200, ["*"]),
        (RELAY, b"Signal=hookflash\r\n", 400, []),
        ("text/plain", b"5", 415, []),
        ("", b"", 200, []),
    ],
)
async def test_what_comes_as_info(kind: str, body: bytes, status: int, told: list[str]) -> None:
    async with talking() as (door, hall):
        headers = [("Content-Type", kind)] if kind else []
        answer = await ask(door, session(door), headers, body)
        assert answer.response.status == status
        assert answer.response.headers.get("Accept") == (f"{RELAY}, {PLAIN}" if status == 415 else None)
        assert hall.told == [(digit, "Door") for digit in told]


async def test_packages_of_info_are_not_taken() -> None:
    async with talking() as (door, hall):
        answer = await ask(door, session(door), [("Info-Package", "conference")], b"")
        assert answer.response.status == 469
        assert answer.response.headers.get("Recv-Info") == ""
        assert hall.told == []


async def test_nobody_types_before_an_answer() -> None:
    async with ringing() as (door, hall):
        for node in (door, hall):
            with pytest.raises(Refused, match="nobody is talked with"):
                await node.digits.send("1")
        (early,) = hall.desk.endpoint.stack.sessions
        answer = await ask(hall, early, [("Content-Type", RELAY)], b"Signal=1\r\n")
        assert answer.response.status == 403
        assert door.told == []


@pytest.mark.parametrize("digits", ["", "1 2", "1,2", "E", "x", "٣", "1" * 33])
async def test_what_are_no_digits(digits: str) -> None:
    async with talking() as (_, hall):
        with pytest.raises(UserError, match="1 to 32 of 0123456789"):
            await hall.digits.send(digits)
