"""A gate, a hall, and a SIP client that the hall knows: an endpoint on loopback plays its part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from meshdoor.mesh.acceptor import listen
from meshdoor.node import calls
from meshdoor.node.accounts import Accounts, Wanted
from meshdoor.node.adopted import Adopted
from meshdoor.node.phones import PhoneDesk
from meshdoor.sdp.answer import Capabilities, TrackCapability, answer_offer
from meshdoor.sdp.codec import Codec
from meshdoor.sdp.description import SessionDescription
from meshdoor.sip import events as sip
from meshdoor.sip.credentials import Credentials
from meshdoor.sip.digest import DigestClient
from meshdoor.sip.flow import Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Request, Response
from meshdoor.sip.uri import SipUri, parse_uri
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
from tests.fakes.web import FakeWeb
from tests.node.test_calls import Node, RunningEngine, services
from tests.patience import until
from tests.transport.ends import End

HOST = "127.0.0.1"
SUITE = "AES_CM_128_HMAC_SHA1_80"
SOUND = TrackCapability("audio", 40000, (Codec(0, "PCMU", 8000),), (SUITE,), plain=False)


class Engine(RunningEngine):
    """Knows of phones."""

    async def prepare(self) -> None:
        """Nothing to load."""

    async def key_frame(self) -> None:
        """There is no camera."""


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "Engine", Engine)


class Phone(End):
    """A SIP phone of somebody else's."""

    def __init__(self, transport: str = "TCP", user: str = "tablet", port: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        self.user = user
        self.transport: TcpTransport | UdpTransport
        self.transport = (
            TcpTransport(listen(port, (HOST,))) if transport == "TCP" else UdpTransport(bind(port, (HOST,)))
        )
        self.trusted = True
        self.endpoint.add(self.transport)

    @property
    def uri(self) -> str:
        transport = "tcp" if isinstance(self.transport, TcpTransport) else "udp"
        return f"sip:tablet@{HOST}:{self.transport.port};transport={transport}"

    def answer(self, offer: bytes) -> bytes:
        able = Capabilities(HOST, (SOUND,), 1)
        return bytes(answer_offer(SessionDescription.parse(offer), able).description)

    async def early(self) -> sip.IncomingInvite:
        """It rings, and shows the visitor."""
        invite = await self.one(sip.IncomingInvite)
        with self.endpoint.acting() as now:
            invite.session.provisional(180, b"", now)
            invite.session.provisional(183, self.answer(invite.request.body), now)
        return invite

    def accept(self, invite: sip.IncomingInvite) -> None:
        with self.endpoint.acting() as now:
            invite.session.accept(self.answer(invite.request.body), now)

    def to(self, node: Node, user: str = "hall") -> Target:
        port = node.calls.outside.tcp.port
        way = self.transport.flow((HOST, port))
        return Target(parse_uri(f"sip:{user}@{HOST}:{port}"), way, caller=NameAddr(None, parse_uri("sip:anna@home")))


@dataclass
class Here:
    """A gate, a hall and a phone that the hall knows."""

    gate: Node
    hall: Node
    phone: Phone
    adopted: Adopted
    accounts: Accounts
    desk: PhoneDesk
    saved: list[dict[str, Any]]

    def row(self) -> Any:
        return next((peer for peer in self.gate.calls.peers() if peer.member.name == "Tablet"), None)

    async def adopt(self, uri: str = "", **more: Any) -> Any:
        wanted = {"uri": uri or self.phone.uri, "name": "Tablet"} | more
        return await self.adopted.table(self.desk, self.accounts)["adopt"](wanted, lambda step: None)

    async def reached(self) -> None:
        await until(lambda: self.row() is not None and self.row().state == "ready")

    async def talking(self) -> sip.IncomingInvite:
        """The phone was adopted, and has answered a press."""
        await self.adopt()
        await self.reached()
        invite = await self.press()
        self.phone.accept(invite)
        await self.phone.one(sip.Confirmed)
        return invite

    async def press(self) -> sip.IncomingInvite:
        """Somebody pressed, and the phone shows the visitor."""
        self.gate.calls.ring()
        invite = await self.phone.early()
        await self.gate.tells("step", member="Tablet", step="early")
        return invite


@asynccontextmanager
async def here(transport: str = "TCP") -> AsyncIterator[Here]:
    saved: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        gate, hall = await stack.enter_async_context(services("Gate", "Hall"))
        phone = Phone(transport, product="Linphone/5.1")
        await stack.enter_async_context(phone.endpoint)
        adopted = Adopted(hall.house, hall.calls, {}, saved.append)
        accounts = hall.calls.registrations.accounts = Accounts(
            hall.house, hall.calls.attachments, {}, lambda table: None
        )
        running = asyncio.create_task(adopted.run())
        try:
            await asyncio.sleep(0)
            desk = PhoneDesk(hall.house, FakeWeb().open)
            yield Here(gate, hall, phone, adopted, accounts, desk, saved)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@dataclass
class Secret:
    """What a client knows, if anything."""

    digest: DigestClient | None = None

    def learn(self, made: Any) -> None:
        """What a node has said when it let the client in."""
        self.digest = DigestClient(made["user"], made["secret"], ("SHA-256", "MD5"))

    def authorize(self, request: Request, response: Response) -> Sequence[tuple[str, str]]:
        sent: Credentials | None = next(iter(request.authorization), None)
        if self.digest is None or not self.digest.challenged(response.www_authenticate, sent):
            return ()
        return [("Authorization", str(self.digest.authorize(request.method, str(request.uri), request.body)))]


@asynccontextmanager
async def registering(transport: str) -> AsyncIterator[tuple[Here, Phone]]:
    async with here() as home:
        secret = Secret()
        secret.learn(made := await home.accounts.add(home.desk, "", Wanted("Tablet")))
        phone = Phone(transport, made["user"], authorize=secret.authorize)
        async with phone.endpoint:
            yield home, phone


@asynccontextmanager
async def proving(home: Here, transport: str, **more: Any) -> AsyncIterator[Phone]:
    """A client that was adopted with a secret, which it knows."""
    secret = Secret()
    phone = Phone(transport, authorize=secret.authorize)
    async with phone.endpoint:
        secret.learn(await home.adopt(phone.uri, digest=True, **more))
        await home.reached()
        yield phone


async def register(home: Here, phone: Phone, expires: int = 600) -> Response:
    target = phone.to(home.hall)
    headers = (("Contact", f"<{phone.uri}>;expires={expires}"),)
    account = NameAddr(None, SipUri("sip", phone.user, None, HOST))
    aimed = Target(account.uri, target.flow, caller=account)
    return (await phone.endpoint.ask(aimed, "REGISTER", headers)).response


def answer_of() -> SessionDescription:
    """An offer of sound under a key."""
    return SessionDescription.parse(
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 40000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
        b"inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
        b"m=video 40002 RTP/SAVP 96\r\na=rtpmap:96 VP8/90000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
        b"inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    )
