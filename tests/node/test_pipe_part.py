"""Scripts of linphone-daemon at real call services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from meshdoor.config import Config, SipConfig
from meshdoor.errors import NotFound, Refused, UserError
from meshdoor.node.dialling import MAX_MESSAGE, Dialling
from meshdoor.node.pipe_part import MAX_REGISTERS, Registers, run_pipe
from tests.node.test_calls import QUIET, Node, engines, services
from tests.node.test_pipe import Script, is_served, script
from tests.patience import until

__all__ = ["engines"]


@asynccontextmanager
async def piped(node: Node, path: Path, **settings: object) -> AsyncIterator[Script]:
    config = Config(**QUIET | settings)
    dialling = Dialling(config, node.house, node.calls)
    task = asyncio.create_task(run_pipe(str(path), dialling, node.calls.outsiders.open_account))
    await until(lambda: is_served(path))
    try:
        async with script(path) as button:
            yield button
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def says(button: Script, line: str) -> str:
    """The whole answer."""
    first = await button.says(line.encode())
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            while True:
                first += await button.reader.readline()
    return first.decode()


@pytest.mark.parametrize("address", ["sip:homescreen@myhouse", "sip:everyone@myhouse"])
async def test_the_script_of_a_button_rings_the_house(tmp_path: Path, address: str) -> None:
    async with services("Gate", "Hall", "Kitchen") as (gate, hall, kitchen), piped(gate, tmp_path / "p") as button:
        assert await says(button, f"call {address}") == "Status: Ok\n\nId: 1\n\n"
        for node in (hall, kitchen):
            await node.tells("visitor", door="Gate")
        await gate.tells("step", member="Hall", step="early")
        assert f"From: {address}\n" in await says(button, "call-status 1")
        hall.calls.answer(None, None)
        await gate.tells("step", member="Hall", step="answered")
        assert "State: LinphoneCallStreamsRunning\n" in await says(button, "call-status")
        assert await says(button, "terminate") == "Status: Ok\n"
        await hall.tells("over")
        assert "Event: LinphoneCallOutgoingInit" in await says(button, "pop-event")


async def test_one_room_may_be_rung_alone(tmp_path: Path) -> None:
    settings = {"routes": {"homescreen": ("Hall",)}, "sip": SipConfig(0, domain="my.house")}
    async with (
        services("Gate", "Hall", "Kitchen") as (gate, hall, kitchen),
        piped(gate, tmp_path / "p", **settings) as button,
    ):
        assert "Id: 1" in await says(button, "call sip:homescreen@my.house")
        await hall.tells("visitor", door="Gate")
        assert not kitchen.told("visitor")
        assert await says(button, "terminate") == "Status: Ok\n"


async def test_a_screen_calls_rooms_and_looks_through_doors(tmp_path: Path) -> None:
    async with services("Hall", "Kitchen", "Gate") as (hall, kitchen, gate), piped(hall, tmp_path / "p") as button:
        assert "Id: 1" in await says(button, "call sip:kitchen@myhouse")
        await kitchen.tells("call", state="alerting")
        await hall.tells("call", state="ringing")
        assert "State: LinphoneCallOutgoing" in await says(button, "call-status 1")
        assert await says(button, "terminate 1") == "Status: Ok\n"
        await kitchen.tells("call", state="ended")
        assert "Id: 2" in await says(button, "call sip:gate@myhouse")
        await gate.tells("monitored", on=True)
        assert "no member is called" in await says(button, "call sip:cat@myhouse")
        assert "one at a time" in await says(button, "call sip:everyone@myhouse")
        assert "is unreachable" in await says(button, "call sip:bob@sip.example.org")


async def test_texts_go_to_members() -> None:
    async with services("Hall", "Kitchen") as (hall, _kitchen):
        dialling = Dialling(Config(**QUIET), hall.house, hall.calls)
        assert await dialling.message("sip:kitchen@myhouse", "hello")
        with pytest.raises(NotFound, match="no address is known"):
            await dialling.message("sip:bob@nobody.local:5060", "hello")
        with pytest.raises(Refused, match="bytes at most"):
            await dialling.message("sip:kitchen@myhouse", "x" * (MAX_MESSAGE + 1))
        with pytest.raises(Refused, match="cannot be reached"):
            await dialling.message("everyone", "hello")


class Opened:
    """An account that a script asked for."""

    state = "LinphoneRegistrationProgress"
    ended = False

    def end(self) -> None:
        self.ended = True


def refuse(*_: str) -> Opened:
    raise Refused("not of this house")


def test_nobody_registers_at_the_house_itself() -> None:
    account = Opened()
    registers = Registers(lambda host: host == "myhouse", lambda *_: account)
    assert registers.register("sip:door@myhouse", "sip:myhouse", "", "") == 1
    assert registers.register("sip:door@example.org", "sip:example.org", "secret", "me") == 2
    assert [row[2] for row in registers.rows().values()] == ["LinphoneRegistrationOk", "LinphoneRegistrationProgress"]
    assert [registers.unregister(number) for number in (2, 2, 1)] == [True, False, True]
    assert account.ended
    with pytest.raises(UserError, match="not a SIP URI"):
        registers.register("door", "", "", "")
    for _ in range(MAX_REGISTERS):
        registers.register("sip:door@myhouse", "", "", "")
    with pytest.raises(Refused, match="already"):
        registers.register("sip:door@myhouse", "", "", "")
    with pytest.raises(Refused, match="not of this house"):
        Registers(lambda host: False, refuse).register("sip:a@b", "", "", "")
