"""SIP clients that were adopted or that registered, with an endpoint on loopback in the part of the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from meshdoor.calls.clients import Keying
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.mesh.acceptor import listen
from meshdoor.node import adopted as module
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
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.message import Request, Response
from meshdoor.sip.uri import SipUri, parse_uri
from meshdoor.transport.tcp import TcpTransport
from meshdoor.transport.udp import UdpTransport, bind
from tests.fakes.web import FakeWeb
from tests.node.test_calls import Node, RunningEngine, services
from tests.patience import until
from tests.transport.ends import End
from tests.transport.udp_strangers import Stranger

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
    desk: PhoneDesk
    saved: list[dict[str, Any]]

    def row(self) -> Any:
        return next((peer for peer in self.gate.calls.peers() if peer.member.name == "Tablet"), None)

    async def adopt(self, uri: str = "", **more: Any) -> Any:
        wanted = {"uri": uri or self.phone.uri, "name": "Tablet"} | more
        return await self.adopted.table(self.desk)["adopt"](wanted, lambda step: None)

    async def reached(self) -> None:
        await until(lambda: self.row() is not None and self.row().state == "ready")

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
        running = asyncio.create_task(adopted.run())
        try:
            await asyncio.sleep(0)
            desk = PhoneDesk(hall.house, FakeWeb().open)
            yield Here(gate, hall, phone, adopted, desk, saved)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_an_adopted_client_rings_with_the_house_and_talks(transport: str) -> None:
    async with here(transport) as home:
        said = await home.adopt()
        assert said["joined"] == "Tablet"
        assert said["product"] == ""
        assert transport in said["warning"]
        await home.reached()
        invite = await home.press()
        assert invite.request.from_.display == "Gate"
        assert "Meshdoor-Press" not in invite.request.headers
        offer = SessionDescription.parse(invite.request.body)
        assert [media.profile for media in offer.media] == ["RTP/SAVP"] * 2
        assert home.row().state == "ringing"
        home.phone.accept(invite)
        await home.hall.tells("over", why="answered elsewhere")
        await until(lambda: home.row().state == "in_call")
        with home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await home.gate.tells("over", why="answered")
        await until(lambda: home.row().state == "ready")


async def test_who_answers_elsewhere_is_told_to_the_client() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        home.hall.calls.answer(None, None)
        cancelled = await home.phone.one(sip.Cancelled)
        assert str(cancelled.reasons[0]) == 'SIP;cause=200;text="Call completed elsewhere"'


async def test_a_client_declines_for_itself() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        invite = await home.press()
        with home.phone.endpoint.acting() as now:
            invite.session.reject(603, now)
        await home.gate.tells("step", member="Tablet", step="ended", detail="declined")
        assert not home.hall.told("over")


async def test_requests_in_a_call_are_carried() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        invite = await home.press()
        home.phone.accept(invite)
        await home.phone.one(sip.Confirmed)
        with home.phone.endpoint.acting() as now:
            invite.session.info(b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", now)
        assert (await home.phone.one(sip.ResponseReceived)).response.status == 200
        assert (await home.gate.tells("dtmf"))["from"] == "Tablet"
        with home.phone.endpoint.acting() as now:
            invite.session.request("OPTIONS", (), b"", now)
        await until(lambda: len(home.phone.all(sip.ResponseReceived)) == 2)
        assert home.phone.all(sip.ResponseReceived)[-1].response.status == 405


async def test_another_offer_in_a_call_is_carried_and_so_is_its_answer() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        invite = await home.press()
        home.phone.accept(invite)
        await home.phone.one(sip.Confirmed)
        said = SessionDescription.parse(invite.session.local_body)
        with home.phone.endpoint.acting() as now:
            invite.session.reinvite(invite.session.local_body.replace(b"a=sendrecv", b"a=recvonly"), now)
        again = SessionDescription.parse((await home.phone.one(sip.AnswerReceived)).body)
        assert again.media[0].attribute("sendonly") is not None
        assert said.media[0].port == 40000
        with home.phone.endpoint.acting() as now:
            invite.session.reinvite(invite.session.local_body.replace(b"RTP/SAVP", b"RTP/AVP"), now)
        assert (await home.phone.one(sip.OfferRejected)).response.status == 488


async def test_a_client_whose_connection_breaks_while_it_rings_is_lost() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        await home.phone.transport.aclose()
        await home.gate.tells("step", member="Tablet", step="ended")
        assert not home.gate.told("over")


async def test_the_visitor_leaves() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        await home.press()
        home.gate.calls.hang_up()
        assert (await home.phone.one(sip.Cancelled)).reasons == ()


async def test_a_revoked_client_is_cut_off_and_forgotten() -> None:
    async with here() as home:
        await home.adopt()
        await home.reached()
        invite = await home.press()
        home.phone.accept(invite)
        await home.phone.one(sip.Confirmed)
        home.desk.revoke("Tablet")
        await home.phone.one(sip.Ended)
        await until(lambda: home.row() is None)


async def test_a_client_that_does_not_answer_is_adopted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    monkeypatch.setattr(module, "WHILE_AWAY", 0.05)
    monkeypatch.setattr(module, "WHILE_THERE", 0.05)
    async with here() as home:
        port = home.phone.transport.port
        await home.phone.endpoint.__aexit__(None, None, None)
        uri = f"sip:tablet@{HOST}:{port};transport=tcp"
        assert (await home.adopt(uri))["product"] is None
        assert home.row().state == "unreachable"
        async with Phone("TCP", port=port).endpoint:
            await home.reached()
        await until(lambda: home.row().state == "unreachable")


async def test_what_is_kept_is_found_again() -> None:
    async with here() as home:
        said = await home.adopt(transport="tcp", media="dtls")
        (kept,) = home.saved[-1].values()
        assert kept == {"uri": said["uri"], "media": "dtls"}
        damaged = home.saved[-1] | {"xx": kept, "ab" * 32: {"uri": "tel:5"}, "cd" * 32: 5}
        again = Adopted(home.hall.house, home.hall.calls, damaged, home.saved.append)
        with pytest.raises(Refused, match="is at"):
            await again.adopt(home.desk, module.Place(SipUri.parse(said["uri"]), Keying.DTLS), "Twin")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"uri": "kitchen"}, UserError),
        ({"media": "zrtp"}, UserError),
        ({"transport": "pigeon"}, UserError),
        ({"name": "Hall"}, Refused),
        ({"uri": f"sips:tablet@{HOST}:1"}, NotFound),
    ],
)
async def test_what_cannot_be_adopted(wrong: dict[str, str], expected: type[UserError]) -> None:
    async with here() as home:
        with pytest.raises(expected):
            await home.adopt(**wrong)
        assert not home.saved


@dataclass
class Secret:
    """What a client knows."""

    digest: DigestClient

    def authorize(self, request: Request, response: Response) -> Sequence[tuple[str, str]]:
        sent: Credentials | None = next(iter(request.authorization), None)
        if not self.digest.challenged(response.www_authenticate, sent):
            return ()
        return [("Authorization", str(self.digest.authorize(request.method, str(request.uri), request.body)))]


@asynccontextmanager
async def registering(transport: str) -> AsyncIterator[tuple[Here, Phone]]:
    async with here() as home:
        accounts = Accounts(home.hall.house, home.hall.calls.attachments, {}, lambda table: None)
        home.hall.calls.registrations.accounts = accounts
        made = await accounts.add(home.desk, "", Wanted("Tablet"))
        secret = Secret(DigestClient(made["user"], made["secret"], ("SHA-256", "MD5")))
        phone = Phone(transport, made["user"], authorize=secret.authorize)
        async with phone.endpoint:
            yield home, phone


async def register(home: Here, phone: Phone, expires: int = 600) -> Response:
    target = phone.to(home.hall)
    headers = (("Contact", f"<{phone.uri}>;expires={expires}"),)
    account = NameAddr(None, SipUri("sip", phone.user, None, HOST))
    aimed = Target(account.uri, target.flow, caller=account)
    return (await phone.endpoint.ask(aimed, "REGISTER", headers)).response


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


async def test_the_address_of_a_client_gets_what_it_is_due() -> None:
    async with here("UDP") as home:
        way = Flow("UDP", (HOST, 5060), (HOST, 9))
        assert not home.hall.calls.endpoint.proven(way)
        await home.adopt()
        await home.reached()
        assert home.hall.calls.endpoint.proven(way)
        assert not home.hall.calls.endpoint.proven(replace(way, remote=("127.0.0.2", 9)))


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


def answer_of() -> SessionDescription:
    """An offer of sound under a key."""
    return SessionDescription.parse(
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 40000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
        b"inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
        b"m=video 40002 RTP/SAVP 96\r\na=rtpmap:96 VP8/90000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
        b"inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    )
