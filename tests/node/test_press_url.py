"""A button that is an address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from meshdoor.mesh.acceptor import listen
from meshdoor.node import press_url
from meshdoor.node.press_url import PressUrl
from meshdoor.settings.devices import HttpButton
from tests.patience import until

SECRET = "0123456789abcdef"
PATH = f"/press/{SECRET}"


class Case:
    def __init__(self) -> None:
        self.pressed = 0
        self.url = PressUrl(HttpButton(0, SECRET), self.press, local=True)

    def press(self) -> None:
        self.pressed += 1

    async def ask(self, request: str) -> str:
        """The status line, or nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.url.port)
        writer.write(f"{request}\r\nHost: door\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.decode().partition("\r\n")[0]


@asynccontextmanager
async def case() -> AsyncIterator[Case]:
    made = Case()
    task = asyncio.create_task(made.url.run())
    await until(lambda: made.url.port != 0)
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_whoever_knows_the_secret_rings(method: str) -> None:
    async with case() as made:
        assert await made.ask(f"{method} {PATH} HTTP/1.1") == "HTTP/1.1 204 No Content"
    assert made.pressed == 1


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /press/0123456789abcdeX HTTP/1.1", 404),
        ("GET / HTTP/1.1", 404),
        (f"GET {PATH}/ HTTP/1.1", 404),
        (f"HEAD {PATH} HTTP/1.1", 405),
        (f"GET {PATH}", 400),
        ("", 400),
    ],
)
async def test_nobody_else_does(request_line: str, status: int) -> None:
    async with case() as made:
        assert f" {status} " in await made.ask(request_line)
    assert made.pressed == 0


async def test_the_secret_is_not_guessed_fast() -> None:
    async with case() as made:
        answers = [await made.ask(f"GET /press/{number:016} HTTP/1.1") for number in range(8)]
    assert answers.count("HTTP/1.1 429 Too Many Requests") >= 2


async def test_a_request_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press_url, "PATIENCE", 0.05)
    async with case() as made:
        for data in (b"GET", b"x" * 10_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", made.url.port)
            writer.write(data)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()


async def test_a_port_that_is_taken_is_told(caplog: pytest.LogCaptureFixture) -> None:
    (taken,) = listen(0, ("127.0.0.1",))
    with taken:
        await PressUrl(HttpButton(taken.getsockname()[1], SECRET), pytest.fail, local=True).run()
    assert "its address cannot be served" in caplog.text
    assert SECRET not in caplog.text
