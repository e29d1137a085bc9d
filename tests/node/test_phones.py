"""The phone desk: invited, let in, put out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from meshdoor.errors import ConfigError, InvitationError, NotFound, Refused, UserError
from meshdoor.node import phones
from meshdoor.node.phone_verbs import PhoneVerbs
from meshdoor.node.phones import Invited, PhoneDesk
from meshdoor.trust.invitation import Reply
from meshdoor.trust.permissions import DEFAULTS, Permission, Role
from meshdoor.trust.roster import Member
from meshdoor.trust.statement import Statement
from tests.fakes.phone import Scanned, Signer
from tests.fakes.web import FakeWeb
from tests.mesh.nodes import turn_until
from tests.node.linked_homes import EVERYBODY, house, linked
from tests.trust.house import BROWSERS, admit, admit_phone, chain, key, revoke

ALICE, BOB = BROWSERS["Alice"], BROWSERS["Bob"]
SOON = int(time.time()) + 86400


class Desk:
    """A node that invites phones."""

    def __init__(self, name: str = "Hall", statements: Sequence[Statement] = EVERYBODY) -> None:
        self.house = house(name, statements)
        self.membership = self.house.membership
        self.web = FakeWeb()
        self.desk = PhoneDesk(self.house, self.web.open)
        self.joined: list[Member] = []
        self.ended = 0
        self.desk.joined.append(self.joined.append)
        self.desk.ended.append(self._end)
        self.visits = 0

    def _end(self) -> None:
        self.ended += 1

    async def invite(self, name: str = "Alice", **what: Any) -> Invited:
        return await self.desk.invite(name, **what)

    def scan(self, invited: Invited, phone: Signer = ALICE, fingerprint: bytes | None = None) -> Reply:
        """A phone comes from an address of its own, and looks whether the answer is the node's."""
        self.visits += 1
        scanned = Scanned.of(invited.url)
        body = bytes(scanned.request(phone))
        reply = Reply.parse(self.desk.pair(body, f"10.0.1.{self.visits}", fingerprint or self.web.fingerprint))
        assert reply.verify(scanned.token, phone.key, scanned.fingerprint)
        return reply

    def refusal(self, invited: Invited, phone: Signer = ALICE, fingerprint: bytes | None = None) -> str:
        with pytest.raises(InvitationError) as caught:
            self.scan(invited, phone, fingerprint)
        return caught.value.code


@asynccontextmanager
async def desk(name: str = "Hall", *said: tuple[str, Any]) -> AsyncIterator[Desk]:
    made = Desk(name, [*EVERYBODY, *chain(EVERYBODY[-1], *said)[1:]])
    async with linked(made.house):
        yield made


