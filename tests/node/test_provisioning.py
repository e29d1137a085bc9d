"""Linphone sets itself up: once, in time, with what an account needs."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from meshdoor.calls.clients import Keying
from meshdoor.errors import NotFound, Refused
from meshdoor.node import provisioning
from meshdoor.node.accounts import Accounts, Desk, Wanted
from meshdoor.node.provisioning import Gate, Provisioning, settings
from tests.fakes.web import FakeWeb
from tests.mesh.nodes import turn_until

GATE = Gate("hall.local", 5061)
ACCOUNT = {"joined": 'Anna "<&>', "id": "abcd", "user": "abcd1234", "secret": "s3cret", "domain": "home.arpa"}


class FakeAccounts:
    """Makes one account after the other."""

    def __init__(self) -> None:
        self.made: list[Wanted] = []
        self.refusal: Refused | None = None

    def check(self, desk: Desk, wanted: Wanted) -> None:
        if wanted.name == "Hall":
            raise Refused("there is a Hall already")

    async def add(self, desk: Desk, server: str, wanted: Wanted) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.made.append(wanted)
        return ACCOUNT | {"joined": wanted.name}


class Here:
    """A node on which somebody adds a Linphone."""

    def __init__(self) -> None:
        self.accounts = FakeAccounts()
        self.web = FakeWeb()
        self.told: list[dict[str, Any]] = []
        self.provisioning = Provisioning(
            cast(Accounts, self.accounts), cast(Desk, None), lambda: GATE, self.web.open
        )

    async def add(self, name: str = "Anna", **more: Any) -> Any:
        return await self.provisioning.table()["phone linphone"]({"name": name, **more}, self.told.append)

    async def token(self) -> str:
        await turn_until(lambda: bool(self.told))
        return str(self.told[0]["url"]).rpartition("/")[2]


def entries(xml: bytes) -> dict[str, str]:
    """By section and key."""
    space = "{http://www.linphone.org/xsds/lpconfig.xsd}"
    root = ElementTree.fromstring(xml)
    return {
        f"{section.get('name')}/{entry.get('name')}": entry.text or ""
        for section in root.iter(f"{space}section")
        for entry in section.iter(f"{space}entry")
    }


async def test_the_settings_are_fetched_once() -> None:
    here = Here()
    adding = asyncio.create_task(here.add(media="dtls"))
    token = await here.token()
    assert here.told[0]["url"].startswith("https://hall.local:8443/linphone/")
    said = entries(await here.provisioning.redeem(token))
    assert await adding == {"joined": "Anna", "id": "abcd"}
    assert said["sip/media_encryption"] == "dtls"
    assert said["sip/verify_server_certs"] == "1"
    assert said["auth_info_0/passwd"] == "s3cret"
    assert said["proxy_0/reg_proxy"] == "<sip:hall.local:5061;transport=tls>"
    assert here.accounts.made == [Wanted("Anna", media=Keying.DTLS)]
    with pytest.raises(NotFound):
        await here.provisioning.redeem(token)


async def test_what_is_guessed_is_not_found() -> None:
    with pytest.raises(NotFound):
        await Here().provisioning.redeem("guessed")


async def test_a_name_that_is_taken_is_refused_before_anything_is_shown() -> None:
    here = Here()
    with pytest.raises(Refused):
        await here.add("Hall")
    assert not here.told


async def test_whoever_waits_is_told_what_went_wrong() -> None:
    here = Here()
    here.accounts.refusal = Refused("a guest came first")
    adding = asyncio.create_task(here.add())
    token = await here.token()
    with pytest.raises(Refused):
        await here.provisioning.redeem(token)
    with pytest.raises(Refused, match="first"):
        await adding


async def test_nobody_fetches_them_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "LIFETIME", 0.05)
    here = Here()
    with pytest.raises(Refused, match="in time"):
        await here.add()
    with pytest.raises(NotFound):
        await here.provisioning.redeem(await here.token())


async def test_only_so_many_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioning, "MAX_WAITING", 0)
    with pytest.raises(Refused, match="too many"):
        await Here().add()


def test_names_are_no_markup_and_no_certificate_is_checked_only_if_wanted() -> None:
    said = entries(settings(ACCOUNT, GATE, Keying.SRTP, verified=False))
    assert said["proxy_0/reg_identity"] == '"Anna <&>" <sip:abcd1234@hall.local>'
    assert said["sip/verify_server_certs"] == said["sip/verify_server_cn"] == "0"
