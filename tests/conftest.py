"""What every test gets: nothing may be left running, block the loop, or speak on a real network."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests.lab import unavailable
from tests.loopback import isolated

GRACE = 1.0  # seconds for threads that are on their way out
LONG = 100  # bytes or characters
CALLS_OF_SIPP = frozenset({"test_load", "test_scanners"})
LOOP_TURNS = 5  # for tasks that are on their way out


def pytest_configure() -> None:
    # No test opens a window on the screen of who runs it, nor shows a wall where it is not the wall that is tested.
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(name, None)
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    os.environ["SDL_AUDIODRIVER"] = "dummy"  # nor is it heard in the room
    isolated()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values make no name. Some are random, and all workers must find the same tests."""
    return argname if isinstance(val, bytes | str) and len(val) > LONG else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """The tests of the virtual house run in one worker, one after the other, those with SIP software of others in a
    second one, and those that mostly wait for calls of sipp to end in a third: more at a time, and each would only wait
    for the machine.

    So do those that use multicast, where the workers share a loopback interface: they would hear each other.
    """
    if item.get_closest_marker("lab"):
        kind = "load" if item.path.stem in CALLS_OF_SIPP else "peers" if item.get_closest_marker("peers") else "lab"
        item.add_marker(pytest.mark.xdist_group(kind))
    elif item.get_closest_marker("multicast") and not isolated():
        item.add_marker(pytest.mark.xdist_group("multicast"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where the kernel forbids namespaces, the tests that need them are skipped with what it said."""
    if item.get_closest_marker("lab") and unavailable():
        pytest.skip(f"no virtual house: {unavailable()}")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """A test ends every thread that it began."""
    before = set(threading.enumerate())
    yield
    left = _threads_since(before)
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:
        left[0].join(0.02)
        left = _threads_since(before)
    assert not left, f"threads left running: {left}"


def _threads_since(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before]


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """A test ends every process that it began, and takes note of its end."""
    before = _children()
    yield
    left = {pid: _command(pid) for pid in _children() - before}
    assert not left, f"processes left running: {left}"


def _children() -> set[int]:
    """Nothing where the kernel does not tell (CONFIG_PROC_CHILDREN)."""
    found = set[int]()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that ended meanwhile
            found.update(map(int, file.read_text().split()))
    return found


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return "gone"
    return words.decode(errors="replace") or "ending, or just beginning"


@pytest.fixture(autouse=True)
def clean_loop(request: pytest.FixtureRequest, no_thread_left: None, no_process_left: None) -> None:
    """An asynchronous test leaves no task, and nothing of ours blocks its loop."""
    function = getattr(request.node, "obj", None)
    if inspect.iscoroutinefunction(function):
        request.getfixturevalue("no_task_left")
        request.getfixturevalue("blockbuster")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Torn down last: by then the fixtures of the test have ended what they began."""
    yield
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks left running: {left}"


@pytest.fixture
def blockbuster() -> Iterator[BlockBuster]:
    """Raises BlockingError where code of meshdoor blocks the event loop."""
    with blockbuster_ctx("meshdoor") as guard:
        for lock in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):  # not ours: of who measures us
            guard.functions[lock].can_block_in("coverage/collector.py", "lock_data")
        yield guard


@pytest.fixture(autouse=True)
def multicast_stays_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Multicast of a test may use the loopback interface only; the rest belongs into the lab."""
    real = socket.socket.setsockopt
    marked = request.node.get_closest_marker("multicast") is not None

    def setsockopt(self: socket.socket, level: int, option: int, value: Any, *rest: Any) -> None:
        interface = _multicast_interface(level, option, value)
        assert interface in (None, "lo"), f"a test uses multicast on {interface}: use lo or the lab"
        assert interface is None or marked, "a test uses multicast: mark it so"
        real(self, level, option, value, *rest)

    monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)


def _multicast_interface(level: int, option: int, value: Any) -> str | None:
    """Which interface this socket option opens for multicast; None if it does no such thing."""
    if level == socket.IPPROTO_IP and option in (socket.IP_ADD_MEMBERSHIP, socket.IP_MULTICAST_IF):
        address = bytes(value)[4:8] if option == socket.IP_ADD_MEMBERSHIP else bytes(value)[:4]
        return "lo" if address.startswith(b"\x7f") else socket.inet_ntoa(address)
    if level == socket.IPPROTO_IPV6 and option == socket.IPV6_JOIN_GROUP:
        return _interface_name(int.from_bytes(bytes(value)[16:20], "little"))
    if level == socket.IPPROTO_IPV6 and option == socket.IPV6_MULTICAST_IF:
        return _interface_name(value if isinstance(value, int) else int.from_bytes(bytes(value), "little"))
    return None


def _interface_name(index: int) -> str:
    return socket.if_indextoname(index) if index else "the default interface"
