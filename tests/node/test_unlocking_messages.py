"""Opening from SIP clients by a message."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from meshdoor.calls.hosts import host_of
from meshdoor.calls.texts import HELP
from meshdoor.sip import events as sip
from meshdoor.sip.core import no_credentials
from meshdoor.trust.grants import Result
from tests.node.clients import Phone, proving
from tests.node.unlocking import TEXT, on_a_socket, opening, said_to, talks, told, write, writes, writing
from tests.trust.house import DEVICES


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
@pytest.mark.parametrize(("text", "user"), [("open", "hall"), ("Open Gate!", "hall"), ("open", "gate")])
async def test_a_message_opens(transport: str, text: str, user: str) -> None:
    async with writing(transport) as (made, phone):
        assert (await write(phone, phone.to(made.home.hall, user), text.encode())).status == 200
        assert await told(phone) == "Hall: opened."
        assert made.opened() == [("Tablet, by message", "opened")]
        assert phone.all(sip.RequestReceived)[0].request.from_.uri == phone.to(made.home.hall, user).uri


@pytest.mark.parametrize(
    ("user", "host"), [("hall", "home.arpa"), ("gate", "home.arpa"), ("meshdoor", host_of(DEVICES["Gate"].key))]
)
async def test_a_message_over_a_socket_opens(user: str, host: str) -> None:
    async with on_a_socket() as (made, page):
        writes(page, user, host)
        assert (await page.one(sip.ResponseReceived)).response.status == 200
        assert await said_to(page) == "Hall: opened."
        assert made.opened() == [("Tablet, by message", "opened")]


async def test_over_a_socket_the_door_of_the_call_is_meant() -> None:
    async with on_a_socket() as (made, page):
        await talks(made, page)
        made.lock.of = "Cellar"
        writes(page, "hall", "home.arpa")
        assert await said_to(page) == "No: no lock in reach opens Gate."


async def test_what_a_socket_writes_to_nobody_or_to_a_phone_opens_nothing() -> None:
    async with on_a_socket() as (made, page):
        writes(page, "nobody", "home.arpa")
        assert (await page.one(sip.ResponseReceived)).response.status == 404
        writes(page, "tablet", "home.arpa")
        assert await said_to(page) == "open"
        assert (await page.one(sip.ResponseReceived, 2)).response.status == 200
        assert not made.audits


async def test_who_may_not_open_is_refused_over_a_socket_too() -> None:
    async with on_a_socket("view", "talk") as (made, page):
        writes(page, "gate", "home.arpa")
        assert await said_to(page) == "No: Hall stays shut: not permitted."
        assert [audit.result for audit in made.audits] == [Result.NOT_PERMITTED]


async def test_the_door_of_the_call_is_meant() -> None:
    async with writing("TCP") as (made, phone):
        made.home.phone = phone
        invite = await made.home.press()
        phone.accept(invite)
        await made.home.gate.tells("step", member="Tablet", step="answered")
        made.lock.of = "Cellar"
        assert (await write(phone, phone.to(made.home.hall))).status == 200
        assert await told(phone) == "No: no lock in reach opens Gate."


async def test_small_talk_is_answered_with_what_can_be_written() -> None:
    async with writing("TCP") as (made, phone):
        assert (await write(phone, phone.to(made.home.hall), b"hello")).status == 200
        assert await told(phone) == HELP
        assert not made.audits


async def test_who_may_not_open_is_refused_by_the_lock() -> None:
    async with writing("TCP", "view", "talk") as (made, phone):
        assert (await write(phone, phone.to(made.home.hall))).status == 200
        assert await told(phone) == "No: Hall stays shut: not permitted."
        assert [audit.result for audit in made.audits] == [Result.NOT_PERMITTED]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((("Content-Type", "application/sdp"),), b"open", 415),
        (TEXT, b"open" + b"!" * 300, 413),
        (TEXT, b"\xff", 400),
    ],
)
async def test_messages_that_are_not_taken(headers: Any, body: bytes, status: int) -> None:
    async with writing("TCP") as (made, phone):
        answer = await write(phone, phone.to(made.home.hall), body, headers)
        assert answer.status == status
        assert answer.headers.get("Accept") == ("text/plain" if status == 415 else None)


async def test_a_flood_of_messages_is_held_up() -> None:
    async with writing("TCP") as (made, phone):
        answers = [(await write(phone, phone.to(made.home.hall), b"hello")).status for _ in range(7)]
        assert answers == [200] * 5 + [480] * 2


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_a_stranger_gets_the_same_answer_whomever_it_writes_to(transport: str) -> None:
    async with writing("UDP") as (made, _):
        async with (stranger := Phone(transport)).endpoint:
            users = ("hall", "gate", "tablet", "nobody")
            answers = [await write(stranger, stranger.to(made.home.hall, user)) for user in users]
        assert [answer.status for answer in answers] == [403] * 4
        assert not made.audits


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_a_forged_address_does_not_open(transport: str) -> None:
    """Somebody at the address of a client, or in the middle of its connection, without its secret."""
    async with writing(transport) as (made, phone):
        core = phone.endpoint.stack._core
        core.config = replace(core.config, authorize=no_credentials)
        answer = await write(phone, phone.to(made.home.hall))
        assert answer.status == 401
        assert not made.audits


async def test_who_guesses_is_answered_as_a_stranger() -> None:
    async with writing("UDP") as (made, phone):
        core = phone.endpoint.stack._core
        core.config = replace(core.config, authorize=no_credentials)
        answers = [(await write(phone, phone.to(made.home.hall))).status for _ in range(24)]
        assert (answers[0], answers[-1]) == (401, 403)


async def test_a_message_that_was_proven_cannot_be_sent_again() -> None:
    async with writing("UDP") as (made, phone):
        sent: list[bytes] = []
        send = phone.transport.send

        def overheard(flow: Any, data: bytes) -> bool:
            sent.append(data)
            return send(flow, data)

        phone.transport.send = overheard  # type: ignore[method-assign]
        assert (await write(phone, phone.to(made.home.hall))).status == 200
        await told(phone)
        (proven,) = [data for data in sent if data.startswith(b"MESSAGE") and b"Authorization" in data]
        for again in (proven, proven.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")):
            send(phone.to(made.home.hall).flow, again)
        await asyncio.sleep(0.3)
        assert len(made.audits) == 1


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_one_that_was_adopted_with_a_secret_opens_by_it(transport: str) -> None:
    async with opening() as made, proving(made.home, transport) as phone:
        assert (await write(phone, phone.to(made.home.hall, "gate"))).status == 200
        assert await told(phone) == "Hall: opened."
        assert made.opened() == [("Tablet, by message", "opened")]


async def test_who_stands_where_it_is_opens_nothing() -> None:
    async with opening() as made, proving(made.home, "UDP"):
        assert (await write(made.home.phone, made.home.phone.to(made.home.hall, "gate"))).status == 401
        assert not made.audits
