"""Opening from SIP clients by a code that they type in a call."""

from __future__ import annotations

import asyncio
import time

import pytest

from meshdoor.calls.codes import SHUT_FIRST, WRONG_IN_CALL
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.media.reports import DtmfReceived
from meshdoor.node.openers import OVERHEARD, Kept, Openers
from meshdoor.node.unlocking import open_for_clients
from meshdoor.sip import events as sip
from meshdoor.sip.dtmf import RELAY
from tests.node.clients import answer_of, proving
from tests.node.unlocking import CODE, Opening, on_a_socket, opening, talks
from tests.patience import until
from tests.trust.house import DEVICES


async def test_a_code_as_info_opens_the_lock_of_the_door_that_it_is_typed_to() -> None:
    async with opening() as made:
        invite = await made.talking()
        said = await made.pin()
        assert (said["name"], said["by_code"], said["warning"]) == ("Tablet", True, OVERHEARD)
        assert await made.info(invite, CODE) == [200] * 4
        assert not made.audits
        await made.info(invite, "#")
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]
        assert made.audits[0].opener != DEVICES["Hall"].key
        assert not made.home.gate.told("dtmf")  # the door does not learn the code
        assert made.home.hall.told("opening", who="Tablet", by="code", result="opened")


async def test_a_code_with_the_sound_comes_by_the_door() -> None:
    async with opening() as made:
        await made.talking()
        await made.pin()
        (talk,) = made.home.gate.calls.pressing.talks()
        for digit in f"*{CODE}#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]


async def test_a_client_on_a_socket_opens_by_a_code_as_info() -> None:
    async with on_a_socket() as (made, page):
        await made.pin()
        invite = await talks(made, page)
        for digit in f"{CODE}#":
            body = f"Signal={digit}\r\nDuration=160\r\n".encode()
            page.act(lambda now, body=body: invite.session.info(body, RELAY, now))  # type: ignore[misc]
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]


async def test_a_client_on_a_socket_opens_by_a_code_with_the_sound_while_it_talks() -> None:
    async with on_a_socket() as (made, page):
        await made.pin()
        made.home.gate.calls.ring()
        invite = await page.rung()
        note = {"about": "digit", "of": page.key.hex()}
        for digit in f"{CODE}#":  # nobody has answered
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        page.answer(invite)
        await made.home.gate.tells("step", member="Tablet", step="answered")
        for digit in f"{CODE}#":  # not the door that it talks with
            made.home.hall.house.note(DEVICES["Kitchen"].key, note | {"digit": digit})
        (talk,) = made.home.gate.calls.pressing.talks()
        for digit in "4712#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("wrong code")
        assert not made.audits
        for digit in f"{CODE}#":
            made.home.gate.fake.tell(DtmfReceived(talk.leg, digit))
        await made.result("opened")


async def test_a_code_counts_in_a_call_that_a_client_placed_and_proved() -> None:
    async with opening() as made, proving(made.home, "UDP") as phone:
        made.home.phone = phone
        await made.pin()
        phone.endpoint.invite(phone.to(made.home.hall, "gate"), bytes(answer_of()))
        await made.info(await phone.one(sip.Answered), f"{CODE}#")
        await made.result("opened")
        assert made.opened() == [("Tablet, by code", "opened")]


async def test_without_a_code_digits_are_for_the_door() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.info(invite, f"{CODE}#")
        assert len(made.home.gate.told("dtmf")) == 5
        await made.pin()
        await made.pin(code=None)
        await made.info(invite, f"{CODE}#")
        assert len(made.home.gate.told("dtmf")) == 10
        assert not made.audits


async def test_before_the_answer_and_after_the_end_nothing_is_typed() -> None:
    async with opening() as made:
        await made.home.adopt()
        await made.pin()
        await made.home.reached()
        invite = await made.home.press()
        assert set(await made.info(invite, f"{CODE}#")) == {403}
        note = {"about": "digit", "of": client(made).hex()}
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        made.home.phone.accept(invite)
        await made.home.gate.tells("step", member="Tablet", step="answered")
        with made.home.phone.endpoint.acting() as now:
            invite.session.bye((), now)
        await made.home.gate.tells("over", why="answered")
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": digit})
        await asyncio.sleep(0.3)
        assert not made.audits
        assert not made.home.hall.told("opening")


def client(made: Opening) -> bytes:
    """The key of the tablet."""
    return made.home.hall.house.membership.roster.find("Tablet").key


async def test_only_the_door_of_the_call_tells_digits(caplog: pytest.LogCaptureFixture) -> None:
    async with opening() as made:
        await made.talking()
        await made.pin()
        note = {"about": "digit", "of": client(made).hex()}
        for digit in f"{CODE}#":
            made.home.hall.house.note(DEVICES["Kitchen"].key, note | {"digit": digit})
        for wrong in ({"digit": "55"}, {"digit": 5}, {"of": "x"}, {"of": None}):
            made.home.hall.house.note(DEVICES["Gate"].key, note | {"digit": "5"} | wrong)
        await asyncio.sleep(0.3)
        assert not made.audits
        assert "a note that is wrong" in caplog.text


