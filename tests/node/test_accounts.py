"""SIP clients that register by digest: what they may before and after, and how they are rung."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from meshdoor.control import Json
from meshdoor.errors import RemoteProtocolError, UserError
from meshdoor.node import calls as module
from meshdoor.node.accounts import Accounts
from meshdoor.sip import events as sip
from meshdoor.sip.digest import DigestClient
from meshdoor.sip.headers import Credentials
from meshdoor.sip.message import Response, parse_message
from meshdoor.trust.permissions import Permission, Role
from meshdoor.trust.roster import Member
from tests.fakes.web import FakeWeb
from tests.node.attached import Phone, homes, sees, state
from tests.node.test_calls import Node, RunningEngine
from tests.patience import until
from tests.trust.house import key, revoke

CONTACT = "<sip:k3j2@xyz.invalid;transport=ws>"


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Engine", RunningEngine)


class Desk:
    """Takes a phone of the home for the new member."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.asked: list[tuple[str, Iterable[str] | None, int | None]] = []

    def admit_client(
        self, key: bytes, name: str, permissions: Iterable[str] | None = None, until: int | None = None
    ) -> Member:
        self.asked.append((name, permissions, until))
        may = frozenset({Permission.VIEW})
        return Member(key, "aaaa-bbbb-cccc-dddd", name, Role.PHONE, may, b"", key, (9, key), 0)

    def check_client(self, name: str, permissions: Iterable[str] | None = None, until: int | None = None) -> None:
        """Whoever asks may come in."""


class Client(Phone):
    """A page that knows a name and a secret."""

    def __init__(self, account: Json) -> None:
        super().__init__(user="k3j2", host="xyz.invalid")
        self.account = account
        self.answers: list[Response] = []
        self.digest = DigestClient(account["user"], account["secret"], ("SHA-256", "MD5"))
        self.number = 0

    def connect(self, accounts: Accounts, address: str = "10.0.0.9") -> Client:
        self.line = accounts.attach_client(address, self.take, self.cuts.append)
        return self

    def take(self, text: str) -> None:
        message = parse_message(text.encode())
        if isinstance(message, Response) and message.cseq.method == "REGISTER":
            self.answers.append(message)
        else:
            super().take(text)

    def register(self, *, expires: int = 600, contact: str = CONTACT) -> int:
        """Once, and again with what the challenge wants; the last status."""
        status = self._register(expires, contact, None)
        if status == 401:
            self.digest.challenged(self.answers[-1].www_authenticate)
            status = self._register(expires, contact, self.digest.authorize("REGISTER", "sip:home.arpa"))
        return status

    def _register(self, expires: int, contact: str, credentials: Credentials | None) -> int:
        self.number += 1
        user = f"<sip:{self.account['user']}@home.arpa>"
        headers = {
            "Via": f"SIP/2.0/WSS xyz.invalid;branch=z9hG4bKr{self.number}",
            "From": f"{user};tag=1",
            "To": user,
            "Call-ID": "r",
            "CSeq": f"{self.number} REGISTER",
            "Max-Forwards": "70",
            "Contact": contact,
            "Expires": str(expires),
        }
        if credentials is not None:
            headers["Authorization"] = str(credentials)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        assert self.line is not None
        self.line.received(f"REGISTER sip:home.arpa SIP/2.0\r\n{lines}\r\n")
        return self.answers[-1].status


@asynccontextmanager
async def served(*names: str) -> AsyncIterator[tuple[Accounts, dict[str, Json], list[Node]]]:
    """The first node has an account that is Alice's."""
    async with homes(*names) as nodes:
        saved: dict[str, Json] = {}
        accounts = Accounts(nodes[0].house, nodes[0].calls.attachments, {}, saved.update)
        account = await made(accounts, nodes[0], name="Alice")
        kept = {account["user"]: saved[account["user"]] | {"key": key("Alice").hex()}}
        yield Accounts(nodes[0].house, nodes[0].calls.attachments, kept, saved.update), account, nodes


async def made(accounts: Accounts, node: Node, desk: Desk | None = None, **args: Json) -> Json:
    """What `phone sip` answers."""
    verbs = accounts.table(desk or Desk(node), FakeWeb().open)
    return await verbs["phone sip"](args, print)


async def test_an_account_is_shown_once_and_its_secret_not_kept() -> None:
    async with homes("Hall") as (hall,):
        saved: dict[str, Json] = {}
        accounts, desk = Accounts(hall.house, hall.calls.attachments, {}, saved.update), Desk(hall)
        account = await made(accounts, hall, desk, name="Card", permissions=["view"], until=5)
        assert desk.asked == [("Card", ["view"], 5)]
        assert (account["joined"], account["id"]) == ("Card", "aaaa-bbbb-cccc-dddd")
        assert (account["server"], account["domain"]) == ("wss://10.0.0.2:8443/sip", "home.arpa")
        assert set(saved[account["user"]]) == {"key", "media", "SHA-256", "MD5"}
        assert account["secret"] not in str(saved)
        with pytest.raises(UserError, match="permissions"):
            await made(accounts, hall, desk, name="Card", permissions="view")


