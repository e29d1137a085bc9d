"""The WebSockets: who gets in, who is cut, and how soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from meshdoor.errors import AttachError
from meshdoor.trust.attach import Purpose, Refusal, refused
from meshdoor.trust.identity import Identity
from meshdoor.web import socket
from meshdoor.web import sockets as module
from tests.fakes.phone import P256Key
from tests.fakes.webhouse import WebHouse
from tests.patience import until
from tests.web.phones import PURPOSES, Site, closed, deaf, heard, said, site


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


async def test_a_phone_that_proves_its_key_is_attached_and_speaks_sip(here: Site) -> None:
    phone = here.house.admit("Alice")
    ws = await here.attach(phone)
    told = (await said(ws))["attached"]
    assert told == {
        "id": here.house.guests[phone.key].id,
        "name": "Alice",
        "permissions": ["talk", "view"],
        "until": None,
        "ice_servers": [],
    }
    await ws.send_str("OPTIONS")
    await ws.send_bytes(b"INFO")
    await until(lambda: here.house.flows[0].came == ["OPTIONS", "INFO"])
    here.house.flows[0].send("INVITE")
    assert await heard(ws) == "INVITE"
    await ws.send_str("\r\n\r\n")
    assert await heard(ws) == "\r\n"
    await ws.close()
    await until(lambda: here.house.flows[0].gone)


async def test_a_key_of_p256_is_as_good(here: Site) -> None:
    phone = P256Key.of(7)
    guest = here.house.guests[here.house.admit("Alice").key]
    here.house.guests[phone.key] = guest
    assert "attached" in await said(await here.attach(phone))


async def test_the_greeting_says_where_the_phone_is(here: Site) -> None:
    greeting = await said(await here.open("/home"))
    assert (greeting["home"], greeting["node"], len(greeting["challenge"])) == ("ab" * 32, "Hall", 64)


async def test_each_challenge_is_another(here: Site) -> None:
    first, second = await here.open("/home"), await here.open("/home")
    assert (await said(first))["challenge"] != (await said(second))["challenge"]


@pytest.mark.parametrize("path", ["/phone", "/home"])
async def test_a_stranger_is_refused(here: Site, path: str) -> None:
    ws = await here.attach(Identity.generate(), path)
    assert (await said(ws))["refused"]["code"] == "unknown"
    assert await closed(ws) == 4403


async def test_a_proof_for_another_certificate_is_refused(here: Site) -> None:
    ws = await here.attach(here.house.admit("Alice"), fingerprint=bytes(32))
    assert (await said(ws))["refused"]["code"] == "wrong"
    assert await closed(ws) == 4403


async def test_a_proof_for_the_other_socket_is_refused(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = here.house.admit("Alice")
    monkeypatch.setitem(PURPOSES, "/phone", (Purpose.HOME, "sip"))
    ws = await here.attach(phone)
    assert (await said(ws))["refused"]["code"] == "wrong"


@pytest.mark.parametrize(
    "proof", ["", "x", "[]", '{"key":"00","signature":"00"}', '{"key":"' + "00" * 32 + '"}', "[" * 3000]
)
async def test_what_is_no_proof_is_refused(here: Site, proof: str) -> None:
    ws = await here.open("/phone")
    await said(ws)
    await ws.send_str(proof)
    assert (await said(ws))["refused"]["code"] == "wrong"
    assert await closed(ws) == 4403


async def test_bytes_are_no_proof(here: Site) -> None:
    ws = await here.open("/phone")
    await said(ws)
    await ws.send_bytes(b"{}")
    assert (await said(ws))["refused"]["code"] == "wrong"


async def test_a_proof_must_come_in_time(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROOF_DEADLINE", 0.05)
    ws = await here.open("/home")
    await said(ws)
    assert await closed(ws) == 4408


async def test_a_phone_that_is_revoked_is_cut_at_once(here: Site) -> None:
    phone, other = here.house.admit("Alice"), here.house.admit("Bob")
    sip, home, spared = await here.attached(phone), await here.attached(phone, "/home"), await here.attached(other)
    here.house.revoke(phone)
    for ws in (sip, home):
        assert (await said(ws))["refused"]["code"] == "revoked"
        assert await closed(ws) == 4403
    await until(lambda: here.house.flows[0].gone)
    here.house.flows[1].send("still here")
    assert await heard(spared) == "still here"


async def test_one_that_does_not_read_is_cut_too(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "HEARTBEAT", 600.0)
    phone = here.house.admit("Alice")
    ws = await here.attached(phone)
    deaf(ws)
    flow = here.house.flows[0]
    for _ in range(60):
        flow.send("x" * 60_000)
    await asyncio.sleep(0.05)
    here.house.revoke(phone)
    await until(lambda: flow.gone)


async def test_whoever_lets_too_much_wait_is_cut(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    deaf(ws)
    flow = here.house.flows[0]
    for _ in range(200):
        flow.send("x" * 60_000)
    await until(lambda: flow.gone)


async def test_a_revoked_phone_cannot_come_back(here: Site) -> None:
    phone = here.house.admit("Alice")
    here.house.revoke(phone)
    assert (await said(await here.attach(phone, "/home")))["refused"]["code"] == "revoked"


async def test_the_time_of_a_guest_ends_by_itself(here: Site) -> None:
    end = int(time.time()) + 1
    phone = here.house.admit("Guest", end)
    ws = await here.attached(phone)
    asyncio.get_running_loop().call_later(end - time.time(), here.house.expired.add, phone.key)
    assert (await said(ws))["refused"]["code"] == "expired"
    assert time.time() >= end


async def test_the_newest_socket_of_a_phone_stays(here: Site) -> None:
    phone = here.house.admit("Alice")
    old = await here.attached(phone)
    new = await here.attached(phone)
    assert await closed(old) == 4409
    here.house.flows[1].send("INVITE")
    assert await heard(new) == "INVITE"


async def test_the_house_may_cut(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    here.house.flows[0].cut(refused(Refusal.EXPIRED))
    assert (await said(ws))["refused"]["code"] == "expired"


@pytest.mark.parametrize(("code", "closing"), [("moved", 4409), ("full", 4429)])
async def test_what_another_try_may_mend_is_no_refusal(here: Site, code: str, closing: int) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    here.house.flows[0].cut(AttachError("text", code))
    assert await closed(ws) == closing


async def test_what_is_no_sip_ends_the_socket(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    await ws.send_str("garbage")
    assert await closed(ws) == 1007


async def test_a_message_that_is_too_long_ends_it(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    await ws.send_str("x" * (1 << 17))
    assert await closed(ws) in (1009, 1006)  # what is not read any more may overtake the reason
    await until(lambda: here.house.flows[0].gone)


async def test_a_flood_ends_it(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"))
    for _ in range(400):
        await ws.send_str("OPTIONS")
    assert await closed(ws) == 4429
    assert len(here.house.flows[0].came) < 300


async def test_knocking_too_often_is_refused(here: Site) -> None:
    for _ in range(40):
        ws = await here.open("/phone")
        message = await ws.receive()
        await ws.close()
        if message.type is aiohttp.WSMsgType.CLOSE:
            break
    assert message.data == 4429


async def test_questions_are_answered_each_by_its_number(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"), "/home")
    await ws.send_json({"id": 7, "ask": "home", "args": {"a": 1}})
    assert await said(ws) == {"id": 7, "answer": {"asked": "home", "args": {"a": 1}, "name": "Alice"}}
    await ws.send_json({"id": 8, "ask": "refuse"})
    assert await said(ws) == {"id": 8, "error": {"code": "refused", "text": "this phone may not"}}
    await ws.send_json({"id": 9, "ask": "fail"})
    assert (await said(ws))["error"]["code"] == "failed"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"id":-1,"ask":"x"}', '{"id":1}', '{"id":true,"ask":"x"}', '{"id":1,"ask":"x","args":1}']
)
async def test_what_is_no_question_ends_the_socket(here: Site, text: str) -> None:
    ws = await here.attached(here.house.admit("Alice"), "/home")
    await ws.send_str(text)
    assert await closed(ws) == 1007


async def test_what_happens_is_told(here: Site) -> None:
    ws = await here.attached(here.house.admit("Alice"), "/home")
    await until(lambda: here.house.listeners)
    here.house.listeners[0]({"event": "missed"})
    assert await said(ws) == {"event": "missed"}
    await ws.close()
    await until(lambda: not here.house.listeners)


async def test_a_client_with_a_secret_gets_a_flow_from_any_page(here: Site) -> None:
    ws = await here.open("/sip", "sip", origin="https://elsewhere.example")
    await until(lambda: here.house.flows)
    here.house.flows[0].send("401")
    assert await heard(ws) == "401"


async def test_when_the_node_stops_phones_are_told(tmp_path: Path) -> None:
    house = WebHouse()
    async with site(tmp_path, house) as running:
        ws = await running.attached(house.admit("Alice"))
        told = asyncio.ensure_future(closed(ws))
    assert await told == 1001
    assert house.flows[0].gone
    assert not house.watchers
