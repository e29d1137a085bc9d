"""A client of a Flexisip goes on with the name and the password that it has; asleep, it is woken."""

from __future__ import annotations

import pytest

from meshdoor.calls.flexisip import translate
from meshdoor.errors import Refused
from meshdoor.node.accounts import Wanted
from meshdoor.node.sleepers import Sleepers
from meshdoor.sip.digest import DigestClient
from tests.calls.test_flexisip import CONF, read
from tests.node.clients import Phone, Secret, engines, here, register
from tests.patience import until

__all__ = ["engines"]


class Sleeper(Phone):
    """It says how it is woken."""

    @property
    def uri(self) -> str:
        return f"{super().uri};pn-provider=acme;pn-param=p;pn-prid=token"


async def test_it_registers_as_before_and_is_woken_when_it_has_gone() -> None:
    (user, _) = translate(CONF, "flexisip.conf", read).users
    posted: list[bytes] = []

    def post(url: str, body: bytes, secret: str) -> int:
        posted.append(body)
        return 202

    async with here() as home:
        node, accounts = home.hall, home.accounts
        made = await accounts.take(home.desk, Wanted("Door phone"), user.name, user.password)
        assert made["user"] == "door"
        with pytest.raises(Refused, match="already"):
            await accounts.take(home.desk, Wanted("Another"), user.name, user.password)
        sleepers = Sleepers("https://push.example.org", "", node.house, send=post)
        node.calls.sleepers = node.calls.registrations.sleepers = sleepers
        secret = Secret(DigestClient("door", "knock", ("SHA-256", "MD5")))
        phone = Sleeper("TCP", "door", authorize=secret.authorize)
        async with phone.endpoint:
            answered = await register(home, phone)
            assert answered.status == 200
            assert answered.headers.get("Feature-Caps") == '*;+sip.pns="acme"'
            await until(lambda: node.calls.attachments.is_here(accounts.member_of("door")))
        key = accounts.member_of("door")
        await until(lambda: not node.calls.attachments.is_here(key))
        home.gate.calls.ring()
        await node.tells("visitor")
        await until(lambda: bool(posted))
        assert b'"door": "Gate"' in posted[0]
        home.gate.calls.hang_up()
