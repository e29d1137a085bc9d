"""What a screen loads: nothing that is for phones while there is none, and the page when one is invited."""

from __future__ import annotations

import compileall
import hashlib
import re
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

import meshdoor
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import MeshdoorError
from tests.node.processes import PATIENCE, Node, node

pytestmark = pytest.mark.multicast

GOAL = 60.0  # MB of memory of a screen to which nothing happens
FOR_PHONES = ("aiohttp", "aiortc", "segno", "pywebpush", "apprise", "requests", "av")


def loaded(running: Node) -> str:
    """The compiled code of the process, by its files."""
    return Path(f"/proc/{running.process.pid}/maps").read_text()


def resident(running: Node) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{running.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def test_importing_a_node_loads_nothing_for_phones() -> None:
    names = ", ".join(repr(name) for name in FOR_PHONES)
    code = f"import sys, meshdoor.node.node, meshdoor.cli.run; print([n for n in ({names}) if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_an_idle_screen_is_small_until_a_phone_is_invited(tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("[web]\nport = 0\n[sip]\nport = 0\n")
    compileall.compile_dir(Path(meshdoor.__file__).parent, quiet=1)  # as pip does; compiling takes memory
    with node(tmp_path / "hall", "Hall", "screen", "--config", str(settings)) as hall:
        hall.ask("found", home="Home", anyway=True)
        hall.until(lambda seen: seen["node"]["state"] == "ready")
        assert "aiohttp" not in loaded(hall)
        assert resident(hall) < GOAL
        url = invited(hall)
        base, _, fragment = url.partition("/#")
        assert "pair=" in fragment
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"{base}/", context=context, timeout=PATIENCE) as page:
            assert b"<!doctype html>" in page.read().lower()
            assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        authority = hall.ask("phone ca")
        with urllib.request.urlopen(authority["url"], context=context, timeout=PATIENCE) as certificate:
            assert hashlib.sha256(certificate.read()).hexdigest() == authority["fingerprint"]
        assert hall.stop()[0] == 0
        assert "Traceback" not in hall.log


def invited(hall: Node) -> str:
    """What the code says that a phone would scan; nobody does."""
    told = threading.Event()
    urls: list[str] = []

    def shown(event: Json) -> None:
        urls.append(event["url"])
        told.set()

    def ask() -> None:
        try:
            with Client(hall.state, PATIENCE) as client:
                client.call("phone add", shown, name="Alice")
        except MeshdoorError:
            return  # the node has stopped meanwhile

    threading.Thread(target=ask, daemon=True).start()
    assert told.wait(PATIENCE)
    return urls[0]


def test_a_door_serves_no_page(tmp_path: Path) -> None:
    with node(tmp_path / "gate", "Gate", "door") as gate, pytest.raises(MeshdoorError):
        gate.ask("phone ca")
