"""Clients that sleep are woken."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from meshdoor.control import Json
from meshdoor.node import sleepers as module
from meshdoor.node.sleepers import Sleepers, post
from meshdoor.sip.uri import parse_uri
from tests.node.homes import admitted, founded
from tests.node.test_house import scene
from tests.patience import until

CONTACT = parse_uri("sip:alice@192.0.2.1;pn-provider=acme;pn-param=p;pn-prid=secret-token")
WOKEN = {"provider": "acme", "param": "p", "prid": "secret-token", "event": "ring", "door": "Gate"}


class Scene:
    """One client that has registered."""

    def __init__(self, gateway: str = "https://push.example.org/ring", secret_file: str = "") -> None:
        membership = founded()
        self.alice = admitted(membership, "Alice").identity.key
        self.saved: dict[str, Json] = {}
        self.sent: list[tuple[str, Json, str]] = []
        self.fails = False
        self.sleepers = Sleepers(gateway, secret_file, scene(membership).house, send=self.send)
        self.sleepers.load({}, self.save)

    def save(self, table: dict[str, Json]) -> None:
        self.saved = table

    def send(self, url: str, body: bytes, secret: str) -> int:
        if self.fails:
            raise OSError("no way there")
        self.sent.append((url, json.loads(body), secret))
        return 202


async def test_who_sleeps_is_woken_and_who_is_awake_is_not() -> None:
    made = Scene()
    assert made.sleepers.registered(made.alice, CONTACT) == (("Feature-Caps", '*;+sip.pns="acme"'),)
    await made.sleepers.rang("Gate", lambda key: True)
    assert made.sent == []
    await made.sleepers.rang("Gate", lambda key: False)
    assert made.sent == [("https://push.example.org/ring", WOKEN, "")]
    for _ in range(5):
        await made.sleepers.rang("Gate", lambda key: False)
    assert len(made.sent) == 3


async def test_it_is_kept_until_the_client_takes_leave() -> None:
    made = Scene()
    made.sleepers.registered(made.alice, CONTACT)
    await until(lambda: bool(made.saved))
    again = Scene()
    again.sleepers.load(made.saved | {"no hex": {}, "00" * 32: {"provider": 3}}, again.save)
    made.sleepers.registered(made.alice, None)
    await until(lambda: not made.saved)
    await made.sleepers.rang("Gate", lambda key: False)
    assert made.sent == []


@pytest.mark.parametrize("contact", ["sip:alice@192.0.2.1", "sip:a@b;pn-provider=%22;pn-prid=x"])
async def test_who_does_not_say_how_is_not_woken(contact: str) -> None:
    made = Scene()
    assert made.sleepers.registered(made.alice, parse_uri(contact)) == ()
    assert made.saved == {}


async def test_without_a_gateway_nothing_is_promised() -> None:
    made = Scene("")
    assert made.sleepers.registered(made.alice, CONTACT) == ()


async def test_a_gateway_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    made = Scene()
    made.sleepers.registered(made.alice, CONTACT)
    made.fails = True
    await made.sleepers.rang("Gate", lambda key: False)
    assert "Alice cannot be woken: no way there" in caplog.text
    assert "secret-token" not in caplog.text


async def test_the_secret_stands_in_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    made = Scene(secret_file="token")
    made.sleepers.folder = tmp_path
    made.sleepers.registered(made.alice, CONTACT)
    await made.sleepers.rang("Gate", lambda key: False)
    assert made.sent[0][2] == "s3cret"
    made.sleepers.folder = tmp_path / "none"
    await made.sleepers.rang("Gate", lambda key: False)
    assert "cannot be read" in caplog.text


class Gateway(BaseHTTPRequestHandler):
    """Takes what is posted."""

    posted: ClassVar[list[tuple[str | None, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append((self.headers["Authorization"], body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/ring"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_gateway_is_spoken_to_by_http(gateway: str) -> None:
    assert post(gateway, b"{}", "s3cret") == 202
    assert post(gateway, b"[]", "") == 202
    assert Gateway.posted == [("Bearer s3cret", b"{}"), (None, b"[]")]
    assert module.DEADLINE < 10
