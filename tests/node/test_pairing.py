"""Two desks over loopback: by code, by enrolment, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from meshdoor.errors import ConfigError, PairingError, WrongCode
from meshdoor.mesh.announcement import Address
from meshdoor.mesh.newcomers import Newcomer
from meshdoor.node.membership import Membership
from meshdoor.node.pairing import KNOCKS_AT_ONCE, MAX_ENROLLING, PairingDesk
from meshdoor.trust.enrolment import Enrolment, Enrolments
from meshdoor.trust.identity import Identity, device_id
from meshdoor.trust.pairing import Reason, refusal
from meshdoor.trust.permissions import Role
from tests.node.homes import Kept, admitted, founded

HINTS = ("192.0.2.1:5071",)
HOST = "127.0.0.1"


def desk(membership: Membership | None = None, name: str = "Kitchen", role: Role = Role.SCREEN) -> PairingDesk:
    """Of a newcomer, unless a membership is given. `saves` counts how often the enrolments were kept."""
    made = PairingDesk(membership or Kept().membership, Enrolments(), lambda: HINTS, lambda _: None)
    made.name, made.role = name, role
    return made


@asynccontextmanager
async def open_desk(made: PairingDesk) -> AsyncIterator[int]:
    """The port at which a desk answers."""
    running: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running[task] = writer
        await made.answer(reader, writer, HOST)

    server = await asyncio.start_server(answer, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in running.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*running, return_exceptions=True)


def shown(made: PairingDesk, port: int) -> Newcomer:
    """What mDNS says of a newcomer."""
    identifier = device_id(made._membership.identity.key)
    return Newcomer(identifier, made.name, made.role, (HOST,), port, 0.0)


def code_of(made: PairingDesk) -> str:
    status = made.status(time.monotonic())
    assert status is not None
    return str(status["code"])


def wrong_for(made: PairingDesk) -> str:
    return "0000-0000" if code_of(made) != "0000-0000" else "1111-1111"


async def test_the_right_code_lets_it_in() -> None:
    hall, kitchen = desk(founded()), desk()
    told: list[object] = []
    kitchen.on_joined(told.append)
    async with open_desk(kitchen) as port:
        newcomer = await hall.admit(shown(kitchen, port), code_of(kitchen), None)
    assert device_id(newcomer.key) == shown(kitchen, port).id
    assert kitchen.status(0) is None
    assert not kitchen.open
    itself = kitchen._membership.itself
    assert itself is not None
    assert (itself.name, itself.role) == ("Kitchen", Role.SCREEN)
    assert kitchen._membership.roster.digest == hall._membership.roster.digest
    assert len(told) == 1


async def test_it_gets_the_name_that_the_person_gives() -> None:
    hall, kitchen = desk(founded()), desk(role=Role.DOOR)
    async with open_desk(kitchen) as port:
        await hall.admit(shown(kitchen, port), code_of(kitchen), "Street")
    itself = kitchen._membership.itself
    assert itself is not None
    assert (itself.name, itself.role) == ("Street", Role.DOOR)


async def test_a_wrong_code_admits_nobody() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(kitchen) as port:
        with pytest.raises(WrongCode):
            await hall.admit(shown(kitchen, port), wrong_for(kitchen), None)
    assert kitchen.open
    assert len(hall._membership.roster.members) == 1


async def test_what_is_no_code_is_no_guess() -> None:
    hall, kitchen = desk(founded()), desk()
    with pytest.raises(ConfigError, match="not a pairing code"):
        await hall.admit(shown(kitchen, 1), "1234", None)


async def test_five_wrong_codes_close_it(caplog: pytest.LogCaptureFixture) -> None:
    hall, kitchen = desk(founded()), desk()
    before = code_of(kitchen)
    async with open_desk(kitchen) as port:
        for _ in range(5):
            with pytest.raises(WrongCode):
                await hall.admit(shown(kitchen, port), wrong_for(kitchen), None)
        with pytest.raises(PairingError, match=r"no guess now: try again in \d+ s"):
            await hall.admit(shown(kitchen, port), code_of(kitchen), None)
    assert code_of(kitchen) != before
    status = kitchen.status(time.monotonic())
    assert status is not None
    assert 0 < float(str(status["wait_s"])) <= 30
    assert f"the new one is {code_of(kitchen)}" in caplog.text
    assert caplog.text.count("pairing with 127.0.0.1 failed") == 1


async def test_one_guess_at_a_time() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(kitchen) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read(1) == b"H"
        with pytest.raises(PairingError, match="no guess now"):
            await hall.admit(shown(kitchen, port), code_of(kitchen), None)
        writer.close()


async def test_who_knocks_too_often_is_turned_away() -> None:
    kitchen = desk()
    async with open_desk(kitchen) as port:
        answers = []
        for _ in range(int(KNOCKS_AT_ONCE) + 1):
            reader, writer = await asyncio.open_connection(HOST, port)
            answers.append(await reader.read(1))
            writer.close()
            await asyncio.sleep(0.01)
    assert answers[-1] == b""
    assert answers[0] == b"H"


async def test_another_device_than_the_chosen_one_is_not_let_in() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(kitchen) as port:
        other = replace(shown(kitchen, port), id="abcd-efgh-ijkl-mnop")
        with pytest.raises(PairingError, match="another device answered"):
            await hall.admit(other, code_of(kitchen), None)
    assert kitchen.open


async def test_a_newcomer_that_does_not_answer() -> None:
    hall = desk(founded())
    server = await asyncio.start_server(lambda reader, writer: writer.close(), HOST, 0)
    closed = server.sockets[0].getsockname()[1]
    with pytest.raises(PairingError):
        await hall.admit(shown(desk(), closed), "1234-5678", None)
    server.close()
    await server.wait_closed()
    with pytest.raises(PairingError, match=f"it does not answer \\(127.0.0.1:{closed}: "):
        await hall.admit(shown(desk(), closed), "1234-5678", None)
    with pytest.raises(PairingError, match="no address is known"):
        await hall.admit(replace(shown(desk(), 1), addresses=()), "1234-5678", None)


async def test_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshdoor.trust.exchange.TIME_LIMIT", 0.1)
    hall = desk(founded())
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: held.append(writer), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(PairingError):
        await hall.admit(shown(desk(), port), "1234-5678", None)
    for writer in held:
        writer.close()
    server.close()


async def test_a_newcomer_whose_power_failed_is_let_in_again() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(kitchen) as port:
        await hall.admit(shown(kitchen, port), code_of(kitchen), None)
    forgetful = desk(Kept(kitchen._membership.identity).membership)
    async with open_desk(forgetful) as port:
        await hall.admit(shown(forgetful, port), code_of(forgetful), None)
    assert not forgetful.open
    assert len(hall._membership.roster.members) == 2


async def test_a_newcomer_of_two_admitters_at_once_keeps_the_first_home() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(kitchen) as port:
        chosen, code = shown(kitchen, port), code_of(kitchen)
        joined = kitchen._membership
        joined.found("Elsewhere", "Kitchen", Role.SCREEN, 0)
        with pytest.raises(PairingError):
            await hall.admit(chosen, code, None)
    assert joined.roster.home_name == "Elsewhere"


def enrolment(hall: PairingDesk, port: int, **changes: Any) -> Enrolment:
    """One that this desk has handed out."""
    membership = hall._membership
    assert membership.roster.home is not None
    made = Enrolment(
        home=membership.roster.home,
        home_name="Home",
        issuer=membership.identity.key,
        role=Role.DOOR,
        name="Street",
        token=hall.enrolments.new_token(),
        addresses=(f"{HOST}:{port}",),
        expires=int(time.time()) + 60,
    )
    hall.hand_out(made, time.time())
    return replace(made, **changes)


async def test_an_enrolment_lets_one_in() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(hall) as port:
        file = enrolment(hall, port)
        await kitchen.join(file)
        itself = kitchen._membership.itself
        assert itself is not None
        assert (itself.name, itself.role) == ("Street", Role.DOOR)
        with pytest.raises(PairingError):
            await desk().join(file)
    assert len(hall._membership.roster.members) == 2


async def test_an_enrolment_whose_answer_got_lost_works_again() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(hall) as port:
        file = enrolment(hall, port)
        await kitchen.join(file)
        forgetful = desk(Kept(kitchen._membership.identity).membership)
        await forgetful.join(file)
    assert not forgetful.open


async def test_an_enrolment_finds_its_issuer_at_another_address() -> None:
    hall, kitchen = desk(founded()), desk()
    async with open_desk(hall) as port:
        file = enrolment(hall, port, addresses=("nonsense", f"{HOST}:1"))
        with pytest.raises(PairingError, match="does not answer"):
            await kitchen.join(file)
        await kitchen.join(file, [Address(HOST, port)])
    assert not kitchen.open


async def test_an_enrolment_is_good_at_its_issuer_only() -> None:
    hall = founded()
    kitchen = desk(admitted(hall, "Kitchen"))
    async with open_desk(kitchen) as port:
        file = enrolment(desk(hall), port)
        with pytest.raises(PairingError):
            await desk().join(file)


async def test_an_answer_of_another_than_the_issuer_is_not_kept() -> None:
    hall, newcomer = desk(founded()), desk()
    async with open_desk(hall) as port:
        file = enrolment(hall, port, issuer=Identity.generate().key)
        with pytest.raises(PairingError, match="not the one that wrote the enrolment"):
            await newcomer.join(file)
    assert newcomer.open


async def test_a_member_without_enrolments_answers_nobody() -> None:
    hall = desk(founded())
    async with open_desk(hall) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == refusal(Reason.FAILED)
        writer.close()


async def test_so_many_enrolments_at_once_and_no_more() -> None:
    hall = desk(founded())
    async with open_desk(hall) as port:
        enrolment(hall, port)
        waiting = [await asyncio.open_connection(HOST, port) for _ in range(MAX_ENROLLING)]
        for reader, _ in waiting:
            assert await reader.read(1) == b"H"
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == refusal(Reason.FAILED)
        for _, each in [*waiting, (reader, writer)]:
            each.close()


