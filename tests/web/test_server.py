"""What the server answers over real TLS, and to whom it does not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from meshdoor.config import WebConfig
from meshdoor.web import files, listener, server
from tests.fakes.webhouse import WebHouse
from tests.patience import PATIENCE, until
from tests.web.phones import Site, closed, heard, said, site, trusting

HOST = socket.gethostname().partition(".")[0].lower()


@pytest_asyncio.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    page = tmp_path / "page"
    (page / "sip").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / "sip" / "agent.js").write_text("export {}")
    (page / "package.json").write_text("{}")
    monkeypatch.setattr(server, "load", lambda: files.load(page))
    async with site(tmp_path) as running:
        yield running


async def test_the_page_comes_with_all_that_keeps_it_to_itself(here: Site) -> None:
    response, body = await here.get("/")
    assert (response.status, body, response.content_type) == (200, b"<!doctype html>", "text/html")
    csp = response.headers["Content-Security-Policy"]
    assert csp.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in csp
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "microphone=(self)" in response.headers["Permissions-Policy"]
    assert response.headers["Server"] == "meshdoor"
    assert "Set-Cookie" not in response.headers
    assert "Strict-Transport-Security" not in response.headers


async def test_a_page_that_the_browser_has_is_not_sent_again(here: Site) -> None:
    response, _ = await here.get("/sip/agent.js")
    again, body = await here.get("/sip/agent.js", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status, body) == (304, b"")
    assert again.headers["ETag"] == response.headers["ETag"]


@pytest.mark.parametrize("path", ["/nothing", "/package.json", "/../identity.pem", "/%2e%2e/identity.pem", "/ca.crt"])
async def test_there_is_nothing_else(here: Site, path: str) -> None:
    response, _ = await here.get(path)
    assert response.status == 404
    assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/", 405), ("PUT", "/pair", 405), ("GET", "/phone", 426), ("GET", "/home", 426), ("HEAD", "/", 200)],
)
async def test_methods(here: Site, method: str, path: str, status: int) -> None:
    response, _ = await here.get(path, method)
    assert response.status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (HOST, 200),
        (f"{HOST}.local:8443", 200),
        ("localhost", 200),
        ("127.0.0.1:99", 200),
        ("evil.example", 421),
        ("192.0.2.9", 421),
        ("", 421),
        ("127.0.0.1.evil.example", 421),
        ("a@127.0.0.1", 421),
    ],
)
async def test_only_its_own_names_are_served(here: Site, host: str, status: int) -> None:
    response, _ = await here.get("/", headers={"Host": host})
    assert response.status == status


async def test_a_domain_of_ones_own_is_served(tmp_path: Path) -> None:
    async with site(tmp_path, settings=WebConfig(port=0, domain="Door.Example.org")) as running:
        response, _ = await running.get("/", headers={"Host": "door.example.org"})
        assert response.status != 421
        assert running.web.url_base == f"https://Door.Example.org:{running.web.port}"


@pytest.mark.parametrize("path", ["/phone", "/home"])
async def test_a_socket_of_another_page_is_refused(here: Site, path: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await here.open(path, origin="https://evil.example")
    assert caught.value.status == 403


async def test_the_page_itself_may(here: Site) -> None:
    ws = await here.open("/home", origin=f"https://127.0.0.1:{here.web.port}")
    assert "challenge" in await said(ws)


async def test_the_subprotocol_must_be_the_right_one(here: Site) -> None:
    for path, protocol in (("/phone", "meshdoor"), ("/home", "sip"), ("/sip", "xmpp")):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await here.open(path, protocol)
        assert caught.value.status == 400


async def test_a_handshake_that_is_none(here: Site) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "sip"}
    response, _ = await here.get("/phone", headers=headers)
    assert response.status == 400


async def test_an_invitation_is_shown(here: Site) -> None:
    response, body = await here.get("/pair", "POST", json={"key": "00"})
    assert (response.status, json.loads(body), response.headers["Cache-Control"]) == (200, {"key": "00"}, "no-store")
    assert here.house.pairs == [(b'{"key": "00"}', "127.0.0.1", here.web.fingerprint)]


@pytest.mark.parametrize(
    ("code", "status"),
    [("used", 410), ("late", 410), ("unknown", 404), ("fingerprint", 403), ("wrong", 403), ("closed", 429)],
)
async def test_an_invitation_that_is_refused_says_why(here: Site, code: str, status: int) -> None:
    response, body = await here.get("/pair", "POST", json={"refuse": code})
    assert response.status == status
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert error["text"].endswith(".")


async def test_an_invitation_is_json_and_short_and_of_this_page(here: Site) -> None:
    for status, more in (
        (415, {"data": b"{}", "headers": {"Content-Type": "text/plain"}}),
        (413, {"data": b"x" * 5000, "headers": {"Content-Type": "application/json"}}),
        (403, {"json": {}, "headers": {"Origin": "https://evil.example"}}),
    ):
        response, _ = await here.get("/pair", "POST", **more)
        assert response.status == status
    assert not here.house.pairs


async def test_a_body_that_does_not_come_is_not_waited_for(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_DEADLINE", 0.05)
    reader, writer = await raw(here)
    headers = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    writer.write(b"POST /pair HTTP/1.1\r\n" + headers + b"\r\n{")
    assert b" 413 " in await reader.readline()
    await gone(writer)


async def test_too_many_requests(here: Site) -> None:
    statuses = {(await here.get("/"))[0].status for _ in range(340)}
    assert statuses == {200, 429}


def connections(here: Site) -> int:
    assert isinstance(here.web, server.WebServer)
    return here.web.connections


async def raw(here: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", here.web.port, ssl=trusting())


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_the_certificate_is_that_of_the_fingerprint(here: Site) -> None:
    _, writer = await raw(here)
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    assert hashlib.sha256(der).digest() == here.web.fingerprint
    assert tls.selected_alpn_protocol() is None
    assert tls.version() == "TLSv1.3"
    await gone(writer)


async def test_old_tls_is_refused(here: Site) -> None:
    context = trusting()
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", here.web.port, ssl=context)


@pytest.mark.parametrize("bytes_sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_whoever_says_nothing_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_sent: bytes
) -> None:
    monkeypatch.setattr(server, "IDLE", 0.2)
    async with site(tmp_path) as running:
        reader, writer = await raw(running)
        writer.write(bytes_sent)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        await gone(writer)


async def test_whoever_never_begins_tls_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE", 0.1)
    async with site(tmp_path) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.web.port)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        await gone(writer)


async def test_whoever_does_not_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE", 0.2)
    monkeypatch.setattr(listener, "SHUTDOWN", 0.1)
    monkeypatch.setattr(server, "load", lambda: {"/": files.File.of(b"x" * (16 << 20), "text/plain")})
    async with site(tmp_path) as running:
        _, writer = await raw(running)
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: connections(running) == 0)
        await gone(writer)


async def test_garbage_is_answered_and_the_next_one_served(here: Site) -> None:
    reader, writer = await raw(here)
    writer.write(b"\x00\x01garbage\r\n\r\n")
    assert b"400" in await reader.readline()
    await gone(writer)
    assert (await here.get("/"))[0].status == 200


async def test_a_header_without_end_is_refused(here: Site) -> None:
    reader, writer = await raw(here)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
    assert b"400" in await reader.readline()
    await gone(writer)


async def test_connections_of_one_address_are_bounded_but_not_those_of_phones(here: Site) -> None:
    attached = await here.attached(here.house.admit("Alice"))
    silent = [await asyncio.open_connection("127.0.0.1", here.web.port) for _ in range(listener.MAX_OF_ONE + 20)]
    await asyncio.sleep(0.1)
    assert connections(here) <= listener.MAX_OF_ONE + 1
    here.house.flows[0].send("INVITE")
    assert await heard(attached) == "INVITE"
    for _, writer in silent:
        await gone(writer)
    await until(lambda: connections(here) <= 2)


async def test_a_port_that_is_taken_is_told_of_and_another_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with site(tmp_path, settings=WebConfig(port=port)) as running:
            assert running.web.port not in (0, port)
            assert (await running.get("/nothing"))[0].status == 404
    assert "using another" in caplog.text


async def test_where_a_phone_finds_it(tmp_path: Path) -> None:
    house = WebHouse(hosts=("fe80::1%lo", "2001:db8::1", "127.0.0.1"))
    async with site(tmp_path, house) as running:
        assert running.web.url_base == f"https://[2001:db8::1]:{running.web.port}"
        house.hosts = ()
        assert running.web.url_base == f"https://{HOST}.local:{running.web.port}"


async def test_a_stop_waits_for_nobody(tmp_path: Path) -> None:
    async with site(tmp_path) as running:
        silent = await asyncio.open_connection("127.0.0.1", running.web.port)
        idle = await raw(running)
        unproven = await running.open("/phone")
        await said(unproven)
        leaving = asyncio.ensure_future(closed(unproven))
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE  # aiohttp alone would wait for a minute
    await leaving
    for _, writer in (silent, idle):
        await gone(writer)


async def test_an_authority_signs_the_certificate_and_old_phones_stay(here: Site) -> None:
    phone = here.house.admit("Alice")
    before = here.web.fingerprint
    told = await here.web.authority()
    assert here.web.fingerprint != before
    response, der = await here.get("/ca.crt")
    assert response.content_type == "application/x-x509-ca-cert"
    assert hashlib.sha256(der).hexdigest() == told["fingerprint"]
    response, profile = await here.get("/ca.mobileconfig")
    assert response.content_type == "application/x-apple-aspen-config"
    assert profile.decode() == told["profile"]
    context = ssl.create_default_context(cadata=told["certificate"])
    _, writer = await asyncio.open_connection("127.0.0.1", here.web.port, ssl=context)
    await gone(writer)
    assert "attached" in await said(await here.attach(phone, fingerprint=before))
    assert "attached" in await said(await here.attach(phone))
    assert (await here.web.authority())["fingerprint"] == told["fingerprint"]


async def test_a_sip_client_fetches_its_settings_once(here: Site) -> None:
    here.house.settings["token"] = b"<config/>"
    response, body = await here.get("/linphone/token")
    assert (response.status, response.content_type, body) == (200, "application/xml", b"<config/>")
    again, used = await here.get("/linphone/token")
    never, unknown = await here.get("/linphone/never")
    assert (again.status, used) == (never.status, unknown)
    assert again.status == 404
