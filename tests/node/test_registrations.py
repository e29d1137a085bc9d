"""SIP clients that registered, and those that were adopted with a secret."""

from __future__ import annotations

import asyncio

import pytest

from meshdoor.sip import events as sip
from tests.node.clients import HOST, Here, Phone, answer_of, engines, here, proving, register, registering
from tests.patience import until
from tests.transport.udp_strangers import Stranger

__all__ = ["engines"]


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_a_client_that_registers_is_rung_and_takes_leave(transport: str) -> None:
    async with registering(transport) as (home, phone):
        assert (await register(home, phone)).status == 200
        await home.reached()
        home.phone = phone
        invite = await home.press()
        phone.accept(invite)
        await home.gate.tells("step", member="Tablet", step="answered")
        home.gate.calls.hang_up()
        await phone.one(sip.Ended)
        assert (await register(home, phone)).status == 200
        assert (await register(home, phone, 0)).status == 200
        await until(lambda: home.row().state == "unreachable")


async def test_a_short_registration_pays_for_its_challenge_by_coming_again() -> None:
    short = (
        "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        "To: <sip:a@h>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\r\n"
    )
    async with registering("UDP") as (home, _):
        with Stranger(home.hall.calls.outside.tcp.port, HOST) as stranger:
            stranger.send(short.encode())
            await asyncio.sleep(0.05)
            with pytest.raises(BlockingIOError):
                stranger.sock.recv(1)
            for _ in range(2):
                stranger.send(short.encode())
            assert (await stranger.response()).status == 401
            assert stranger.got <= stranger.sent


async def test_a_connection_that_is_gone_takes_its_client_along() -> None:
    async with registering("TCP") as (home, phone):
        await register(home, phone)
        await home.reached()
        await phone.transport.aclose()
        await until(lambda: home.row().state == "unreachable")


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_a_client_that_registered_calls_a_screen_and_strangers_do_not(transport: str) -> None:
    async with registering(transport) as (home, phone):
        offer = bytes(answer_of())
        phone.endpoint.invite(phone.to(home.hall), offer)
        assert (await phone.one(sip.Rejected)).response.status == 403
        await register(home, phone)
        await home.reached()
        phone.endpoint.invite(phone.to(home.hall), offer)
        await home.hall.tells("ring", **{"with": "Tablet"}, on=True)
        phone.endpoint.invite(phone.to(home.hall, "gate"), offer)
        await home.gate.tells("monitored", by="Tablet", on=True)


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_one_that_was_adopted_with_a_secret_proves_it_for_each_call(transport: str) -> None:
    async with here() as home, proving(home, transport) as phone:
        await looks_through_the_door(home, phone, 1)
        await looks_through_the_door(home, phone, 2)
        assert not phone.all(sip.Rejected)


async def looks_through_the_door(home: Here, phone: Phone, times: int) -> None:
    home.gate.events.clear()
    phone.endpoint.invite(phone.to(home.hall, "gate"), bytes(answer_of()))
    await home.gate.tells("monitored", by="Tablet", on=True)
    home.gate.calls.hang_up()
    await until(lambda: len(phone.all(sip.Ended)) == times)


async def test_one_that_was_adopted_without_a_secret_calls_nobody() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        home.phone.endpoint.invite(home.phone.to(home.hall), bytes(answer_of()))
        assert (await home.phone.one(sip.Rejected)).response.status == 403


async def test_whoever_is_at_the_address_of_one_with_a_secret_proves_nothing_by_that() -> None:
    async with here() as home, proving(home, "TCP"):
        home.phone.endpoint.invite(home.phone.to(home.hall), bytes(answer_of()))
        assert (await home.phone.one(sip.Rejected)).response.status == 401


async def test_the_secret_of_one_that_was_revoked_is_worth_nothing() -> None:
    async with here() as home, proving(home, "TCP") as phone:
        home.desk.revoke("Tablet")
        await until(lambda: home.row() is None)
        phone.endpoint.invite(phone.to(home.hall), bytes(answer_of()))
        assert (await phone.one(sip.Rejected)).response.status in (401, 403)
