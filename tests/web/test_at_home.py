"""A phone at a real house: invited, let in, attached, and what its page asks; over TLS on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshdoor.calls.fork import Outcome
from meshdoor.calls.records import PressRecord
from meshdoor.calls.sync import Stored
from meshdoor.config import Config, LockConfig, MeshConfig, SipConfig, WebConfig
from meshdoor.control import Json
from meshdoor.node import webstart
from meshdoor.node.calls import Listener
from meshdoor.node.history import History
from meshdoor.node.house import House
from meshdoor.node.opening import Openings, lock_of
from meshdoor.node.phone_part import Parts, PhonePart
from meshdoor.node.status import describe
from meshdoor.node.verbs import Verbs
from meshdoor.node.web import WebFactory
from meshdoor.store.ledger import Ledger
from meshdoor.store.ledgerfile import LedgerFile
from meshdoor.store.state import LEDGER, StateDirectory, Table
from meshdoor.trust import grants
from meshdoor.trust.invitation import Reply
from meshdoor.trust.permissions import Permission
from meshdoor.trust.roster import Member
from tests.calls.ledgers import press
from tests.fakes.lines import Lines
from tests.fakes.phone import Scanned, Signer
from tests.fakes.webhouse import WebHouse as NoHouse
from tests.node.linked_homes import house, linked
from tests.patience import until
from tests.trust.house import BROWSERS, DEVICES, admit, admit_phone, chain, founding, key
from tests.web.phones import Site, closed, said, trusting

JPEG = b"\xff\xd8\xff" + bytes(100)
ALICE, BOB = BROWSERS["Alice"], BROWSERS["Bob"]
QUIET: dict[str, Any] = {"sip": SipConfig(0), "mesh": MeshConfig(0, ("lo",)), "web": WebConfig(port=0)}


@dataclass
class Here:
    """The screen in the hall, its phones, and the lock of the gate."""

    part: PhonePart
    hall: House
    ledger: Ledger
    history: History
    lines: Lines
    state: StateDirectory
    client: aiohttp.ClientSession
    loads: list[float]
    opened: list[str] = field(default_factory=list)

    async def site(self) -> Site:
        web = await self.part._start.open()
        return Site(web, NoHouse(), self.client)

    async def line(self, phone: Signer) -> Line:
        return Line(await (await self.site()).attached(phone, "/home"))

    async def happened(self, *records: PressRecord) -> None:
        for record in records:
            await self.ledger.run(LedgerFile.put, Stored(record, False), now=time.time())
        for listener in self.history.listeners:
            listener()


@dataclass
class Line:
    """What the page does on `/home`."""

    ws: aiohttp.ClientWebSocketResponse
    events: list[Any] = field(default_factory=list)
    number: int = 0

    async def ask(self, what: str, **args: Any) -> Any:
        self.number += 1
        await self.ws.send_json({"id": self.number, "ask": what, "args": args})
        while (message := await said(self.ws, 5)).get("id") != self.number:
            self.events.append(message)
        return message.get("answer", message.get("error"))

    async def event(self, name: str) -> Any:
        while (message := await said(self.ws, 5)).get("event") != name:
            self.events.append(message)
        return message


@asynccontextmanager
async def home(folder: Path, *phones: Any, **settings: Any) -> AsyncIterator[Here]:
    """`phones`: what states them."""
    statements = chain(founding(), *(("Hall", each) for each in (admit("Gate"), admit("Lock"), *phones)))
    config = Config(**QUIET | settings)
    hall, gate, lock = (house(name, statements, **QUIET) for name in ("Hall", "Gate", "Lock"))
    loads: list[float] = []

    def load() -> WebFactory:
        from meshdoor.web.server import serve

        loads.append(time.monotonic())
        return serve

    async with AsyncExitStack() as stack:
        state = await asyncio.to_thread(StateDirectory.open, folder / "hall")
        stack.push_async_callback(asyncio.to_thread, state.close)
        ledger = await stack.enter_async_context(Ledger(state.path / LEDGER))
        bolt = await stack.enter_async_context(_lock(lock))
        Openings(lock, bolt)
        openings = Openings(hall)
        history = History(hall, ledger, state.path, _no_picture)
        verbs, lines = Verbs(hall, time.time(), 0), Lines()

        def rows() -> list[dict[str, Any]]:
            return list(describe(verbs.view())["members"])

        parts = Parts(config, state, hall, _listen, openings, history, rows, _hand_over)
        await stack.enter_async_context(linked(hall, gate, lock))
        part = PhonePart(parts, lines, {}, load)
        client = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting(), limit=0))
        )
        running = asyncio.create_task(part.run())
        await until(lambda: openings._claims)
        try:
            yield Here(part, hall, ledger, history, lines, state, client, loads)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def _listen(tell: Listener) -> None:
    await asyncio.Event().wait()


async def _hand_over(phone: Member, call: str, to: str) -> Json:
    return {"door": call, "to": to}


async def _no_picture(path: str, leg: str) -> None:
    """Nobody stands at a door here."""


def _lock(lock: Any) -> Any:
    made = lock_of(Config(lock=LockConfig("Gate", 1.0)), lock, lambda audit: None)
    assert made is not None
    return made


async def test_without_a_phone_no_server_is_loaded(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await asyncio.sleep(0.05)
        assert not here.loads
        invited = await here.part.desk.invite("Alice")
        assert len(here.loads) == 1
        scanned = Scanned.of(invited.url)
        site = await here.site()
        assert scanned.base == site.web.url_base
        headers = {"Content-Type": "application/json"}
        response, body = await site.get("/pair", "POST", data=bytes(scanned.request(ALICE)), headers=headers)
        assert response.status == 200
        assert Reply.parse(body).verify(scanned.token, ALICE.key, scanned.fingerprint)
        assert "attached" in await said(await site.attach(ALICE, "/home"))


async def test_with_a_phone_it_runs_and_is_announced(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        site = await here.site()
        assert here.part._parts.house.announcement().web == site.web.port


async def test_the_home_as_a_phone_sees_it(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        missed = press(1, Outcome.MISSED, door=key("Gate").hex(), at=time.time())
        answered = press(2, Outcome.ANSWERED, door=key("Gate").hex(), at=time.time() - 9)
        await here.happened(missed, answered)
        await here.ledger.run(LedgerFile.put_picture, missed.id, JPEG)
        line = await here.line(ALICE)
        told = await line.ask("home")
        assert (told["home_name"], told["node"], told["missed"]) == ("Our house", "Hall", 1)
        gate = {"id": DEVICES["Gate"].device_id, "name": "Gate", "state": "ready", "picture": missed.id, "lock": True}
        assert told["doors"] == [gate | {"trouble": [], "dark": False, "contact": None}]
        assert {row["name"]: row["role"] for row in told["members"]} == {
            "Hall": "screen", "Gate": "door", "Lock": "lock", "Alice": "phone",
        }  # fmt: skip
        assert told["me"]["name"] == "Alice"
        assert told["me"]["quiet"] is None
        assert told["can"] == ["hand_over"]
        assert await line.ask("hand_over", call="x", to="Hall") == {"door": "x", "to": "Hall"}
        visits = (await line.ask("history", limit=1))["visits"]
        assert [(visit["id"], visit["door"], visit["result"], visit["picture"], visit["seen"]) for visit in visits] == [
            (missed.id, "Gate", "missed", True, False)
        ]
        (older,) = (await line.ask("history", before=missed.id))["visits"]
        assert (older["id"], older["result"], older["picture"]) == (answered.id, "answered", False)
        assert older["then"] == []
        assert base64.b64decode((await line.ask("picture", id=missed.id))["jpeg"]) == JPEG
        assert (await line.ask("picture", id=answered.id))["code"] == "unknown"
        assert await line.ask("seen", ids=[missed.id]) == {}
        assert (await line.ask("home"))["missed"] == 0


async def test_a_missed_visitor_is_told_of(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        await line.ask("home")
        await here.happened(press(1, Outcome.ANSWERED, door=key("Gate").hex(), at=time.time()))
        await line.event("home")
        await here.happened(press(2, Outcome.MISSED, door=key("Gate").hex(), at=time.time()))
        assert (await line.event("missed"))["visit"]["id"] == press(2).id


async def test_who_answered_is_told_of_at_once(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        note = {"about": "answered", "press": "0" * 16, "by": key("Hall").hex()}
        for wrong in ({"by": "x"}, {"by": 3}, {"by": "00"}, {"press": "x"}):
            here.hall.note(key("Gate"), note | wrong)
        here.hall.note(key("Lock"), note)
        here.hall.note(key("Gate"), note)
        told = await line.event("answered")
        assert (told["press"], told["by"], told["by_id"]) == ("0" * 16, "Hall", DEVICES["Hall"].device_id)
        assert not [event for event in line.events if event["event"] == "answered"]


async def test_a_phone_opens_the_lock_with_its_own_key(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        receipt = await opened(line, ALICE, here)
        assert (receipt.result, receipt.person, receipt.opener) == (grants.Result.OPENED, "Alice", ALICE.key)


async def opened(line: Line, phone: Signer, here: Here, door: str = "Gate") -> grants.Receipt:
    ask = grants.to_note(grants.Ask(bytes(range(16)), phone.key))
    answer = await line.ask("open.ask", door=DEVICES[door].device_id, note=ask)
    assert answer["lock"] == key("Lock").hex(), answer
    challenge = grants.parse(answer["note"])
    assert isinstance(challenge, grants.Challenge)
    body = {
        "home": here.part.house.home, "lock": answer["lock"], "nonce": challenge.nonce.hex(),
        "opener": phone.key.hex(), "person": "Alice", "within": challenge.within,
    }  # fmt: skip
    text = json.dumps(body).encode()
    sealed = base64.b64encode(phone.sign(grants.GRANT_PURPOSE + text) + text).decode()
    note = {"about": "grant", "step": "grant", "ask": ask["ask"], "grant": sealed}
    answer = await line.ask("open.grant", note=note)
    step = grants.parse(answer["note"])
    assert isinstance(step, grants.ReceiptNote)
    again = await line.ask("open.grant", note=note)
    assert again == {"code": "refused", "text": "no lock was asked for that"}
    return step.receipt


async def test_a_node_carries_no_notes_of_others(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice"), admit_phone("Bob")) as here:
        line = await here.line(ALICE)
        note = grants.to_note(grants.Ask(bytes(16), BOB.key))
        assert (await line.ask("open.ask", door="Gate", note=note))["code"] == "refused"
        assert (await line.ask("open.grant", note=note))["code"] == "refused"
        assert (await line.ask("open.ask", door="Gate", note={"step": "x"}))["code"] == "wrong"
        assert (await line.ask("open.ask", door="Gate"))["code"] == "wrong"
        own = grants.to_note(grants.Ask(bytes(16), ALICE.key))
        assert (await line.ask("open.ask", door="Cellar", note=own))["code"] == "unknown"


async def test_what_a_phone_may_not(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice", permissions=[])) as here:
        line = await here.line(ALICE)
        for what, args in (
            ("history", {}), ("picture", {"id": "x"}), ("seen", {"ids": []}), ("phones", {}),
            ("phone.add", {"name": "Bob"}), ("revoke", {"id": "x"}), ("hand_over", {"call": "x", "to": "Hall"}),
        ):  # fmt: skip
            assert (await line.ask(what, **args))["code"] == "refused"
        assert (await line.ask("nothing"))["code"] == "unknown"


async def test_a_phone_that_may_lets_others_in_and_puts_them_out(tmp_path: Path) -> None:
    everything = [Permission.VIEW, Permission.ADMIT]
    async with home(tmp_path, admit_phone("Alice", permissions=everything)) as here:
        line = await here.line(ALICE)
        invited = await line.ask("phone.add", name="Bob", permissions=["view"])
        assert invited["svg"].startswith("<svg")
        scanned, site = Scanned.of(invited["url"]), await here.site()
        headers = {"Content-Type": "application/json"}
        await site.get("/pair", "POST", data=bytes(scanned.request(BOB)), headers=headers)
        assert (await line.event("joined"))["name"] == "Bob"
        (bob,) = [each for each in (await line.ask("phones"))["phones"] if each["name"] == "Bob"]
        other = await here.line(BOB)
        sip = await site.attached(BOB)
        assert await line.ask("revoke", id=bob["id"]) == {}
        for ws in (sip, other.ws):
            while "refused" not in (message := await said(ws)):
                continue
            assert message["refused"]["code"] == "revoked"
            assert await closed(ws) == 4403
        await until(lambda: here.lines.flows[BOB.key].gone)


async def test_a_guest_is_cut_when_its_time_is_over(tmp_path: Path) -> None:
    end = int(time.time()) + 2
    async with home(tmp_path, admit_phone("Alice", end)) as here:
        sip = await (await here.site()).attached(ALICE)
        assert (await said(sip, 4))["refused"]["code"] == "expired"
        assert time.time() >= end


async def test_quiet_hours_are_told_to_calls_and_kept(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        hours = {"from": "00:00", "to": "23:59", "tz_offset": 0}
        assert await line.ask("quiet", **hours) == {}
        assert here.lines.quiet[ALICE.key] is True
        assert (await line.ask("home"))["me"]["quiet"] == {"from": "00:00", "to": "23:59"}
        stored = await asyncio.to_thread(here.state.load_table, Table.PHONES)
        assert stored.values.keys() == {ALICE.key.hex()}
        await (await here.site()).attached(ALICE)
        assert await line.ask("quiet", **{"from": None, "to": None}) == {}
        assert here.lines.quiet[ALICE.key] is False
        assert (await line.ask("quiet", **{"from": "x", "to": "07:00"}))["code"] == "wrong"


async def test_where_messages_go(tmp_path: Path) -> None:
    subscription = {"endpoint": "https://push.example.org/x", "keys": {"p256dh": "BA", "auth": "xx"}}
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        told = await line.ask("push")
        assert len(told["key"]) == 87
        assert await line.ask("push", subscription=subscription) == told
        assert (await line.ask("home"))["me"]["push"] is True
        assert await line.ask("push", subscription=None) == told
        assert (await line.ask("home"))["me"]["push"] is False
        inside = subscription | {"endpoint": "https://192.168.1.1/x"}
        assert (await line.ask("push", subscription=inside))["code"] == "wrong"


async def test_clients_that_register_by_digest(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        site = await here.site()
        assert await closed(await site.open("/sip", "sip")) == 4429
        here.part.house.clients = here.lines
        await site.open("/sip", "sip")
        await until(lambda: b"127.0.0.1" in here.lines.flows)


async def test_the_door_learns_of_the_picture(tmp_path: Path) -> None:
    async with home(tmp_path, admit_phone("Alice")) as here:
        line = await here.line(ALICE)
        assert await line.ask("shown", call="abc@x", press="0" * 16) == {}
        assert here.lines.pictures == [(ALICE.key, "abc@x")]


async def test_a_server_that_cannot_start_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webstart, "RETRY", 0.05)
    wrong = WebConfig(port=0, certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    async with home(tmp_path, web=wrong) as here:
        with pytest.raises(Exception, match="cannot be served"):
            await here.part.desk.invite("Alice")
        state = here.state.path
        own = await asyncio.to_thread(_own_certificate, state)
        await asyncio.to_thread((tmp_path / "cert.pem").write_bytes, own)
        await asyncio.to_thread((tmp_path / "key.pem").write_bytes, own)
        assert (await here.part.desk.invite("Alice")).url.startswith("https://")


def _own_certificate(folder: Path) -> bytes:
    from meshdoor.web.certificate import Names, self_signed

    return self_signed(Names("Hall", ("hall",))).to_pem()