@asynccontextmanager
async def running(made: Desk) -> AsyncIterator[None]:
    task = asyncio.create_task(made.desk.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_phone_is_invited_and_let_in() -> None:
    async with desk() as hall:
        invited = await hall.invite()
        assert Scanned.of(invited.url).home_name == "Our house"
        assert invited.url.startswith("https://10.0.0.2:8443/#pair=")
        reply = hall.scan(invited)
        (alice,) = hall.joined
        assert (reply.name, reply.node, reply.until, reply.id) == ("Alice", "Hall", None, alice.device_id)
        assert reply.home == hall.membership.roster.home
        assert (alice.key, alice.role, alice.permissions) == (ALICE.key, Role.PHONE, DEFAULTS[Role.PHONE])
        assert hall.desk.phones() == [alice]
        assert hall.desk.waiting() == ()


async def test_a_guest_with_few_permissions() -> None:
    async with desk() as hall:
        reply = hall.scan(await hall.invite(permissions=["view"], until=SOON))
        assert (reply.permissions, reply.until) == (frozenset({Permission.VIEW}), SOON)
        assert hall.joined[0].until == SOON


async def test_a_client_that_registers_is_let_in_without_a_code() -> None:
    async with desk() as hall:
        client = hall.desk.admit_client(key("Phone"), "Tablet", ["view"], SOON)
        assert (client.name, client.role, client.permissions) == ("Tablet", Role.PHONE, frozenset({Permission.VIEW}))
        with pytest.raises(Refused, match="there is a tablet already"):
            hall.desk.admit_client(ALICE.key, "tablet")


async def test_the_answer_may_be_asked_for_again_but_not_by_another() -> None:
    async with desk() as hall:
        invited = await hall.invite()
        assert hall.scan(invited) == hall.scan(invited)
        assert len(hall.joined) == 1
        assert hall.refusal(invited, BOB) == "used"


async def test_what_is_wrong_is_refused_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with desk() as hall:
        invited = await hall.invite()
        assert hall.refusal(invited, fingerprint=bytes(32)) == "fingerprint"
        other = replace(invited, url=invited.url.replace("pair=", "pair=AAAA"))
        assert hall.refusal(other) == "unknown"
        for _ in range(2):
            with pytest.raises(InvitationError):
                hall.desk.pair(b"{}", "10.0.1.9", hall.web.fingerprint)
        assert not hall.joined
    assert "a phone at 10.0.1.1 was not let in: fingerprint" in caplog.text
    assert caplog.text.count("10.0.1.9 was not let in: wrong") == 1
    assert Scanned.of(invited.url).token.hex() not in caplog.text


async def test_a_phone_that_is_in_may_scan_another_code() -> None:
    async with desk() as hall:
        hall.scan(await hall.invite())
        reply = hall.scan(await hall.invite("Carol"))
        assert reply.name == "Alice"
        assert len(hall.joined) == 1


async def test_a_key_that_was_thrown_out_stays_out() -> None:
    async with desk("Hall", ("Hall", admit_phone("Alice")), ("Hall", revoke("Alice"))) as hall:
        with pytest.raises(InvitationError, match="Forget this home in the page"):
            hall.scan(await hall.invite())
        assert hall.scan(await hall.invite(), BOB).name == "Alice"


async def test_a_guest_that_is_over_before_it_comes_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as hall:
        invited = await hall.invite(until=SOON)
        monkeypatch.setattr("meshdoor.node.phones.time.time", lambda: SOON + 0.0)
        assert hall.refusal(invited) == "late"


async def test_a_node_that_was_thrown_out_meanwhile_lets_nobody_in() -> None:
    async with desk("Kitchen") as kitchen:
        invited = await kitchen.invite()
        kitchen.membership.merge([chain(EVERYBODY[-1], ("Hall", revoke("Kitchen")))[-1].carried])
        assert kitchen.refusal(invited) == "closed"
        with pytest.raises(Refused, match="this node was revoked"):
            await kitchen.invite()


@pytest.mark.parametrize(
    ("name", "what", "error", "why"),
    [
        ("", {}, UserError, "the name is empty"),
        ("x" * 65, {}, ConfigError, "longer than"),
        ("kitchen", {}, Refused, "there is a kitchen already"),
        ("Alice", {"permissions": ["fly"]}, UserError, "'fly' is none of admit, open, talk, view"),
        ("Alice", {"permissions": ["ring"]}, UserError, "'ring' is none of"),
        ("Alice", {"permissions": ["view", "admit"], "until": SOON}, UserError, "a guest lets nobody in"),
        ("Alice", {"until": 1}, UserError, "over already"),
        ("Alice", {"until": 10**12}, UserError, "over already"),
        ("Alice", {"by": BOB.key}, Refused, "does not belong to this home"),
    ],
)
async def test_who_cannot_be_invited(name: str, what: dict[str, Any], error: type[UserError], why: str) -> None:
    async with desk() as hall:
        with pytest.raises(error, match=why):
            await hall.invite(name, **what)
        assert hall.web.opened == 0


async def test_a_door_invites_nobody() -> None:
    async with desk("Gate") as gate:
        with pytest.raises(Refused, match="a door may not let a phone in"):
            await gate.invite()


ADMIN = admit_phone("Bob", permissions=[Permission.VIEW, Permission.TALK, Permission.ADMIT])


async def test_a_phone_that_may_admit_invites_others_as_far_as_it_may_itself() -> None:
    async with desk("Hall", ("Hall", ADMIN), ("Hall", admit("Phone"))) as hall:
        reply = hall.scan(await hall.invite(by=BOB.key))
        assert reply.permissions == {Permission.VIEW, Permission.TALK}
        with pytest.raises(Refused, match="may not give what it has not: open"):
            await hall.invite("Carol", permissions=["view", "open"], by=BOB.key)
        with pytest.raises(Refused, match="may not let others in"):
            await hall.invite("Carol", by=key("Phone"))
        with pytest.raises(Refused, match="may not let others in"):
            hall.desk.revoke("Alice", by=key("Phone"))
        assert hall.desk.revoke("Alice", by=BOB.key).key == ALICE.key
        assert hall.refusal(await hall.invite("Carol", by=BOB.key)) == "wrong"


async def test_only_phones_are_revoked_here() -> None:
    async with desk("Hall", ("Hall", admit_phone("Alice"))) as hall:
        with pytest.raises(Refused, match="Kitchen is no phone but a screen"):
            hall.desk.revoke("Kitchen")
        with pytest.raises(NotFound):
            hall.desk.revoke("Carol")
        assert hall.desk.revoke("alice").name == "Alice"
        assert hall.desk.phones() == []


async def test_who_waits_for_a_phone_is_told_when_it_is_in() -> None:
    async with desk() as hall:
        invited = await hall.invite()
        waiting = asyncio.create_task(hall.desk.arrival(invited))
        await turn_until(lambda: hall.desk._used)
        hall.scan(invited)
        hall.scan(invited)
        assert (await waiting).name == "Alice"
        assert not hall.desk._used


async def test_who_waits_in_vain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "LIFETIME", 0.01)
    async with desk() as hall:
        invited = await hall.invite()
        with pytest.raises(Refused, match="nobody scanned the code in time"):
            await hall.desk.arrival(invited)
        assert hall.refusal(invited) == "late"


