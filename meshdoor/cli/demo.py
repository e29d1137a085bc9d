"""`meshdoor demo`: a small house on this machine, every node a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from meshdoor.cli import status
from meshdoor.cli.output import Subparsers, style
from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import NotRunning, UserError

PATIENCE = 20.0  # seconds for a node to start, and for the house to agree


def register(verbs: Subparsers[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "demo",
        help="a small house on this machine: found, pair, look, revoke",
        description="Found a home, start a door and two screens as processes of their own, pair them by code, show "
        "the status, revoke one, show it again, and end. Everything stays on the loopback interface.",
    )
    parser.add_argument("--auto", action="store_true", help="do not wait for ENTER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="meshdoor-demo-") as folder, ExitStack() as stack:
        hall = stack.enter_context(_node(Path(folder), "Hall", "screen"))
        others = [
            stack.enter_context(_node(Path(folder), "Front door", "door")),
            stack.enter_context(_node(Path(folder), "Kitchen", "screen")),
        ]
        _say("three nodes run: Hall, Front door, Kitchen", began)
        home = hall.ask("found", home="Demo house", anyway=True)["name"]
        _say(f"Hall has founded {home}", began)
        for other in others:
            _pair(hall, other, began)
        _await(hall, lambda seen: not seen["attention"])
        _show(hall)
        since = time.monotonic()
        gone = hall.ask("revoke", member="Kitchen")
        _await(others[0], lambda seen: len(seen["members"]) == 3 and seen["members"][-1]["state"] == "revoked")
        _say(f"{gone['name']} is revoked; the door knew after {_ms(since)}", began)
        _show(hall)
    _say("all nodes have ended", began)
    return 0


class _Node:
    def __init__(self, name: str, state: Path, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.state = state
        self.process = process

    def ask(self, verb: str, **args: Json) -> Json:
        with Client(self.state) as client:
            return client.call(verb, **args)

    def await_control(self) -> None:
        """Until the node answers. Raises UserError with its log when it has ended instead."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise UserError(f"{self.name} did not start:\n{(self.state / 'log').read_text()}")
            try:
                self.ask("status")
                return
            except NotRunning:
                time.sleep(0.02)
        raise UserError(f"{self.name} did not answer within {PATIENCE:.0f} s; see {self.state / 'log'}")


@contextmanager
def _node(folder: Path, name: str, role: str) -> Iterator[_Node]:
    state = folder / name.lower().replace(" ", "-")
    state.mkdir(mode=0o700)
    command = [sys.executable, "-m", "meshdoor", "run", "--state", str(state), "--name", name, "--role", role]
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--interface", "lo"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        node = _Node(name, state, process)
        node.await_control()
        yield node
    finally:
        process.terminate()
        process.wait(10)


def _pair(host: _Node, newcomer: _Node, began: float) -> None:
    itself = newcomer.ask("status")["node"]
    _await(host, lambda seen: any(entry["id"] == itself["id"] for entry in seen["newcomers"]))
    since = time.monotonic()
    host.ask("pair", id=itself["id"], code=itself["pairing"]["code"], name=None)
    _await(host, lambda seen: any(row["id"] == itself["id"] and row["state"] == "ready" for row in seen["members"]))
    _say(f"{newcomer.name} showed {itself['pairing']['code']}, was paired and is ready after {_ms(since)}", began)


def _await(node: _Node, true: Callable[[Json], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true(node.ask("status")):
        if time.monotonic() > deadline:
            raise UserError(f"{node.name} never saw what it should; see {node.state / 'log'}")
        time.sleep(0.01)


def _show(node: _Node) -> None:
    command = style(f"$ meshdoor status   (on {node.name})", "dim")
    print(f"\n{command}\n{status.render(node.ask('status'))}\n", flush=True)


def _say(text: str, began: float) -> None:
    print(f"{time.monotonic() - began:6.2f} s  {text}", flush=True)


def _ms(since: float) -> str:
    return f"{(time.monotonic() - since) * 1000:.0f} ms"
