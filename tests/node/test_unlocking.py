"""Opening from SIP clients, with an endpoint on loopback in the part of the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from meshdoor.calls.codes import SHUT_FIRST, WRONG_IN_CALL, WRONG_OVER_CALLS
from meshdoor.calls.hosts import host_of
from meshdoor.calls.texts import HELP
from meshdoor.config import Config, LockConfig
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.media.reports import DtmfReceived
from meshdoor.node import calls
from meshdoor.node.accounts import Accounts, Wanted
from meshdoor.node.lock import Audit
from meshdoor.node.openers import OVERHEARD, Kept, Openers
from meshdoor.node.opening import Openings, lock_of
from meshdoor.node.unlocking import open_for_clients
from meshdoor.sip import events as sip
from meshdoor.sip.core import no_credentials
from meshdoor.sip.digest import DigestClient
from meshdoor.sip.dtmf import RELAY
from meshdoor.sip.flow import Target
from meshdoor.sip.message import Response
from meshdoor.sip.uri import SipUri
from meshdoor.trust.grants import Result
from tests.media.peer import until
from tests.node.attached import Phone as Page
from tests.node.test_clients import Engine, Here, Phone, Secret, here, register
from tests.trust.house import DEVICES

CODE = "4711"
TEXT = (("Content-Type", "text/plain"),)


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "Engine", Engine)


@dataclass(slots=True)
class Opening:
    """A hall that has the lock of the gate, and opens it for clients."""

    home: Here
    openers: Openers
    accounts: Accounts
    openings: Openings
    audits: list[Audit]
    saved: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = None

    async def pin(self, member: str = "Tablet", code: str | None = CODE) -> Any:
        return await self.openers.table()["pin"]({"member": member, "code": code}, lambda step: None)

    def opened(self) -> list[tuple[str, str]]:
        return [(audit.person, str(audit.result)) for audit in self.audits]

    async def talking(self) -> sip.IncomingInvite:
        """A phone was adopted, and has answered a press."""
        await self.home.adopt()
        await self.home.reached()
        return await self.answered()

    async def answered(self) -> sip.IncomingInvite:
        """The phone has answered a press."""
        for told in (self.home.gate.events, self.home.hall.events, self.home.phone.events):
            told.clear()
        invite = await self.home.press()
        self.home.phone.accept(invite)
        await self.home.gate.tells("step", member="Tablet", step="answered")
        return invite

    async def shut_out(self) -> sip.IncomingInvite:
        """A phone has a code, typed too many wrong ones in two calls, and is in the next one."""
        invite = await self.talking()
        await self.pin()
        for wrong in (WRONG_IN_CALL, WRONG_OVER_CALLS - WRONG_IN_CALL):
            for number in range(1, wrong + 1):
                await self.info(invite, "4712#")
                await self.result("wrong code", number)
            await self.end(invite)
            invite = await self.answered()
        return invite

    async def end(self, invite: sip.IncomingInvite) -> None:
        with self.home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await self.home.gate.tells("over", why="answered")
        await self.home.reached()

    async def info(self, invite: sip.IncomingInvite, digits: str) -> list[int]:
        """What is answered to these digits."""
        phone, answers = self.home.phone, []
        for digit in digits:
            count = len(phone.all(sip.ResponseReceived))
            with phone.endpoint.acting() as now:
                invite.session.info(f"Signal={digit}\r\nDuration=160\r\n".encode(), RELAY, now)
            await until(partial(self._answered, count))
            answers.append(phone.all(sip.ResponseReceived)[-1].response.status)
        return answers

    def _answered(self, before: int) -> bool:
        return len(self.home.phone.all(sip.ResponseReceived)) > before

    async def result(self, result: str, number: int = 1) -> None:
        """Until the hall has told so for the nth time."""
        await until(lambda: len(self.home.hall.told("opening", result=result)) == number)


@asynccontextmanager
async def opening() -> AsyncIterator[Opening]:
    audits: list[Audit] = []
    saved: list[dict[str, Any]] = []
    async with here() as home:
        hall = home.hall
        lock = lock_of(Config(lock=LockConfig("Gate", 0.1)), hall.house, audits.append)
        assert lock is not None
        async with lock:
            accounts = Accounts(hall.house, hall.calls.attachments, {}, lambda table: None)
            hall.calls.registrations.accounts = accounts
            openings = Openings(hall.house, lock)
            kept = Kept({}, saved.append)
            openers = open_for_clients(hall.calls, hall.house, openings, kept, (home.adopted, accounts))
            yield Opening(home, openers, accounts, openings, audits, saved, lock)


@asynccontextmanager
async def writing(transport: str, *permissions: str) -> AsyncIterator[tuple[Opening, Phone]]:
    """A client that has registered by digest."""
    async with opening() as made:
        wanted = Wanted("Tablet", list(permissions) or None)
        account = await made.accounts.add(made.home.desk, "", wanted)
        secret = Secret(DigestClient(account["user"], account["secret"], ("SHA-256", "MD5")))
        phone = Phone(transport, account["user"], authorize=secret.authorize)
        async with phone.endpoint:
            assert (await register(made.home, phone)).status == 200
            await made.home.reached()
            yield made, phone


@asynccontextmanager
async def on_a_socket(*permissions: str) -> AsyncIterator[tuple[Opening, Page]]:
    """A client that has registered over a WebSocket."""
    async with opening() as made:
        account = await made.accounts.add(made.home.desk, "", Wanted("Tablet", list(permissions) or None))
        page = Page(user="tablet")
        page.key = made.accounts.member_of(account["user"])
        page.attach(made.home.hall)
        await made.home.reached()
        yield made, page


def writes(page: Page, user: str, host: str, body: bytes = b"open") -> None:
    target = Target(SipUri("sip", user, None, host), page.flow)
    page.act(lambda now: page.stack.send_request(target, "MESSAGE", now, TEXT, body))


async def said_to(page: Page) -> str:
    """What came back as a message; the page takes it."""
    event = await page.one(sip.RequestReceived)
    page.act(lambda now: page.stack.respond(event, 200, now))
    assert event.request.method == "MESSAGE"
    return event.request.body.decode()


async def talks(made: Opening, page: Page) -> sip.IncomingInvite:
    """Somebody pressed, and the client has answered."""
    for told in (made.home.gate.events, made.home.hall.events):
        told.clear()
    made.home.gate.calls.ring()
    invite = await page.rung()
    page.answer(invite)
    await made.home.gate.tells("step", member="Tablet", step="answered")
    return invite


async def write(phone: Phone, target: Target, body: bytes = b"open", headers: Any = TEXT) -> Response:
    return (await phone.endpoint.ask(target, "MESSAGE", headers, body)).response


async def told(phone: Phone, count: int = 1) -> str:
    """What came back as a message."""
    await until(lambda: len(phone.all(sip.RequestReceived)) >= count)
    event = phone.all(sip.RequestReceived)[count - 1]
    phone.endpoint.respond(event, 200)
    assert event.request.method == "MESSAGE"
    assert event.request.content_type == "text/plain"
    return event.request.body.decode()


async def test_a_code_as_info_opens_the_lock_of_the_door_that_it_is_typed_to() -> None:
    async with opening() as made:
        invite = await made.talking()
        said = await made.pin()
        assert (said["name"], said["by_code"], said["warning"]) == ("Tablet", True, OVERHEARD)
        assert await made.info(invite, CODE) == [200] * 4
        assert not made.audits
        await made.info(invite, "#")
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]
        assert made.audits[0].opener != DEVICES["Hall"].key
        assert not made.home.gate.told("dtmf")  # the door does not learn the code
        assert made.home.hall.told("opening", who="Tablet", by="code", result="opened")


async def test_a_code_with_the_sound_comes_by_the_door() -> None:
    async with opening() as made:
        await made.talking()
        await made.pin()
        (talk,) = made.home.gate.calls.pressing.talks()
        for digit in f"*{CODE}#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]


async def test_a_client_on_a_socket_opens_by_a_code_as_info() -> None:
    async with on_a_socket() as (made, page):
        await made.pin()
        invite = await talks(made, page)
        for digit in f"{CODE}#":
            body = f"Signal={digit}\r\nDuration=160\r\n".encode()
            page.act(lambda now, body=body: invite.session.info(body, RELAY, now))  # type: ignore[misc]
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]


async def test_a_client_on_a_socket_opens_by_a_code_with_the_sound_while_it_talks() -> None:
    async with on_a_socket() as (made, page):
        await made.pin()
        made.home.gate.calls.ring()
        invite = await page.rung()
        note = {"about": "digit", "of": page.key.hex()}
        for digit in f"{CODE}#":  # nobody has answered
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        page.answer(invite)
        await made.home.gate.tells("step", member="Tablet", step="answered")
        for digit in f"{CODE}#":  # not the door that it talks with
            made.home.hall.house.note(DEVICES["Kitchen"].key, note | {"digit": digit})
        (talk,) = made.home.gate.calls.pressing.talks()
        for digit in "4712#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("wrong code")
        assert not made.audits
        for digit in f"{CODE}#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("opened")


async def test_without_a_code_digits_are_for_the_door() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.info(invite, f"{CODE}#")
        assert len(made.home.gate.told("dtmf")) == 5
        await made.pin()
        await made.pin(code=None)
        await made.info(invite, f"{CODE}#")
        assert len(made.home.gate.told("dtmf")) == 10
        assert not made.audits


async def test_before_the_answer_and_after_the_end_nothing_is_typed() -> None:
    async with opening() as made:
        await made.home.adopt()
        await made.pin()
        await made.home.reached()
        invite = await made.home.press()
        assert set(await made.info(invite, f"{CODE}#")) == {403}
        note = {"about": "digit", "of": client(made).hex()}
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        made.home.phone.accept(invite)
        await made.home.gate.tells("step", member="Tablet", step="answered")
        with made.home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await made.home.gate.tells("over", why="answered")
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        await asyncio.sleep(0.3)
        assert not made.audits
        assert not made.home.hall.told("opening")


def client(made: Opening) -> bytes:
    """The key of the tablet."""
    return made.home.hall.house.membership.roster.find("Tablet").key


async def test_only_the_door_of_the_call_tells_digits(caplog: pytest.LogCaptureFixture) -> None:
    async with opening() as made:
        await made.talking()
        await made.pin()
        note = {"about": "digit", "of": client(made).hex()}
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Kitchen"].key, note | {"digit": digit})
        for wrong in ({"digit": "55"}, {"digit": 5}, {"of": "x"}, {"of": None}):
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": "5"} | wrong)
        await asyncio.sleep(0.3)
        assert not made.audits
        assert "a note that is wrong" in caplog.text


async def test_a_call_is_shut_after_three_wrong_codes() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.pin()
        for number in range(1, WRONG_IN_CALL + 1):
            await made.info(invite, "4712#")
            await made.result("wrong code", number)
        assert set(await made.info(invite, f"{CODE}#")) == {200}
        await asyncio.sleep(0.3)
        assert not made.audits


async def test_over_calls_a_member_is_shut_out_after_five(caplog: pytest.LogCaptureFixture) -> None:
    async with opening() as made:
        invite = await made.shut_out()
        assert "none of Tablet counts for 10 minutes" in caplog.text
        await made.info(invite, f"{CODE}#")
        await asyncio.sleep(0.3)
        assert not made.audits
        await made.pin(code="90417")
        await made.info(invite, "90417#")
        await made.result("opened")


def restarted(made: Opening, kept: Kept) -> Openers:
    """What opens for clients, anew."""
    hall = made.home.hall
    del hall.house.notes._handlers["digit"]
    return open_for_clients(hall.calls, hall.house, made.openings, kept, ())


async def test_a_restart_lets_nobody_try_again() -> None:
    async with opening() as made:
        invite = await made.shut_out()
        await until(lambda: "shut" in made.saved[-1][client(made).hex()])
        kept = Kept(made.saved[-1], made.saved.append)
        again = restarted(made, kept)
        await made.info(invite, f"{CODE}#")
        await asyncio.sleep(0.3)
        assert not made.audits
        ((key, shut),) = again.shut_out(time.time())
        assert key == client(made)
        assert SHUT_FIRST - 60 < shut.seconds <= SHUT_FIRST
        assert shut.times == 1
        made.openers = again
        await made.pin(code="90417")
        assert "shut" not in made.saved[-1][key.hex()]


async def test_who_is_shut_out_may_try_again_when_it_is_over() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.pin()
        key = client(made)
        stored = made.saved[-1][key.hex()] | {"shut": [time.time() - 1.0, 3]}
        kept = Kept({key.hex(): stored}, made.saved.append)
        restarted(made, kept)
        await made.info(invite, f"{CODE}#")
        await made.result("opened")
        assert "shut" not in made.saved[-1][key.hex()]


async def test_a_client_that_may_not_open_gets_no_code_and_opens_nothing() -> None:
    async with opening() as made:
        await made.home.adopt(permissions=["view", "talk"])
        with pytest.raises(Refused, match="may not open locks"):
            await made.pin()


@pytest.mark.parametrize(
    ("member", "code", "expected"),
    [
        ("Tablet", "1234", UserError),
        ("Tablet", "47", UserError),
        ("Hall", CODE, NotFound),
        ("Nobody", CODE, NotFound),
    ],
)
async def test_codes_that_are_not_taken(member: str, code: str, expected: type[UserError]) -> None:
    async with opening() as made:
        await made.home.adopt()
        with pytest.raises(expected):
            await made.pin(member, code)


async def test_only_a_hash_of_a_code_is_kept_and_it_is_found_again() -> None:
    async with opening() as made:
        await made.home.adopt()
        await made.pin()
        (stored,) = made.saved[-1].values()
        assert stored["code"].startswith("$argon2id$")
        assert CODE not in str(stored["code"]).partition("$argon2id$")[0]
        house, find = made.home.hall.house, made.home.hall.calls.client
        damaged = {"ab" * 32: stored, "x": 5, "cd" * 32: {"seed": "ab"}, "ef" * 32: {"seed": "zz"}}
        again = Openers(house, find, Kept(damaged | made.saved[-1], made.saved.append))
        assert list(again.by_code()) == [client(made)]
        assert await again.check(client(made), CODE)
        assert not await again.check(client(made), "4712")
        assert not await again.check(b"x" * 32, CODE)
        for wrong in ("x", [1], [None, 1], [float("nan"), 1], [10**400, 1], [1.0, "x"], 5):
            damaged = {client(made).hex(): stored | {"shut": wrong}}
            assert not list(Openers(house, find, Kept(damaged, len)).shut_out(0.0))
        broken = {client(made).hex(): stored | {"code": "$argon2id$what"}}
        assert not await Openers(house, find, Kept(broken, made.saved.append)).check(client(made), CODE)
        key = client(made)
        made.home.desk.revoke("Tablet")
        assert again.identity(key) is None
        assert not again.by_code()


async def test_what_was_adopted_before_there_were_keys_has_none() -> None:
    async with opening() as made:
        await made.home.adopt()
        made.openers._openers.clear()
        with pytest.raises(NotFound, match="no key of Tablet"):
            await made.pin()


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
