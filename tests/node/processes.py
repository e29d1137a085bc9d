"""Nodes that are processes of their own, on the loopback interface."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import NotRunning

PATIENCE = 60.0  # seconds; the machine may be busy
POLL = 0.02


class Node:
    """One node; `log` is what it has written."""

    def __init__(
        self, state: Path, *words: str, stdin: int = subprocess.DEVNULL, environment: Mapping[str, str] | None = None
    ) -> None:
        self.state = state
        self._log = state.with_suffix(".log")
        command = [sys.executable, "-m", "meshdoor", "run", "--state", str(state), "--interface", "lo", *words]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command if "--port" in words else [*command, "--port", "0"],
                stdin=stdin,
                stdout=log,
                stderr=log,
                env=os.environ | dict(environment or {}),
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ask(self, verb: str, **args: Json) -> Json:
        with Client(self.state, PATIENCE) as client:
            return client.call(verb, **args)

    def expect(self, text: str) -> None:
        """Wait until that is in the log."""
        self._wait(lambda: text in self.log)

    def until(self, true: Callable[[Json], object]) -> Json:
        """Its status, once that is so."""

        def holds() -> bool:
            assert self.process.poll() is None, self.log
            try:
                return bool(true(self.ask("status")))
            except NotRunning:
                return False

        self._wait(holds)
        return self.ask("status")

    def ready(self, *names: str) -> None:
        """Wait until it sees exactly these members ready."""
        self.until(lambda s: sorted(r["name"] for r in s["members"] if r["state"] == "ready") == sorted(names))

    def pair(self, newcomer: Node, name: str | None = None) -> Json:
        """Let a newcomer in, as a person does."""
        itself = newcomer.until(lambda seen: seen["node"]["pairing"])["node"]
        self.until(lambda seen: itself["id"] in {entry["id"] for entry in seen["newcomers"]})
        return self.ask("pair", id=itself["id"], code=itself["pairing"]["code"], name=name)

    def stop(self) -> tuple[int, float]:
        """Ask it to end: its return code and how many seconds it took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(PATIENCE), time.monotonic() - began

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def _wait(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"not within {PATIENCE:g} s\n{self.log}"
            time.sleep(POLL)


@contextmanager
def node(state: Path, name: str, role: str = "screen", *words: str, **environment: str) -> Iterator[Node]:
    """A node that runs and answers until the block ends."""
    with ended(Node(state, "--name", name, "--role", role, *words, environment=environment)) as made:
        made.until(lambda status: status["schema"] == 1)
        yield made


@contextmanager
def ended(made: Node) -> Iterator[Node]:
    """See to it that the node has ended when the block ends."""
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.terminate()
        made.wait()
