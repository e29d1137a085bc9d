"""Scripts that were written for linphone-daemon, at a node; and what linphone-daemon itself says to the same words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import House
from tests.lab.host import Host
from tests.lab.linphone import MISSING, listens
from tests.lab.nodes import wait_until
from tests.lab.presses import Family

pytestmark = [pytest.mark.lab, pytest.mark.peers]

PIPE = f"doorbell-{os.getpid()}"
SETTINGS = f'[sip]\npipe = "{PIPE}"\n'
# As people wrote it: no line feed, no look at the answer.
BUTTON = f"""
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect("/tmp/{PIPE}")
s.send(b"call sip:homescreen@myhouse")
"""
HANG_UP = BUTTON.replace("call sip:homescreen@myhouse", "terminate")
TALK = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
said = []
for line in sys.argv[2:]:
    s.send(line.encode())
    said.append(s.recv(65536).decode())
print(json.dumps(said))
"""
# What both must answer alike, to the byte.
ALIKE = (
    "call",
    "answer",
    "answer 7",
    "call-status",
    "call-status 9",
    "terminate",
    "terminate 9",
    "dtmf",
    "dtmf 1",
    "message",
    "register",
    "register sip:a@b",
    "unregister",
    "unregister 3",
    "unregister ALL",
    "register-status",
    "register-status ALL",
    "contact",
    "nonsense",
    "pop-event",
    "quit",
)


def talk(host: Host, path: str, *lines: str) -> list[str]:
    said: list[str] = json.loads(host.run(["python3", "-c", TALK, path, *lines]).stdout)
    return said


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    with House("door", "hall", "kitchen") as house, Family(house, "hall", "kitchen", settings=SETTINGS) as made:
        made.rehearse()
        yield made


def test_the_script_of_a_button_rings_the_house(family: Family) -> None:
    family.forget()
    family.house["door"].run(["python3", "-c", BUTTON])
    for name in ("hall", "kitchen"):
        family.hears("visitor", name)
        family.hears("step", "door", step="first picture", member=name)
    family["hall"].ask("answer")
    family.hears("step", "door", step="answered", member="hall")
    running = "State: LinphoneCallStreamsRunning\nFrom: sip:homescreen@myhouse\nDirection: out\n"
    wait_until(lambda: running in talk(family.house["door"], f"/tmp/{PIPE}", "call-status")[0])
    family.house["door"].run(["python3", "-c", HANG_UP])
    family.hears("over", "hall")
    family.calm()


def test_the_socket_goes_with_the_node(family: Family) -> None:
    assert Path(f"/tmp/{PIPE}").is_socket()


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_linphone_daemon_says_the_same(family: Family) -> None:
    name = f"linphone-{os.getpid()}"
    hall = family.house["hall"]
    (hall.directory / ".local" / "share" / "linphone").mkdir(parents=True, exist_ok=True)
    settings = hall.directory / "daemon.rc"
    settings.write_text("[sip]\nsip_port=5090\nsip_tcp_port=5090\nipv6_migration_done=1\n")
    daemon = hall.start(["linphone-daemon", "--pipe", name, "--factory-config", str(settings)])
    try:
        wait_until(lambda: listens(hall, Path(f"/tmp/{name}")))
        theirs = talk(hall, f"/tmp/{name}", *ALIKE)
    finally:
        daemon.kill()
        Path(f"/tmp/{name}").unlink(missing_ok=True)
    family.calm()
    while "Event-type" in talk(family.house["door"], f"/tmp/{PIPE}", "pop-event")[0]:
        pass
    ours = talk(family.house["door"], f"/tmp/{PIPE}", *ALIKE)
    assert dict(zip(ALIKE, ours, strict=True)) == dict(zip(ALIKE, theirs, strict=True))
