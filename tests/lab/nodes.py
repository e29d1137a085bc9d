"""Real meshdoor nodes in the hosts of the virtual house."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from meshdoor.control import Json
from meshdoor.control.client import Client
from meshdoor.errors import NotRunning
from tests.lab.host import Host
from tests.lab.house import House
from tests.lab.protocol import LabError
from tests.patience import PATIENCE

POLL = 0.02  # seconds between two questions: a node that is asked more often does little else


class Node:
    """One node. Its control socket is a file, so it is asked from outside the house.

    It is ready at once, but for `wait=False`: then `expect_ready` is to be called. `nice`: it lets others have the
    CPU first.
    """

    def __init__(
        self,
        host: Host,
        role: str = "screen",
        name: str = "",
        options: tuple[str, ...] = (),
        *,
        wait: bool = True,
        nice: int = 0,
    ) -> None:
        self.host = host
        self.name = name or host.name
        command = host.python("meshdoor", "run", "--role", role, "--name", self.name, *options)
        self._command = ["nice", "-n", str(nice), *command]
        self.process = self.host.start(self._command)
        if wait:
            self.expect_ready()

    @property
    def state(self) -> Path:
        return self.host.directory / "state"

    @property
    def id(self) -> str:
        return str(self.status()["node"]["id"])

    @property
    def code(self) -> str:
        """What it shows while it can be paired."""
        return str(self.status()["node"]["pairing"]["code"])

    def expect_ready(self) -> None:
        self.process.expect(r"^ready ", PATIENCE)

    def start(self) -> None:
        """Again, after it was stopped or killed."""
        self.process = self.host.start(self._command)
        self.expect_ready()

    def ask(self, verb: str, **args: Json) -> Json:
        with Client(self.state, 20.0) as client:
            return client.call(verb, **args)

    def status(self) -> Json:
        return self.ask("status")

    def row(self, name: str) -> Json:
        """What this node's status says of a member."""
        return next((row for row in self.status()["members"] if row["name"] == name), None)

    def sees(self, name: str, state: str = "ready") -> bool:
        row = self.row(name)
        return row is not None and row["state"] == state

    def ready(self) -> set[str]:
        """Who is ready, as this node sees it."""
        return {row["name"] for row in self.status()["members"] if row["state"] == "ready"}

    def pair(self, newcomer: Node) -> Json:
        """What a person does: choose the newcomer, type its code."""
        wait_until(lambda: newcomer.id in {entry["id"] for entry in self.ask("newcomers")})
        return self.ask("pair", id=newcomer.id, code=newcomer.code, name=None)


def wait_until(true: Callable[[], bool], timeout: float = PATIENCE) -> float:
    """Seconds until it was true. Raises LabError."""
    began = time.monotonic()
    while True:
        try:
            if true():
                return time.monotonic() - began
        except NotRunning:
            pass  # it starts, or stops
        if time.monotonic() - began > timeout:
            raise LabError(f"not within {timeout:g} s")
        time.sleep(POLL)


def together(hosts: Iterable[Host], role: str = "screen") -> list[Node]:
    """Nodes that start at the same time."""
    nodes = [Node(host, role, wait=False) for host in hosts]
    for node in nodes:
        node.expect_ready()
    return nodes


def home_of(house: House, *names: str, role: str = "screen") -> list[Node]:
    """Nodes of one home, the first its founder, all linked."""
    nodes = together([house[name] for name in names], role)
    nodes[0].ask("found", home="Lab")
    for newcomer in nodes[1:]:
        nodes[0].pair(newcomer)
    for node in nodes:
        wait_until(lambda node=node: node.ready() == set(names))  # type: ignore[misc]
    return nodes
