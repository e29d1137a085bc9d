"""What systemd is told, through real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.node.systemd import feed_watchdog, notify, watchdog_interval


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(5)
        yield end


def test_a_state_arrives(manager: socket.socket) -> None:
    assert notify("READY=1", {"NOTIFY_SOCKET": manager.getsockname()})
    assert manager.recv(100) == b"READY=1"


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0meshdoor-test-{os.getpid()}")
        assert notify("STOPPING=1", {"NOTIFY_SOCKET": f"@meshdoor-test-{os.getpid()}"})
        assert end.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("path", ["", "relative", "/nowhere/at/all"])
def test_nobody_listens(path: str) -> None:
    assert not notify("READY=1", {"NOTIFY_SOCKET": path})
    assert not notify("READY=1", {})


def test_a_manager_that_does_not_read_holds_up_nobody(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname()}
    assert not all(notify("WATCHDOG=1", environment) for _ in range(10_000))


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_is_asked(environment: dict[str, str], interval: float | None) -> None:
    assert watchdog_interval(environment) == interval


async def test_signs_of_life(manager: socket.socket) -> None:
    task = asyncio.create_task(feed_watchdog({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000"}))
    for _ in range(3):
        assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
    task.cancel()
    await asyncio.wait([task])


async def test_without_a_watchdog_nothing_is_said() -> None:
    await feed_watchdog({})
