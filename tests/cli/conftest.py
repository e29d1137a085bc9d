"""A terminal for the command line, and the node that it talks to."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from meshdoor.cli import main

Run = Callable[..., int]


class Keyboard(io.StringIO):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What a person types at the terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", Keyboard(text))


@pytest.fixture
def pipe_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What a script gives as standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.fixture(autouse=True)
def _no_terminal(pipe_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in("")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state directory of a node."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def run(state: Path) -> Run:
    """Run a verb on that node; the exit code."""
    return lambda verb, *words: main([verb, "--state", str(state), *words])
