"""The control socket: a real node's end in this loop, the blocking client in a thread."""

from __future__ import annotations

import asyncio
import socket
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from meshdoor.control import Json, decode, error_from_json
from meshdoor.control.client import Client
from meshdoor.control.server import MAX_CONNECTIONS, Progress, serve
from meshdoor.errors import NotFound, NotRunning, RemoteProtocolError, UserError


async def echo(args: Mapping[str, Json], progress: Progress) -> Json:
    progress({"step": 1})
    return dict(args)


async def lose(args: Mapping[str, Json], progress: Progress) -> Json:
    raise NotFound("no such member", "see: meshdoor members")


async def fail(args: Mapping[str, Json], progress: Progress) -> Json:
    raise ZeroDivisionError


VERBS = {"echo": echo, "lose": lose, "fail": fail}


async def ask(state: Path, use: Callable[[Client], Json]) -> Json:
    def run() -> Json:
        with Client(state, timeout=5.0) as client:
            return use(client)

    return await asyncio.to_thread(run)


async def test_a_verb_is_answered_with_its_progress(tmp_path: Path) -> None:
    seen: list[Json] = []
    async with serve(tmp_path, VERBS):
        answer = await ask(tmp_path, lambda client: client.call("echo", seen.append, word="hé"))
    assert answer == {"word": "hé"}
    assert seen == [{"step": 1}]


async def test_an_error_arrives_as_itself(tmp_path: Path) -> None:
    async with serve(tmp_path, VERBS):
        with pytest.raises(NotFound) as caught:
            await ask(tmp_path, lambda client: client.call("lose"))
    assert caught.value.hint == "see: meshdoor members"


async def test_an_unknown_verb_is_named(tmp_path: Path) -> None:
    async with serve(tmp_path, VERBS):
        with pytest.raises(UserError, match="no such verb: 'dance'"):
            await ask(tmp_path, lambda client: client.call("dance"))


async def test_a_verb_that_breaks_leaves_the_node_running(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(tmp_path, VERBS):
        with pytest.raises(UserError, match="the node failed"):
            await ask(tmp_path, lambda client: client.call("fail"))
        assert await ask(tmp_path, lambda client: client.call("echo")) == {}
    assert "ZeroDivisionError" in caplog.text


async def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    async with serve(tmp_path, VERBS):
        mode = (tmp_path / "control.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / "control.sock").exists()


async def test_garbage_is_answered_and_survived(tmp_path: Path) -> None:
    async with serve(tmp_path, VERBS):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b"garbage\n[]\n" + b'{"verb":"echo","args":3}\n')
        for _ in range(3):
            assert "error" in decode(await reader.readline())
        writer.write(b"x" * (2 << 20))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert await ask(tmp_path, lambda client: client.call("echo")) == {}


async def test_stopping_ends_what_is_under_way(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def hang(args: Mapping[str, Json], progress: Progress) -> Json:
        started.set()
        await asyncio.Event().wait()

    async with serve(tmp_path, {"hang": hang}):
        pending = asyncio.create_task(ask(tmp_path, lambda client: client.call("hang")))
        await started.wait()
    with pytest.raises(NotRunning, match="stopped while"):
        await pending


async def test_a_request_is_cancelled_by_its_number(tmp_path: Path) -> None:
    ended: list[str] = []

    async def hang(args: Mapping[str, Json], progress: Progress) -> Json:
        try:
            progress("begun")
            await asyncio.Event().wait()
        finally:
            ended.append("hang")

    async with serve(tmp_path, {"hang": hang}):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b'{"id":1,"verb":"hang"}\n')
        assert decode(await reader.readline()) == {"id": 1, "event": "begun"}
        writer.write(b'{"id":2,"verb":"cancel","args":{"id":9}}\n{"id":3,"verb":"cancel","args":{"id":1}}\n')
        said = [decode(await reader.readline()) for _ in range(3)]
        assert sorted(said, key=lambda message: message["id"]) == [
            {"id": 1, "error": {"kind": "Refused", "message": "cancelled", "hint": ""}},
            {"id": 2, "ok": False},
            {"id": 3, "ok": True},
        ]
        assert ended == ["hang"]
        writer.close()


async def test_a_deep_state_directory_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    async with serve(deep, VERBS):
        assert await ask(deep, lambda client: client.call("echo", a=1)) == {"a": 1}


def test_no_node_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        Client(tmp_path)
    assert "meshdoor run" in caught.value.hint


def test_an_error_of_unknown_kind_is_still_one() -> None:
    assert type(error_from_json({"kind": "Client", "message": "x"})) is UserError
    assert type(error_from_json({"kind": "StatementError", "message": "x"})) is UserError


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"\xff"])
def test_only_objects_are_messages(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(line)


def strange_node(state: Path, answer: bytes) -> threading.Thread:
    """Something that is no node listens there, gives one answer and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state / "control.sock"))
    listener.listen()

    def run() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "text"), [(b"HTTP/1.1 400 Bad Request\r\n", "is not a node"), (b"", "stopped while it was asked")]
)
def test_what_is_no_node_is_told_of(tmp_path: Path, answer: bytes, text: str) -> None:
    thread = strange_node(tmp_path, answer)
    with Client(tmp_path) as client, pytest.raises(NotRunning, match=text):
        client.call("status")
    thread.join()


def test_a_node_that_says_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        with Client(tmp_path, timeout=0.05) as client, pytest.raises(NotRunning, match="did not answer in time"):
            client.call("status")


def test_a_node_that_has_hung_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        with Client(tmp_path) as client:
            listener.accept()[0].close()
            with pytest.raises(NotRunning, match="stopped while it was asked"):
                client.call("status")


def test_a_node_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("meshdoor.control.client.reachable_path", forbidden)
    with pytest.raises(NotRunning, match="no right to talk to the node"):
        Client(tmp_path)


async def test_too_many_connections_are_closed(tmp_path: Path) -> None:
    async with serve(tmp_path, VERBS):
        path = str(tmp_path / "control.sock")
        kept = [await asyncio.open_unix_connection(path) for _ in range(MAX_CONNECTIONS)]
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b""
        for _, each in [*kept, (reader, writer)]:
            each.close()


async def test_who_does_not_read_is_not_served_further(tmp_path: Path) -> None:
    answered = 0

    async def big(args: Mapping[str, Json], progress: Progress) -> Json:
        nonlocal answered
        answered += 1
        return "x" * 500_000

    async with serve(tmp_path, {"big": big}):
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b'{"verb":"big"}\n' * 1000)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert 0 < answered < 100
        writer.transport.abort()
