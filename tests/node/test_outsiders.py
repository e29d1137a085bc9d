"""Addresses outside and accounts at servers of others, with a server on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshdoor.config import AccountConfig
from meshdoor.errors import ConfigError, NotFound, Refused
from meshdoor.node import outside_account
from meshdoor.node.outside_account import OutsideAccount, read_secret
from meshdoor.node.outsiders import MAX_PARTIES
from meshdoor.sip import events as sip
from meshdoor.sip import uac
from meshdoor.sip.core import Config as SipConfig
from meshdoor.sip.credentials import Challenge
from meshdoor.sip.digest import DigestServer, make_ha1
from meshdoor.sip.flow import Flow, Target
from meshdoor.sip.headers import NameAddr
from meshdoor.sip.locate import Hop
from meshdoor.sip.message import Request
from meshdoor.sip.uri import SipUri
from meshdoor.sip.validate import Capabilities, Fault
from meshdoor.transport.endpoint import SipEndpoint
from meshdoor.transport.resolver import Resolver
from meshdoor.transport.udp import UdpTransport, bind
from tests.node.test_calls import Node, engines, services
from tests.patience import until

__all__ = ["engines"]

DOMAIN = "pbx.example"
ANSWER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 0 RTP/AVP 96\r\n"
)


class Server:
    """Registers who knows the secret, answers whoever calls, and calls whoever has registered."""

    def __init__(self, algorithm: str = "SHA-256") -> None:
        self.digest = DigestServer(DOMAIN, lambda user, name: make_ha1(name, user, DOMAIN, "secret"), (algorithm,))
        self.bound: list[Request] = []
        self.called: list[sip.IncomingInvite] = []
        self.seen: list[sip.Event] = []
        able = Capabilities(methods=(*Capabilities().methods, "REGISTER"))
        self.endpoint = SipEndpoint(SipConfig(policy=self.judge, capabilities=able), self.happened, lambda flow: True)
        self.transport = UdpTransport(bind(0, ("127.0.0.1",)))
        self.endpoint.add(self.transport)

    @property
    def uri(self) -> str:
        return f"sip:127.0.0.1:{self.transport.port};transport=udp"

    def judge(self, request: Request, flow: Flow) -> Fault | None:
        who = self.digest.authenticate(request, self.endpoint.now)
        asked: tuple[Challenge, ...] = who.challenges
        if who.username is not None or request.method != "REGISTER":
            return None
        return Fault(401, "who is it?", tuple(("WWW-Authenticate", str(each)) for each in asked))

    def happened(self, event: sip.Event) -> None:
        self.seen.append(event)
        if isinstance(event, sip.RequestReceived):
            if event.request.method == "REGISTER":
                self.bound.append(event.request)
            contacts = [("Contact", value) for value in event.request.headers.get_all("contact")]
            self.endpoint.respond(event, 200, contacts)
        elif isinstance(event, sip.IncomingInvite):
            self.called.append(event)
            event.session.provisional(183, ANSWER, self.endpoint.now)

    def call(self, user: str, name: str | None = "Bob") -> None:
        """Where this account has registered."""
        contact = self.bound[-1].contacts[0].uri
        assert isinstance(contact, SipUri)
        flow = self.transport.flow((contact.host, contact.port or 5060))
        caller = NameAddr(name, SipUri("sip", "bob", None, DOMAIN))
        self.endpoint.invite(Target(replace(contact, user=user), flow, caller=caller), ANSWER)


@asynccontextmanager
async def living(server: Server, *names: str, **settings: Any) -> AsyncIterator[list[Node]]:
    """The first node has an account there."""
    known = AccountConfig(f"sip:flat42@{DOMAIN}", proxy=server.uri, secret_file="secret", media="plain")
    account = settings.pop("account", known)
    async with server.endpoint, services(*names, accounts=(account,), **settings) as nodes:
        outsiders = nodes[0].calls.outsiders
        task = asyncio.create_task(outsiders.run(nodes[0].calls.button.routed))
        try:
            yield nodes
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture(autouse=True)
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("secret\n")
    monkeypatch.chdir(tmp_path)


def states(node: Node) -> list[object]:
    return [row["state"] for row in node.calls.outsiders.rows()]


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
async def test_an_account_registers_and_takes_its_leave(algorithm: str) -> None:
    server = Server(algorithm)
    async with living(server, "Hall", "Kitchen") as (hall, _):
        await until(lambda: states(hall) == ["registered"])
        (request,) = server.bound
        assert str(request.to.uri) == f"sip:flat42@{DOMAIN}"
        assert hall.calls.outsiders._accounts[0].state == "LinphoneRegistrationOk"
    assert server.bound[-1].contacts[0].parameter("expires") == "0"


async def test_a_wrong_secret_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret").write_text("guess\n")
    async with living(Server(), "Hall", "Kitchen") as (hall, _):
        await until(lambda: states(hall) == ["failed"])
    assert f"sip:flat42@{DOMAIN} is not registered: 401" in caplog.text
    assert "guess" not in caplog.text


async def test_an_account_without_its_secret_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret").unlink()
    async with living(Server(), "Hall", "Kitchen") as (hall, _):
        await until(lambda: "cannot be read" in caplog.text)
        assert states(hall) == []


async def test_a_press_rings_whom_the_routes_name() -> None:
    server = Server()
    routes = {"everyone": (f"sip:bob@{DOMAIN}",)}
    async with living(server, "Gate", "Hall", routes=routes) as (gate, hall):
        await until(lambda: states(gate) == ["registered"])
        assert gate.calls.ring()["rings"] == ["Hall", f"bob@{DOMAIN}"]
        await gate.tells("step", member=f"bob@{DOMAIN}", step="early")
        (called,) = server.called
        assert str(called.request.from_.uri) == f"sip:flat42@{DOMAIN}"
        with server.endpoint.acting() as now:
            called.session.accept(ANSWER, now)
        await gate.tells("step", member=f"bob@{DOMAIN}", step="answered")
        await hall.tells("over", why="answered elsewhere")
        gate.calls.hang_up()
        await until(lambda: any(isinstance(event, sip.Ended) for event in server.seen))


async def test_a_way_that_is_found_late_rings_late() -> None:
    server = Server()
    async with living(server, "Gate", "Hall", account=AccountConfig(f"sip:x@{DOMAIN}", register=False)) as (gate, _):
        uri = SipUri.parse(f"sip:bob@127.0.0.1:{server.transport.port}")
        gate.calls.ring(replace(gate.calls.button.routed(), outside=(uri,)))
        await until(lambda: bool(server.called))
        gate.calls.hang_up()
        assert (await gate.calls.outsiders.reach(uri)).uri == uri


@pytest.mark.parametrize(("incoming", "kind"), [("room", "call"), ("door", "visitor")])
async def test_who_calls_the_account_rings_here(incoming: str, kind: str) -> None:
    server = Server()
    account = AccountConfig(
        f"sip:flat42@{DOMAIN}", proxy=server.uri, secret_file="secret", media="plain", incoming=incoming
    )
    async with living(server, "Hall", "Kitchen", account=account) as (hall, _):
        await until(lambda: states(hall) == ["registered"])
        user = hall.calls.outsiders._accounts[0].contact_user
        server.call(user)
        await hall.tells(kind)
        named = hall.told(kind)[0]
        assert named.get("with", named.get("door")) == "Bob"
        hall.calls.answer(None, None)
        await until(lambda: any(isinstance(event, sip.Answered) for event in server.seen))
        hall.calls.hang_up()
        await until(lambda: any(isinstance(event, sip.Ended) for event in server.seen))


@pytest.mark.parametrize("incoming", ["room", "no"])
async def test_only_the_server_knows_the_name_that_rings(incoming: str) -> None:
    server = Server()
    account = AccountConfig(f"sip:flat42@{DOMAIN}", proxy=server.uri, secret_file="secret", incoming=incoming)
    async with living(server, "Hall", "Kitchen", account=account) as (hall, _):
        await until(lambda: states(hall) == ["registered"])
        own = hall.calls.outsiders._accounts[0].contact_user
        server.call("flat42" if incoming == "room" else own)
        await until(lambda: any(isinstance(event, sip.Rejected) for event in server.seen))
        assert not hall.told("call")


async def test_a_screen_calls_somebody_outside() -> None:
    server = Server()
    async with living(server, "Hall", "Kitchen") as (hall, _):
        await until(lambda: states(hall) == ["registered"])
        member = hall.calls.outsiders.member(SipUri.parse(f"sip:carol@{DOMAIN}"))
        hall.calls.want_engine()
        hall.calls.talking.call_member(member)
        await until(lambda: bool(server.called))
        hall.calls.hang_up()


async def test_scripts_open_accounts_and_end_them() -> None:
    server = Server()
    uri = server.uri
    async with living(server, "Hall", "Kitchen") as (hall, _):
        await until(lambda: states(hall) == ["registered"])
        made = hall.calls.outsiders.open_account(f"sip:door@{DOMAIN}", server.uri, "secret", "")
        assert made.state == "LinphoneRegistrationNone"
        await until(lambda: made.state == "LinphoneRegistrationOk")
        made.end()
        await until(lambda: states(hall) == ["registered"])
        with pytest.raises(ConfigError, match="not a SIP URI"):
            hall.calls.outsiders.open_account("door", server.uri, "secret", "")
    with pytest.raises(Refused, match="stopping"):
        hall.calls.outsiders.open_account(f"sip:door@{DOMAIN}", uri, "secret", "")


async def test_strangers_are_remembered_for_a_while() -> None:
    async with living(Server(), "Hall", "Kitchen") as (hall, _):
        outsiders = hall.calls.outsiders
        keys = outsiders.keys(SipUri.parse(f"sip:{number}@{DOMAIN}") for number in range(MAX_PARTIES + 1))
        assert outsiders.party(keys[0]) is None
        assert outsiders.party(keys[-1]) is not None
        assert outsiders.client(keys[0]) is None
        with pytest.raises(NotFound):
            await outsiders.reach(SipUri.parse("sip:x@nobody.local:5060;transport=udp"))


class Hops(Resolver):
    """Says where the server is."""

    def __init__(self, *hops: Hop) -> None:
        super().__init__()
        self.found = hops
        self.fails = 1

    async def hops(self, uri: SipUri, spoken: tuple[str, ...], preferred: str = "") -> tuple[Hop, ...]:
        if self.fails:
            self.fails -= 1
            raise NotFound("nobody knows")
        return self.found


async def test_where_one_way_fails_the_next_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_account, "SEARCH_AGAIN", (0.01, 0.02))
    monkeypatch.setitem(outside_account.PING, "UDP", (0.01, 0.02))
    server = Server()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = nobody.getsockname()[1]
    async with server.endpoint, services("Hall", "Kitchen") as (hall, _):
        resolver = Hops(Hop("TCP", "127.0.0.1", gone), Hop("UDP", "127.0.0.1", server.transport.port))
        config = AccountConfig(f"sip:flat42@{DOMAIN}")
        account = OutsideAccount(config, "secret", hall.calls, resolver)
        hall.calls.outsiders._accounts.append(account)
        assert account.target(account.address) is None
        task = asyncio.create_task(account.run())
        await until(lambda: account.state == "LinphoneRegistrationOk")
        assert account.ready
        target = account.target(account.address)
        assert target is not None
        assert target.flow.remote[1] == server.transport.port
        account.lost(replace(target.flow, transport="TCP"))
        account.lost(target.flow)
        await asyncio.sleep(0.05)
        account.end()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("domain", [DOMAIN, "elsewhere.example"])
async def test_a_press_goes_round_a_server_that_is_off(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    """With an account there, and without."""
    monkeypatch.setattr(uac, "PATIENCE", 0.1)
    server = Server()
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        hops = Hops(*(Hop("UDP", "127.0.0.1", port) for port in (silent.getsockname()[1], server.transport.port)))
        hops.fails = 0
        monkeypatch.setattr(Resolver, "hops", lambda self, *asked: hops.hops(*asked))
        account = AccountConfig(f"sip:flat42@{DOMAIN}", register=False, media="plain")
        async with living(server, "Gate", "Hall", account=account) as (gate, _):
            uri = SipUri.parse(f"sip:bob@{domain}")
            await until(lambda: all(each.ready for each in gate.calls.outsiders._accounts))
            gate.calls.ring(replace(gate.calls.button.routed(), outside=(uri,)))
            await until(lambda: bool(server.called))
            assert silent.recv(2000).startswith(b"INVITE")
            gate.calls.hang_up()
            await until(lambda: any(isinstance(event, sip.Cancelled) for event in server.seen))


async def test_a_stun_server_is_looked_for_until_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(outside_account.PING, "UDP", (0.01, 0.02))
    found = iter((False, True))
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> tuple[str, int]:
        asked.append((host, port))
        if not next(found):
            raise NotFound("nobody knows")
        return "192.0.2.9", port

    monkeypatch.setattr(outside_account, "resolve", resolve)
    server = Server()
    account = AccountConfig(f"sip:x@{DOMAIN}", proxy=server.uri, register=False, stun="stun.example")
    async with living(server, "Gate", account=account) as (gate,):
        outsiders = gate.calls.outsiders
        await until(lambda: len(asked) == 2)
        (key,) = outsiders.keys((SipUri.parse(f"sip:bob@{DOMAIN}"),))
        await until(lambda: (client := outsiders.client(key)) is not None and client.stun == ("192.0.2.9", 3478))
    assert asked == [("stun.example", 3478)] * 2


def test_secrets_stand_in_files(tmp_path: Path) -> None:
    assert read_secret(tmp_path / "secret") == "secret"
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigError, match="no secret in it"):
        read_secret(tmp_path / "empty")
