"""A node as a process: how it starts, what it says of what is amiss, and how it ends."""

from __future__ import annotations

import os
import pty
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshdoor.errors import UserError
from tests.loopback import isolated
from tests.node.processes import Node, ended, node
from tests.patience import PATIENCE

pytestmark = pytest.mark.multicast


def test_at_a_terminal_a_home_is_offered(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with ended(Node(tmp_path / "hall", "--name", "Hall", "--role", "screen", stdin=theirs)) as hall:
            hall.until(lambda seen: seen["node"]["pairing"])
            if _offered(hall):
                os.write(ours, b"\n" + b"x" * 65 + b"\n")
                hall.expect("That is no name for a home: name: longer than 64 characters")
                os.write(ours, b"My home\n")
                hall.until(lambda seen: seen["home"] and seen["home"]["name"] == "My home")
            assert hall.stop()[0] == 0
    finally:
        os.close(ours)
        os.close(theirs)


def _offered(hall: Node) -> bool:
    """False where other homes are in reach: those of other runs of the tests on this machine."""
    offer = "There is no home in reach"
    if isolated():
        hall.expect(offer)
    else:
        time.sleep(3.5)
    return offer in hall.log


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """One that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Node]:
    """It found a file that is no enrolment, and its port taken; and it is in no home."""
    state = tmp_path_factory.mktemp("newcomer") / "hall"
    state.mkdir(mode=0o700)
    (state / "meshdoor.enrol").write_text("garbage")
    with node(state, "Hall", "screen", "--port", str(port)) as running:
        yield running


def test_a_bad_file_that_was_found_is_told_of_and_the_node_goes_on(newcomer: Node) -> None:
    newcomer.expect("format is not that of a Meshdoor enrolment; write a new one")
    assert newcomer.ask("status")["node"]["pairing"]


def test_a_taken_port_is_told_of_and_another_used(newcomer: Node, port: int) -> None:
    assert newcomer.ask("status")["node"]["port"] != port
    assert f"port {port} is taken by another program" in str(newcomer.ask("doctor"))
    assert "using another" in newcomer.log


def test_one_directory_is_for_one_node(newcomer: Node) -> None:
    second = Node(newcomer.state)
    assert second.wait() == 2
    assert "another node runs in" in second.log


def test_what_a_node_of_no_home_cannot_do(newcomer: Node) -> None:
    with pytest.raises(UserError, match="in no home"):
        newcomer.ask("revoke", member="x")
    assert newcomer.ask("members") == []
    for home in ("", " x", "x" * 65, "a\nb"):
        with pytest.raises(UserError, match="name"):
            newcomer.ask("found", home=home, anyway=True)


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "No such file"), ("garbage", "format is not that of a Meshdoor enrolment")],
)
def test_an_enrolment_file_that_was_named_must_be_good(tmp_path: Path, content: str | None, text: str) -> None:
    file = tmp_path / "x.enrol"
    if content is not None:
        file.write_text(content)
    refused = Node(tmp_path / "x", "--enrol", str(file))
    assert refused.wait() == 2
    assert text in refused.log
    assert "Traceback" not in refused.log


def test_modes_that_are_too_open_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hall").mkdir(mode=0o755)
    refused = Node(tmp_path / "hall")
    assert refused.wait() == 2
    assert f"chmod 700 {tmp_path / 'hall'}" in refused.log


def test_systemd_hears_of_the_start_of_life_and_of_the_end_and_programs_read_the_log(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with node(tmp_path / "hall", "Hall", "screen", "--log", "json", **environment) as hall:
            heard = [manager.recv(200) for _ in range(4)]
            began = time.monotonic()
            code, took = hall.stop()
            while (last := manager.recv(200)) == b"WATCHDOG=1":
                assert time.monotonic() - began < PATIENCE
    assert b"READY=1\nSTATUS=Hall (screen) of no home yet" in heard
    assert heard.count(b"WATCHDOG=1") >= 2
    assert last == b"STOPPING=1"
    assert code == 0
    assert '"event": "ready"' in hall.log
    assert '"event": "stopped"' in hall.log
    print(f"\nSIGTERM to the end: {took:.2f} s, goal 2 s")
