"""The client with processes that are no good engines."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from meshdoor.errors import EngineError
from meshdoor.media import engine_client
from meshdoor.media.engine_client import Engine
from meshdoor.media.messages import Hello
from meshdoor.media.reports import EngineLost, EngineReady, Event
from tests.patience import until

# An engine in a few lines: READY answers the first command, IDLE waits for its end.
FAKE = """
import json, socket, sys, time
port = socket.socket(fileno=int(sys.argv[1]))
def answer(**fields):
    request = json.loads(port.recv(99999)).get("request")
    port.send(json.dumps(dict(request=request, **fields)).encode())
"""
READY = "answer(type='Ready', pid=42)\n"
IDLE = "while port.recv(99999): pass\n"


def fake(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", FAKE + script)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long an engine may take to start, to answer and to end stays as it is: the machine may be busy."""
    for name in ("FIRST_BACK_OFF", "MAX_BACK_OFF", "PING_INTERVAL"):
        monkeypatch.setattr(engine_client, name, 0.02)


async def ends(script: str, reason: str) -> None:
    """An engine like that is ended for that reason and no other, and another one is started."""
    events: list[Event] = []
    lost = EngineLost((), reason)
    async with Engine(Hello("door"), events.append, fake(script)):
        await until(lambda: events.count(lost) > 1)
        assert set(events) <= {lost, EngineReady(42)}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("answer(type='Failed', reason='no')", "refused its settings: Failed(reason='no')"),
        (READY + "answer(type='Failed', reason='ill')\n" + IDLE, "ill"),
        (READY + "answer(type='Ready', pid=1)\n" + IDLE, "the media engine answered Ready to Ping"),
        (READY + "port.close()", "exit status 0"),
    ],
)
async def test_a_bad_engine_is_ended_and_another_one_started(script: str, reason: str) -> None:
    await ends(script, reason)


@pytest.mark.parametrize(
    ("script", "deadline", "reason"),
    [
        (IDLE, "START_TIMEOUT", "did not start"),
        (READY + IDLE, "ANSWER_TIMEOUT", "the media engine did not answer Ping"),
        (READY + "port.close()\ntime.sleep(99)", "SHUTDOWN_TIMEOUT", "exit status -9"),
    ],
)
async def test_a_silent_engine_is_ended_and_another_one_started(
    script: str, deadline: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_client, deadline, 0.1)
    await ends(script, reason)


async def test_no_process_is_left_of_an_engine_that_nobody_waits_for() -> None:
    """Ended once by its context, which then is cancelled itself."""

    async def use() -> None:
        async with Engine(Hello("door"), lambda event: None, fake(READY + "time.sleep(99)")) as engine:
            await engine.wait_ready()
            running.set()

    running = asyncio.Event()
    using = asyncio.create_task(use())
    await running.wait()
    await asyncio.sleep(0.05)
    using.cancel()
    await asyncio.wait([using])


async def test_junk_is_logged_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    junk = "port.send(b'junk'); port.send(b'{\"type\":\"Done\",\"request\":99}')\n"
    async with Engine(Hello("door"), events.append, fake(READY + junk + "answer(type='Done')\n" * 99)) as engine:
        await engine.wait_ready()
        await until(lambda: "does not fit" in caplog.text)
        await engine.key_frame()


async def test_a_command_that_the_engine_dies_on_fails() -> None:
    async with Engine(Hello("door"), lambda event: None, fake(READY + "port.recv(99999)")) as engine:
        await engine.wait_ready()
        with pytest.raises(EngineError):
            await engine.key_frame()


async def test_a_program_that_is_not_there() -> None:
    events: list[Event] = []
    async with Engine(Hello("door"), events.append, ("/nothing/here",)):
        await until(lambda: events)
    assert events[0] == EngineLost((), "cannot be started: No such file or directory")


def test_the_client_loads_no_codec() -> None:
    script = "import sys, meshdoor.media.engine_client; sys.exit('av' in sys.modules or 'aiortc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
