"""The guards of conftest.py catch what they are for."""

from __future__ import annotations

import socket
import threading
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from blockbuster import BlockingError

from meshdoor.mesh.interfaces import snapshot
from meshdoor.trust.identity import Identity
from tests.loopback import isolated

pytest_plugins = ["pytester"]

CONFTEST = (Path(__file__).parent / "conftest.py").read_text()
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
markers = lab
"""


def outcome(pytester: pytest.Pytester, body: str, *words: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(body)
    pytester.makeini(SETTINGS)
    return pytester.runpytest_inprocess(*(words or ("-p", "no:xdist")), "-p", "no:cacheprovider")


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


def test_a_process_left_running(pytester: pytest.Pytester) -> None:
    result = outcome(
        pytester,
        """
        import subprocess, pytest
        from pathlib import Path
        kept = []
        @pytest.fixture(scope="module", autouse=True)
        def late():
            yield
            kept[0].kill()
            kept[0].wait()
        def test_it():
            kept.append(subprocess.Popen(["sleep", "60"]))
            while not Path(f"/proc/{kept[0].pid}/cmdline").read_text():
                pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*processes left running*"])


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


def test_tests_of_the_virtual_house_share_one_worker(pytester: pytest.Pytester) -> None:
    """And are found by all workers, though their parameters are random."""
    result = outcome(
        pytester,
        """
        import os, pytest
        @pytest.mark.lab
        @pytest.mark.parametrize("data", [os.urandom(200) for _ in range(6)])
        def test_it(data):
            pass
        """,
        *("-n", "2", "--dist", "loadgroup", "-v"),
    )
    workers = [line.split()[0] for line in result.outlines if line.startswith("[gw")]
    assert workers == [workers[0]] * 6


def join_group(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        membership = socket.inet_aton("224.0.0.251") + socket.inet_aton(interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


@pytest.mark.multicast
def test_multicast_on_a_real_interface() -> None:
    with pytest.raises(AssertionError, match=r"multicast on 0\.0\.0\.0"):
        join_group("0.0.0.0")
    join_group("127.0.0.1")


def test_multicast_without_saying_so() -> None:
    with pytest.raises(AssertionError, match="mark it so"):
        join_group("127.0.0.1")


@pytest.mark.skipif(not isolated(), reason="only root may have a network of its own")
def test_no_network_but_loopback() -> None:
    assert snapshot() == ()


@pytest.fixture
def measurer(tmp_path: Path) -> ModuleType:
    """Takes its lock as coverage does."""
    file = tmp_path / "coverage" / "collector.py"
    file.parent.mkdir()
    file.write_text("def lock_data(lock):\n    return lock.acquire(True, 0.01)\n")
    loader = SourceFileLoader("collector", str(file))
    module = ModuleType("collector")
    loader.exec_module(module)
    return module


async def test_only_the_lock_of_who_measures_may_block(measurer: ModuleType) -> None:
    held = threading.Lock()
    with held:
        Identity.generate(lambda size: bytes(size + measurer.lock_data(held)))
        with pytest.raises(BlockingError):
            Identity.generate(lambda size: bytes(size + held.acquire(timeout=0.01)))