async def test_what_cannot_be_read_counts_as_no_account() -> None:
    async with homes("Hall") as (hall,):
        whole = {"key": key("Alice").hex(), "MD5": "a", "SHA-256": "b"}
        stored = {"a": None, "b": {}, "c": whole | {"key": "xx"}, "d": whole | {"MD5": 5}, "e": whole | {"key": "aa"}}
        saved: dict[str, Json] = {}
        accounts = Accounts(hall.house, hall.calls.attachments, stored | {"alice": whole}, saved.update)
        account = await made(accounts, hall, name="Card")
        assert set(saved) == {"alice", account["user"]}


async def test_a_client_registers_and_is_rung_by_its_contact() -> None:
    async with served("Hall", "Gate") as (accounts, account, (_, gate)):
        client = Client(account).connect(accounts)
        assert client.register() == 200
        await sees(gate, "Alice", "ready")
        gate.calls.ring()
        invite = await client.rung()
        assert str(invite.request.uri) == "sip:k3j2@xyz.invalid;transport=ws"
        client.answer(invite)
        await gate.tells("step", member="Alice", step="answered")
        client.act(lambda now: invite.session.bye((), now))
        await gate.tells("over", why="answered")


async def test_a_client_calls_the_door_by_its_name() -> None:
    async with served("Hall", "Gate") as (accounts, account, (_, gate)):
        client = Client(account).connect(accounts)
        client.register()
        client.call("home.arpa", user="gate")
        await gate.tells("call", state="connected")


async def test_before_it_has_registered_it_may_do_nothing_else() -> None:
    async with served("Hall", "Gate") as (accounts, account, (hall, gate)):
        client = Client(account).connect(accounts)
        client.call(client.host("Gate"))
        assert (await client.one(sip.Rejected)).response.status == 401
        assert client.line is not None
        client.line.received("\r\n\r\n")
        client.line.received("SIP/2.0 200 OK\r\n\r\n")
        client.line.received("ACK sip:x SIP/2.0\r\n\r\n")
        assert not hall.calls.attachments.is_here(key("Alice"))
        assert not gate.told("call")


async def test_garbage_ends_the_socket() -> None:
    async with served("Hall") as (accounts, account, _):
        client = Client(account).connect(accounts)
        assert client.line is not None
        for garbage in ("garbage", "REGISTER sip:x SIP/2.0\r\n\r\n", "x" * 70000):
            with pytest.raises(RemoteProtocolError):
                client.line.received(garbage)


async def test_a_wrong_secret_is_refused_and_too_many_are_cut() -> None:
    async with served("Hall") as (accounts, account, (hall,)):
        client = Client(account | {"secret": "wrong"}).connect(accounts)
        assert client.register() == 401
        for _ in range(9):
            client.register()  # which is two requests
        with pytest.raises(RemoteProtocolError, match="too many tries"):
            client.register()
        assert not hall.calls.attachments.is_here(key("Alice"))
        assert Client(account).connect(accounts, "10.0.0.10").register() == 200


async def test_a_client_that_takes_leave() -> None:
    async with served("Hall") as (accounts, account, (hall,)):
        client = Client(account).connect(accounts)
        client.register()
        assert client.register(expires=0) == 200
        assert not hall.calls.attachments.is_here(key("Alice"))
        assert client.register() == 200
        assert client.register() == 200  # a refresh
        assert client.register(contact="<sip:other@xyz.invalid>") == 200
        assert hall.calls.attachments.is_here(key("Alice"))
        client.leave()
        assert not hall.calls.attachments.is_here(key("Alice"))
        assert client.cuts == []


async def test_a_registration_that_is_not_refreshed_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.node.accounts.GRACE", -59.99)
    async with served("Hall") as (accounts, account, (hall,)):
        client = Client(account).connect(accounts)
        client.register(expires=60)
        assert hall.calls.attachments.is_here(key("Alice"))
        await until(lambda: not hall.calls.attachments.is_here(key("Alice")))


async def test_of_two_clients_of_one_account_the_later_counts() -> None:
    async with served("Hall") as (accounts, account, (hall,)):
        first, second = Client(account).connect(accounts), Client(account).connect(accounts)
        first.register()
        second.register()
        assert [error.code for error in first.cuts] == ["moved"]
        first.leave()
        assert hall.calls.attachments.is_here(key("Alice"))


async def test_a_client_that_was_revoked_is_cut_and_knows_no_secret_any_more() -> None:
    async with served("Hall") as (accounts, account, (hall,)):
        client = Client(account).connect(accounts)
        client.register()
        state(revoke("Alice"), hall)
        assert [error.code for error in client.cuts] == ["revoked"]
        assert Client(account).connect(accounts).register() == 401


async def test_a_guest_whose_time_is_over_does_not_register(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served("Hall") as (accounts, account, (hall,)):
        monkeypatch.setattr(Member, "expired", lambda self, now: self.name == "Alice")
        client = Client(account).connect(accounts)
        assert client.register() == 403
        assert [error.code for error in client.cuts] == ["expired"]
        assert not hall.calls.attachments.is_here(key("Alice"))
