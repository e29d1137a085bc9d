"""The socket of the pipe, with scripts as people wrote them."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from meshdoor.control.daemon import Reply
from meshdoor.errors import ConfigError
from meshdoor.node.pipe import MAX_SCRIPTS, pipe, sockets_of
from tests.patience import PATIENCE


class Script:
    """A stream to the pipe."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, data: bytes) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readline()


def is_served(path: Path) -> bool:
    """Does somebody listen there? The file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        return sock.connect_ex(str(path)) == 0


@asynccontextmanager
async def script(path: Path | str) -> AsyncIterator[Script]:
    made = Script(*await asyncio.open_unix_connection(path))
    try:
        yield made
    finally:
        made.writer.close()
        with suppress(ConnectionError):
            await made.writer.wait_closed()


async def echo(line: str) -> Reply:
    return Reply.error(line)


async def test_a_command_needs_no_line_feed(tmp_path: Path) -> None:
    async with pipe("doorbell", echo, tmp_path), script(tmp_path / "doorbell") as button:
        assert await button.says(b"call sip:homescreen@myhouse") == b"Status: Error\n"
        assert await button.reader.readline() == b"Reason: call sip:homescreen@myhouse\n"
        await button.says(b"one\ntwo\nthr")
        assert [await button.reader.readline() for _ in range(5)][::2] == [
            b"Reason: one\n",
            b"Reason: two\n",
            b"Reason: thr\n",
        ]


async def test_the_last_command_may_be_the_last_word(tmp_path: Path) -> None:
    async with pipe("doorbell", echo, tmp_path), script(tmp_path / "doorbell") as button:
        button.writer.write(b"terminate")
        button.writer.write_eof()
        assert await button.reader.read() == b"Status: Error\nReason: terminate\n"


async def test_quit_ends_the_connection_and_not_the_house(tmp_path: Path) -> None:
    async with pipe("doorbell", echo, tmp_path):
        async with script(tmp_path / "doorbell") as button:
            await button.says(b"quit\n")
            assert await button.reader.read() == b"Reason: quit\n"
        async with script(tmp_path / "doorbell") as button:
            assert await button.says(b"version") == b"Status: Error\n"


async def test_it_is_in_the_abstract_namespace_too(tmp_path: Path) -> None:
    name = f"meshdoor-{os.getpid()}"
    async with pipe(name, echo, tmp_path), script(f"\0{name}") as button:
        assert await button.says(b"x\n") == b"Status: Error\n"
    async with pipe(f"@{name}", echo, tmp_path), script(f"\0{name}") as button:
        assert await button.says(b"x\n") == b"Status: Error\n"
        assert os.listdir(tmp_path) == []


async def test_strangers_may_not_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"meshdoor-{os.getpid()}"
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "getegid", lambda: 4242)
    known = os.getuid() == 0
    async with pipe(f"@{name}", echo, tmp_path), script(f"\0{name}") as button:
        assert await button.says(b"x\n") == (b"Status: Error\n" if known else b"")


async def test_only_the_user_and_the_group_may_connect(tmp_path: Path) -> None:
    async with pipe(str(tmp_path / "here"), echo):
        assert stat.S_IMODE(os.stat(tmp_path / "here").st_mode) == 0o660
    assert os.listdir(tmp_path) == []


async def test_what_is_left_of_another_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "here"))
    async with pipe(str(tmp_path / "here"), echo), script(tmp_path / "here") as button:
        assert await button.says(b"x\n") == b"Status: Error\n"


async def test_another_that_runs_keeps_its_name(tmp_path: Path) -> None:
    async with pipe(str(tmp_path / "here"), echo):
        with pytest.raises(ConfigError, match="Address already in use") as caught:
            await asyncio.to_thread(sockets_of, str(tmp_path / "here"))
        assert "linphone-daemon" in caught.value.hint
        async with script(tmp_path / "here") as button:
            assert await button.says(b"x\n") == b"Status: Error\n"


def test_no_file_of_somebody_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ConfigError):
        sockets_of(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "kept"


def test_both_sockets_or_none(tmp_path: Path) -> None:
    name = f"meshdoor-{os.getpid()}"
    (only,) = sockets_of(f"@{name}")
    with only, pytest.raises(ConfigError):
        sockets_of(name, tmp_path)


@pytest.mark.parametrize("name", ["", "--early-media", "a\0b", "x" * 81])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        sockets_of(name)


async def test_scripts_are_few_and_commands_end(tmp_path: Path) -> None:
    path = tmp_path / "here"
    async with pipe(str(path), echo), AsyncExitStack() as stack:
        made = [await stack.enter_async_context(script(path)) for _ in range(MAX_SCRIPTS)]
        for each in made:
            await each.says(b"x\n")
        async with script(path) as late:
            assert await late.reader.read() == b""
        made[0].writer.write(b"y" * 5000)
        with suppress(ConnectionError):
            assert await made[0].reader.read() == b"Reason: x\n"


async def test_what_is_gone_is_not_taken_away(tmp_path: Path) -> None:
    async with pipe(str(tmp_path / "here"), echo):
        (tmp_path / "here").unlink()
        (tmp_path / "here").write_text("kept")
    assert (tmp_path / "here").read_text() == "kept"