async def test_a_call_is_shut_after_three_wrong_codes() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.pin()
        for number in range(1, WRONG_IN_CALL + 1):
            await made.info(invite, "4712#")
            await made.result("wrong code", number)
        assert set(await made.info(invite, f"{CODE}#")) == {200}
        await asyncio.sleep(0.3)
        assert not made.audits


async def test_over_calls_a_member_is_shut_out_after_five(caplog: pytest.LogCaptureFixture) -> None:
    async with opening() as made:
        invite = await made.shut_out()
        assert "none of Tablet counts for 10 minutes" in caplog.text
        await made.info(invite, f"{CODE}#")
        await asyncio.sleep(0.3)
        assert not made.audits
        await made.pin(code="90417")
        await made.info(invite, "90417#")
        await made.result("opened")


def restarted(made: Opening, kept: Kept) -> Openers:
    """What opens for clients, anew."""
    hall = made.home.hall
    del hall.house.notes._handlers["digit"]
    return open_for_clients(hall.calls, hall.house, made.openings, kept, ())


async def test_a_restart_lets_nobody_try_again() -> None:
    async with opening() as made:
        invite = await made.shut_out()
        await until(lambda: "shut" in made.saved[-1][client(made).hex()])
        kept = Kept(made.saved[-1], made.saved.append)
        again = restarted(made, kept)
        await made.info(invite, f"{CODE}#")
        await asyncio.sleep(0.3)
        assert not made.audits
        ((key, shut),) = again.shut_out(time.time())
        assert key == client(made)
        assert SHUT_FIRST - 60 < shut.seconds <= SHUT_FIRST
        assert shut.times == 1
        made.openers = again
        await made.pin(code="90417")
        assert "shut" not in made.saved[-1][key.hex()]


async def test_who_is_shut_out_may_try_again_when_it_is_over() -> None:
    async with opening() as made:
        invite = await made.talking()
        await made.pin()
        key = client(made)
        stored = made.saved[-1][key.hex()] | {"shut": [time.time() - 1.0, 3]}
        kept = Kept({key.hex(): stored}, made.saved.append)
        restarted(made, kept)
        await made.info(invite, f"{CODE}#")
        await made.result("opened")
        assert "shut" not in made.saved[-1][key.hex()]


async def test_a_client_that_may_not_open_gets_no_code_and_opens_nothing() -> None:
    async with opening() as made:
        await made.home.adopt(permissions=["view", "talk"])
        with pytest.raises(Refused, match="may not open locks"):
            await made.pin()


@pytest.mark.parametrize(
    ("member", "code", "expected"),
    [
        ("Tablet", "1234", UserError),
        ("Tablet", "47", UserError),
        ("Hall", CODE, NotFound),
        ("Nobody", CODE, NotFound),
    ],
)
async def test_codes_that_are_not_taken(member: str, code: str, expected: type[UserError]) -> None:
    async with opening() as made:
        await made.home.adopt()
        with pytest.raises(expected):
            await made.pin(member, code)


async def test_only_a_hash_of_a_code_is_kept_and_it_is_found_again() -> None:
    async with opening() as made:
        await made.home.adopt()
        await made.pin()
        (stored,) = made.saved[-1].values()
        assert stored["code"].startswith("$argon2id$")
        assert CODE not in str(stored["code"]).partition("$argon2id$")[0]
        house, find = made.home.hall.house, made.home.hall.calls.client
        damaged = {"ab" * 32: stored, "x": 5, "cd" * 32: {"seed": "ab"}, "ef" * 32: {"seed": "zz"}}
        again = Openers(house, find, Kept(damaged | made.saved[-1], made.saved.append))
        assert list(again.by_code()) == [client(made)]
        assert await again.check(client(made), CODE)
        assert not await again.check(client(made), "4712")
        assert not await again.check(b"x" * 32, CODE)
        for wrong in ("x", [1], [None, 1], [float("nan"), 1], [10**400, 1], [1.0, "x"], 5):
            damaged = {client(made).hex(): stored | {"shut": wrong}}
            assert not list(Openers(house, find, Kept(damaged, len)).shut_out(0.0))
        broken = {client(made).hex(): stored | {"code": "$argon2id$what"}}
        assert not await Openers(house, find, Kept(broken, made.saved.append)).check(client(made), CODE)
        key = client(made)
        made.home.desk.revoke("Tablet")
        assert again.identity(key) is None
        assert not again.by_code()


async def test_what_was_adopted_before_there_were_keys_has_none() -> None:
    async with opening() as made:
        await made.home.adopt()
        made.openers._openers.clear()
        with pytest.raises(NotFound, match="no key of Tablet"):
            await made.pin()
