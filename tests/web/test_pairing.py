"""From an invitation to a phone that is in: the phone desk behind a real web server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshdoor.node import qr
from meshdoor.node.phones import PhoneDesk
from meshdoor.node.web import Web
from meshdoor.trust.invitation import Reply
from tests.fakes import webhouse
from tests.fakes.phone import Scanned, Signer
from tests.fakes.scanner import read_png
from tests.node.linked_homes import house, linked
from tests.trust.house import BROWSERS, DEVICES
from tests.web.phones import Site, site


class WebHouse(webhouse.WebHouse):
    """Its phones are let in by a real desk."""

    desk: PhoneDesk

    def pair(self, body: bytes, address: str, fingerprint: bytes) -> bytes:
        return self.desk.pair(body, address, fingerprint)


@dataclass
class Home:
    """A screen that invites phones, and its page."""

    site: Site
    desk: PhoneDesk

    async def scanned(self, name: str) -> Scanned:
        """What the camera of a phone reads off the picture of a code."""
        return Scanned.of(read_png(qr.png((await self.desk.invite(name)).url)))

    async def come(self, scanned: Scanned, phone: Signer) -> tuple[int, bytes]:
        """The phone goes where the code says."""
        assert scanned.base == f"https://127.0.0.1:{self.site.web.port}"
        headers = {"Content-Type": "application/json"}
        response, body = await self.site.get("/pair", "POST", data=bytes(scanned.request(phone)), headers=headers)
        return response.status, body


@asynccontextmanager
async def home(folder: Path) -> AsyncIterator[Home]:
    screen, behind = house("Hall"), WebHouse()
    async with linked(screen), site(folder, behind) as running:

        async def open_web() -> Web:
            return running.web

        behind.desk = PhoneDesk(screen, open_web)
        yield Home(running, behind.desk)


@pytest.mark.parametrize("phone", [BROWSERS["Alice"], DEVICES["Phone"]], ids=["P-256", "Ed25519"])
async def test_a_phone_scans_and_is_in(tmp_path: Path, phone: Signer) -> None:
    async with home(tmp_path) as here:
        scanned = await here.scanned("Alice")
        status, body = await here.come(scanned, phone)
        assert status == 200
        reply = Reply.parse(body)
        assert reply.verify(scanned.token, phone.key, scanned.fingerprint)
        assert [(member.name, member.key) for member in here.desk.phones()] == [("Alice", phone.key)]


async def test_the_fingerprint_is_that_of_the_certificate_a_phone_sees(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        scanned = await here.scanned("Alice")
        address = ("127.0.0.1", here.site.web.port)
        seen = ssl.PEM_cert_to_DER_cert(await asyncio.to_thread(ssl.get_server_certificate, address))
        assert hashlib.sha256(seen).digest() == scanned.fingerprint


async def test_each_refusal_has_a_code_and_words(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        alice, other = await here.scanned("Alice"), await here.scanned("Bob")
        await here.come(alice, BROWSERS["Alice"])
        wrong_token = Scanned(other.base, bytes(16), other.fingerprint, "")
        another_certificate = Scanned(other.base, other.token, bytes(32), "")
        for scanned, expected in (
            (alice, (410, "used")),
            (wrong_token, (404, "unknown")),
            (another_certificate, (403, "fingerprint")),
        ):
            status, body = await here.come(scanned, BROWSERS["Bob"])
            error = json.loads(body)["error"]
            assert (status, error["code"]) == expected
            assert error["text"].endswith(".")
        assert [member.name for member in here.desk.phones()] == ["Alice"]
