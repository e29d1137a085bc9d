"""A house in which SIP clients open the lock, with an endpoint on loopback or a page in the part of the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from meshdoor.calls.codes import WRONG_IN_CALL, WRONG_OVER_CALLS
from meshdoor.config import Config, LockConfig
from meshdoor.node import calls
from meshdoor.node.accounts import Accounts, Wanted
from meshdoor.node.lock import Audit
from meshdoor.node.openers import Kept, Openers
from meshdoor.node.opening import Openings, lock_of
from meshdoor.node.unlocking import open_for_clients
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import RELAY
from meshdoor.sip.flow import Target
from meshdoor.sip.message import Response
from meshdoor.sip.uri import SipUri
from tests.node.attached import Phone as Page
from tests.node.clients import Engine, Here, Phone, Secret, here, register
from tests.patience import until

CODE = "4711"
TEXT = (("Content-Type", "text/plain"),)


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

    async def info(self, invite: sip.IncomingInvite | sip.Answered, digits: str) -> list[int]:
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
    """With a stand-in for the media engine."""
    audits: list[Audit] = []
    saved: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "Engine", Engine)
        async with _house(audits, saved) as made:
            yield made


@asynccontextmanager
async def _house(audits: list[Audit], saved: list[dict[str, Any]]) -> AsyncIterator[Opening]:
    async with here() as home:
        hall = home.hall
        lock = lock_of(Config(lock=LockConfig("Gate", 0.1)), hall.house, audits.append)
        assert lock is not None
        async with lock:
            openings = Openings(hall.house, lock)
            kept = Kept({}, saved.append)
            openers = open_for_clients(hall.calls, hall.house, openings, kept, (home.adopted, home.accounts))
            yield Opening(home, openers, home.accounts, openings, audits, saved, lock)


@asynccontextmanager
async def writing(transport: str, *permissions: str) -> AsyncIterator[tuple[Opening, Phone]]:
    """A client that has registered by digest."""
    async with opening() as made:
        wanted = Wanted("Tablet", list(permissions) or None)
        account = await made.accounts.add(made.home.desk, "", wanted)
        secret = Secret()
        secret.learn(account)
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
