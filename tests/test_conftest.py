"""The guards of conftest.py catch what they are for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = (Path(__file__).parent / "conftest.py").read_text()


def outcome(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(body)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider")


def test_a_thread_left_running(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        import threading
        stop = threading.Event()
        def test_it():
            threading.Thread(target=stop.wait, args=(1.5,), daemon=True).start()
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*threads left running*"])


def test_a_task_left_running(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        import asyncio
        kept = []
        async def test_it():
            kept.append(asyncio.create_task(asyncio.sleep(60)))
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*tasks left running*"])


def test_a_task_of_a_fixture_that_ends_it(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        import asyncio, pytest
        @pytest.fixture
        async def server():
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(asyncio.sleep(60))
                yield task
                task.cancel()
        async def test_it(server):
            assert not server.done()
        """,
    )
    result.assert_outcomes(passed=1)


def test_multicast_on_a_real_interface() -> None:
    group = socket.inet_aton("224.0.0.251")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(AssertionError, match=r"multicast on 0\.0\.0\.0"):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + bytes(4))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + socket.inet_aton("127.0.0.1"))