async def test_who_no_longer_waits_withdraws_the_code() -> None:
    async with desk() as hall:
        invited = await hall.invite()
        waiting = asyncio.create_task(hall.desk.arrival(invited))
        await turn_until(lambda: hall.desk._used)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert hall.refusal(invited) == "late"


async def test_a_second_code_for_a_name_replaces_the_first() -> None:
    async with desk() as hall:
        first = await hall.invite()
        waiting = asyncio.create_task(hall.desk.arrival(first))
        await turn_until(lambda: hall.desk._used)
        other, second = await hall.invite("Carol"), await hall.invite("ALICE")
        with pytest.raises(Refused, match="has replaced this one"):
            await waiting
        with pytest.raises(Refused, match="has replaced this one"):
            await hall.desk.arrival(first)
        assert hall.refusal(first) == "late"
        assert [each.name for each in hall.desk.waiting()] == ["Carol", "ALICE"]
        hall.scan(second)
        hall.scan(other, BOB)


class Clock:
    """Unix time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, desk: PhoneDesk) -> None:
        self._desk = desk
        self.now = float(SOON - 100)
        monkeypatch.setattr("meshdoor.node.phones.time.time", lambda: self.now)

    def set(self, now: float) -> None:
        self.now = now
        self._desk._changed.set()


GUEST = admit_phone("Alice", SOON)


async def test_a_guest_is_told_of_at_once_and_put_out_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk("Hall", ("Hall", GUEST), ("Hall", admit_phone("Bob"))) as hall:
        clock = Clock(monkeypatch, hall.desk)
        async with running(hall):
            clock.set(SOON - 0.1)
            await asyncio.sleep(0.01)
            assert hall.desk._until_next(clock.now) == pytest.approx(0.1)
            assert hall.ended < 1
            clock.set(SOON)
            await turn_until(lambda: hall.ended)
            assert hall.desk._until_next(clock.now) == phones.REVOKE_AFTER
            assert ALICE.key in hall.membership.roster.members
            clock.set(SOON + phones.REVOKE_AFTER)
            await turn_until(lambda: ALICE.key in hall.membership.roster.revoked)
        assert hall.ended == 1
        assert BOB.key in hall.membership.roster.members


async def test_the_time_of_a_guest_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "REVOKE_AFTER", 0.02)
    end = int(time.time()) + 1
    async with desk("Hall", ("Hall", admit_phone("Alice", end))) as hall, running(hall):
        await turn_until(lambda: ALICE.key in hall.membership.roster.revoked)
        assert time.time() >= end + 0.02
        assert hall.ended == 1


def overdue(seconds: float) -> Callable[[Desk], None]:
    return lambda made: made.desk._look(SOON + seconds)


async def test_a_screen_that_came_later_leaves_it_to_the_others_at_first() -> None:
    async with desk("Kitchen", ("Hall", GUEST)) as kitchen:
        overdue(phones.REVOKE_AFTER)(kitchen)
        assert (kitchen.ended, ALICE.key in kitchen.membership.roster.members) == (1, True)
        overdue(phones.REVOKE_AFTER + phones.NEXT_SCREEN)(kitchen)
        assert ALICE.key in kitchen.membership.roster.revoked


async def test_a_screen_whose_clock_is_in_doubt_puts_nobody_out() -> None:
    async with desk("Hall", ("Hall", GUEST)) as hall:
        hall.house.clocks[key("Kitchen")] = -phones.CLOCKS_AGREE - 1
        overdue(1e6)(hall)
        assert (hall.ended, ALICE.key in hall.membership.roster.members) == (1, True)
        assert hall.desk._until_next(SOON + 1e6) == phones.LOOK_AGAIN


async def test_a_door_knows_when_a_guest_is_over_and_leaves_it_to_the_screens() -> None:
    async with desk("Gate", ("Hall", GUEST)) as gate:
        overdue(1e6)(gate)
        assert (gate.ended, ALICE.key in gate.membership.roster.members) == (1, True)


async def test_a_guest_that_cannot_be_put_out_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk("Hall", ("Hall", GUEST)) as hall:

        def refuse(*_: object) -> None:
            raise Refused("there is no room")

        monkeypatch.setattr(hall.membership.history, "revoke", refuse)
        for _ in range(2):
            overdue(1e6)(hall)
    assert caplog.text.count("the time of Alice is over, but it stays in the roster: there is no room") == 1


class Verbs:
    def __init__(self, made: Desk) -> None:
        rows = [{"id": member.device_id, "state": "ready", "where": "Hall"} for member in made.desk.phones()]
        self.table = PhoneVerbs(made.desk, lambda: rows, made.web.open).table()
        self.told: list[Any] = []

    async def call(self, verb: str, **args: Any) -> Any:
        return await self.table[verb](args, self.told.append)


async def test_the_verb_tells_what_to_scan_and_who_came() -> None:
    async with desk() as hall:
        verbs = Verbs(hall)
        adding = asyncio.create_task(verbs.call("phone add", name="Alice", permissions=["view"], until=SOON))
        await turn_until(lambda: hall.desk._used)
        (told,) = verbs.told
        (invitation,) = hall.desk.waiting()
        assert {name: told[name] for name in ("name", "permissions", "until", "expires", "fingerprint")} == {
            "name": "Alice",
            "permissions": ["view"],
            "until": SOON,
            "expires": invitation.expires,
            "fingerprint": hall.web.fingerprint.hex(),
        }
        assert told["svg"].startswith("<svg ")
        hall.scan(Invited(invitation, told["url"], hall.web.fingerprint))
        assert await adding == {"joined": "Alice", "id": hall.joined[0].device_id}


async def test_without_permissions_a_phone_gets_those_of_a_phone() -> None:
    async with desk() as hall:
        verbs = Verbs(hall)
        adding = asyncio.create_task(verbs.call("phone add", name="Alice"))
        await turn_until(lambda: verbs.told)
        assert verbs.told[0]["permissions"] == ["open", "talk", "view"]
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
        assert not hall.desk.waiting()


@pytest.mark.parametrize("permissions", ["view", [1]])
async def test_permissions_are_a_list_of_names(permissions: object) -> None:
    async with desk() as hall:
        with pytest.raises(UserError, match="permissions: a list of names"):
            await Verbs(hall).call("phone add", name="Alice", permissions=permissions)


async def test_the_phones_and_where_they_are() -> None:
    async with desk("Hall", ("Hall", GUEST)) as hall:
        await hall.invite("Carol")
        answer = await Verbs(hall).call("phone list")
        (alice,), (carol,) = answer["phones"], answer["invited"]
        assert (alice["name"], alice["state"], alice["where"], alice["until"]) == ("Alice", "ready", "Hall", SOON)
        assert carol["name"] == "Carol"
        hall.scan(await hall.invite("Bob"), BOB)
        assert [each["state"] for each in (await Verbs(hall).call("phone list"))["phones"]] == ["ready", "ready"]


async def test_the_authority_is_that_of_the_web_server() -> None:
    async with desk() as hall:
        assert (await Verbs(hall).call("phone ca"))["url"] == "https://10.0.0.2:8443/ca"


async def test_a_phone_that_the_status_does_not_know_is_out_of_reach() -> None:
    made = Desk(statements=[*EVERYBODY, chain(EVERYBODY[-1], ("Hall", GUEST))[-1]])
    verbs = PhoneVerbs(made.desk, list, made.web.open)
    answer = await verbs.table()["phone list"]({}, lambda event: None)
    assert [(each["state"], each["where"]) for each in answer["phones"]] == [("unreachable", None)]
