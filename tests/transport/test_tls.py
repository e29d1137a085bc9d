"""SIP over TLS on loopback sockets."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshdoor.errors import ConfigError
from meshdoor.mesh.acceptor import listen
from meshdoor.sip.events import Answered, Ended, Failed, IncomingInvite
from meshdoor.sip.flow import Target
from meshdoor.sip.machine import Failure
from meshdoor.sip.uri import parse_uri
from meshdoor.transport import connection as connections
from meshdoor.transport.tcp import TlsTransport
from meshdoor.transport.tls import ask_for_certificate, client_context, pinned_context, server_context
from meshdoor.trust.identity import Identity
from tests.transport.callers import HOST, Caller
from tests.transport.certificates import Authority
from tests.transport.ends import ANSWER, OFFER, End

IDENTITY = Identity.generate()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def tls_end(server: ssl.SSLContext, authorities: str) -> AsyncIterator[tuple[End, TlsTransport]]:
    made, transport = End(), TlsTransport(server, client_context(authorities), listen(0, (HOST,)))
    made.endpoint.add(transport)
    async with made.endpoint:
        yield made, transport


def target(here: TlsTransport, there: TlsTransport) -> Target:
    return Target(parse_uri(f"sip:b@{HOST}:{there.port};transport=tls"), here.flow((HOST, there.port)))


async def test_a_call_over_tls(authority: Authority) -> None:
    server = server_context(IDENTITY, *authority.issue(HOST))
    async with tls_end(server, authority.file) as (one, here), tls_end(server, authority.file) as (other, there):
        session = one.endpoint.invite(target(here, there), OFFER)
        invite = await other.one(IncomingInvite)
        assert invite.flow.secure
        with other.endpoint.acting() as now:
            invite.session.accept(ANSWER, now)
        await one.one(Answered)
        with one.endpoint.acting() as now:
            session.bye((), now)
        await other.one(Ended)


@pytest.mark.parametrize(("issued", "expected", "works"), [
    ("pbx.example.com", "pbx.example.com", True),
    ("pbx.example.com", "", False),
    ("other.example.com", "pbx.example.com", False),
])  # fmt: skip
async def test_the_certificate_must_be_of_who_was_asked_for(
    authority: Authority, issued: str, expected: str, works: bool
) -> None:
    server = server_context(IDENTITY, *authority.issue(issued))
    async with tls_end(server, authority.file) as (one, here), tls_end(server, authority.file) as (other, there):
        if expected:
            here.expect((HOST, there.port), expected)
        one.endpoint.invite(target(here, there), OFFER)
        await (other.one(IncomingInvite) if works else one.one(Failed))


async def test_a_certificate_of_nobody_in_particular_is_refused(authority: Authority) -> None:
    server = server_context(IDENTITY)
    async with tls_end(server, authority.file) as (one, here), tls_end(server, authority.file) as (_, there):
        one.endpoint.invite(target(here, there), OFFER)
        assert (await one.one(Failed)).failure is Failure.TRANSPORT
        assert not there._connections


@pytest.mark.parametrize(("shown", "served"), [("pinned", True), ("another", False), ("none", True)])
async def test_who_dials_may_show_a_certificate_that_is_known(tmp_path: Path, shown: str, served: bool) -> None:
    devices = {name: Identity.generate() for name in ("pinned", "another")}
    server = server_context(IDENTITY)
    ask_for_certificate(server, [devices["pinned"].certificate])
    context = pinned_context(IDENTITY.certificate)
    if shown in devices:
        file = tmp_path / "device.pem"
        file.write_bytes(devices[shown].to_pem())
        context.load_cert_chain(file)
    here = TlsTransport(server, context, listen(0, (HOST,)))
    one = End()
    one.endpoint.add(here)
    async with one.endpoint, tls_end(server, "") as (other, there):
        one.endpoint.invite(target(here, there), OFFER)
        if not served:
            assert (await one.one(Failed)).failure is Failure.TRANSPORT
            return
        invite = await other.one(IncomingInvite)
        assert there.certificate(invite.flow) == (devices["pinned"].certificate if shown == "pinned" else b"")
        assert there.certificate(here.flow((HOST, there.port))) == b""


async def test_the_nodes_own_certificate_is_shown_where_there_is_no_other(tmp_path: Path) -> None:
    file = tmp_path / "node.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(IDENTITY.certificate))
    context = client_context(str(file))
    context.check_hostname = False
    async with tls_end(server_context(IDENTITY), str(file)) as (_, there), Caller(there.port, context) as caller:
        assert await caller.is_served()


async def test_a_handshake_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_DEADLINE", 0.05)
    async with tls_end(server_context(IDENTITY), authority.file) as (_, there), Caller(there.port) as caller:
        assert await caller.ended()


async def test_what_is_no_tls_is_cut_off(authority: Authority) -> None:
    async with tls_end(server_context(IDENTITY), authority.file) as (_, there), Caller(there.port) as caller:
        caller.send(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n")
        assert await caller.ended()


async def test_a_peer_that_closes_in_order_is_let_go(authority: Authority) -> None:
    server = server_context(IDENTITY, *authority.issue(HOST))
    async with tls_end(server, authority.file) as (one, here), tls_end(server, authority.file) as (other, there):
        one.endpoint.invite(target(here, there), OFFER)
        await other.one(IncomingInvite)
        for connection in list(there._connections.values()):
            connection.close()
        assert (await one.one(Failed)).failure is Failure.TRANSPORT
        assert not here._connections


def test_expected_names_are_bounded() -> None:
    transport = TlsTransport(server_context(IDENTITY), client_context())
    for port in range(1, 200):
        transport.expect((HOST, port), "x")
    assert len(transport._expected) == 64


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    for file in ("junk", "missing"):
        with pytest.raises(ConfigError, match=file):
            server_context(IDENTITY, str(tmp_path / file))
        with pytest.raises(ConfigError, match=file):
            client_context(str(tmp_path / file))
