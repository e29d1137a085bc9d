"""Listening for others, and finding them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from meshdoor.errors import ConfigError, NotFound
from meshdoor.mesh.acceptor import listen
from meshdoor.sip.uri import SipUri
from meshdoor.transport.outside import Outside
from meshdoor.transport.tcp import TcpTransport, TlsTransport
from meshdoor.transport.tls import client_context, server_context
from meshdoor.transport.udp import UdpTransport, bind
from meshdoor.trust.identity import Identity
from tests.transport.callers import HOST, Caller
from tests.transport.ends import End
from tests.transport.strangers import ask
from tests.transport.udp_strangers import Stranger


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    tcp = TcpTransport(listen(0, (HOST,)))
    made, end = Outside(UdpTransport(bind(tcp.port, (HOST,))), tcp), End()
    for transport in made.transports:
        end.endpoint.add(transport)
    async with end.endpoint:
        yield made


async def test_udp_and_tcp_are_on_one_port(outside: Outside) -> None:
    with Stranger(outside.tcp.port, HOST) as stranger:
        stranger.send(ask("OPTIONS"))
        assert (await stranger.response()).status == 200
    async with Caller(outside.tcp.port) as caller:
        assert await caller.is_served()


@pytest.mark.parametrize(
    ("text", "transport", "remote"),
    [
        (f"sip:a@{HOST}", "UDP", (HOST, 5060)),
        (f"sip:a@{HOST}:5070;transport=TCP", "TCP", (HOST, 5070)),
        ("sip:a@[::1]", "UDP", ("::1", 5060)),
        (f"sips:a@{HOST}", "TLS", (HOST, 5061)),
        (f"sip:a@{HOST};transport=tls", "TLS", (HOST, 5061)),
    ],
)
async def test_a_uri_says_where_to_go(outside: Outside, text: str, transport: str, remote: tuple[str, int]) -> None:
    tls = TlsTransport(server_context(Identity.generate()), client_context())
    target = await Outside(outside.udp, outside.tcp, tls).target(SipUri.parse(text))
    assert (target.flow.transport, target.flow.remote) == (transport, remote)
    assert target.flow.local[0] == remote[0]
    assert len(Outside(outside.udp, outside.tcp, tls).transports) == 3


@pytest.mark.parametrize("text", ["sips:a@b", "sips:a@b;transport=udp", "sip:a@b;transport=ws"])
async def test_what_is_not_spoken_here_is_said(outside: Outside, text: str) -> None:
    with pytest.raises(ConfigError):
        await outside.target(SipUri.parse(text))


async def test_a_name_that_nobody_knows(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kw: (_ for _ in ()).throw(socket.gaierror(-2, "no")))
    with pytest.raises(NotFound, match=r"nowhere\.invalid"):
        await outside.target(SipUri.parse("sip:a@nowhere.invalid"))


async def test_an_address_without_a_way(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(remote: object) -> str:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("meshdoor.transport.udp.towards", no_way)
    with pytest.raises(NotFound, match="unreachable"):
        await outside.target(SipUri.parse(f"sip:a@{HOST}"))
