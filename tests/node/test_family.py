"""The family's own messengers: one that is a web server on loopback."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from meshdoor.errors import ConfigError, Refused
from meshdoor.node.family import Family

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # which apprise imports

JPEG = b"\xff\xd8\xff" + bytes(100)


@contextmanager
def messenger() -> Iterator[tuple[int, list[Any]]]:
    """Its port, and what it was told."""
    told: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def written(folder: Path, text: str, mode: int = 0o600) -> Family:
    path = folder / "urls"
    path.write_text(text)
    path.chmod(mode)
    return Family(path)


def test_everybody_is_told_with_the_picture(tmp_path: Path) -> None:
    with messenger() as (port, told):
        family = written(tmp_path, f"# the family\n\njson://127.0.0.1:{port}\nnothing://x\n")
        sent = family.tell("Home", "Somebody is at Gate.", JPEG)
    assert (sent.told, sent.failed, str(sent)) == (1, 1, "1 told, 1 failed")
    assert told[0]["title"] == "Home"
    assert told[0]["message"] == "Somebody is at Gate."
    assert told[0]["attachments"][0]["mimetype"] == "image/jpeg"


def test_without_a_picture(tmp_path: Path) -> None:
    with messenger() as (port, told):
        assert str(written(tmp_path, f"json://127.0.0.1:{port}").tell("Home", "x")) == "1 told"
    assert told[0]["attachments"] == []


def test_one_that_is_not_there(tmp_path: Path) -> None:
    assert written(tmp_path, "json://127.0.0.1:9").tell("Home", "x").failed == 1


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        ("json://x", 0o644, "others may read"),
        ("x\n" * 33, 0o600, "more than 32"),
        ("x" * 70_000, 0o600, "more than 32"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, mode: int, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        written(tmp_path, text, mode).tell("Home", "x")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Family(tmp_path / "none").tell("Home", "x")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refused, match="not installed"):
        written(tmp_path, "json://x").tell("Home", "x")
